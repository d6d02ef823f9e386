//! Bills that were computed by hand from the prices in `docs/aws-prices.json`, for a shop of the
//! default assumptions: sessions of 2 KB, visits of 20 requests of which 5 change the session.

use super::*;
use crate::prices::Prices;

fn types() -> NodeTypes {
    NodeTypes::read().unwrap()
}

fn prices() -> Prices {
    Prices::read().unwrap()
}

/// The same prices without those that a file may leave out.
fn fewer_prices() -> Prices {
    let text = include_str!("../../../../docs/aws-prices.json");
    let mut file: serde_json::Value = serde_json::from_str(text).unwrap();
    for name in ["valkey", "redis_oss", "memcached"] {
        file.as_object_mut().unwrap().remove(&format!("elasticache_{name}_nodes")).unwrap();
    }
    for name in ["rds", "aurora", "s3", "s3_express", "traffic"] {
        file.as_object_mut().unwrap().remove(name).unwrap();
    }
    file["dynamodb"].as_object_mut().unwrap().remove("dollars_per_gb_month").unwrap();
    serde_json::from_value(file).unwrap()
}

fn bill(setup: Setup, rate: f64) -> Bill {
    setup.bill(&Shop::default(), rate, &prices(), &types())
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-5 * expected.abs().max(1e-9), "{found}, not {expected}");
}

/// Checks the parts by amount, and the sum.
fn is(bill: &Bill, parts: &[(&str, f64)], dollars: Option<f64>) {
    let names: Vec<_> = bill.parts.iter().map(|part| part.billed).collect();
    assert_eq!(names, parts.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (part, (_, amount)) in bill.parts.iter().zip(parts) {
        near(part.amount, *amount);
    }
    match (bill.dollars, dollars) {
        (Some(found), Some(expected)) => near(found, expected),
        (found, expected) => assert_eq!(found, expected),
    }
}

#[test]
fn a_request_a_second_is_two_and_a_half_million_a_month() {
    let load = Shop::default().load(1.0);
    // 730 × 3,600 = 2,628,000 requests, a twentieth of them first ones.
    near(load.creations, 131_400.0);
    near(load.loads, 2_496_600.0);
    // Four more changes in each of the visits.
    near(load.replacements, 525_600.0);
    near(load.writes(), 657_000.0);
    near(load.commands(), 3_153_600.0);
    // A visit begins every 20 s, and its session lives 10 + 30 minutes.
    near(load.live, 120.0);
}

#[test]
fn dynamodb_is_paid_by_units() {
    // 2.4966 × $0.125 + 2 × 0.657 × $0.625 = $0.312075 + $0.82125.
    // In storage: 120 live sessions and 0.05 × 172,800 expired ones, of 2,148 bytes.
    let parts = [
        ("million read units", 2.4966),
        ("million write units", 1.314),
        ("GB stored", 8_760.0 * 2_148.0 / 1_073_741_824.0),
    ];
    // And 0.0175242 GB × $0.25.
    is(&bill(Setup::DynamoDb, 1.0), &parts, Some(1.133_325 + 0.004_381_053));
    near(bill(Setup::DynamoDb, 10_000.0).dollars.unwrap(), 11_377.060_5);
    let without = Setup::DynamoDb.bill(&Shop::default(), 1.0, &fewer_prices(), &types());
    is(&without, &parts, Some(1.133_325));
    assert_eq!(without.unpriced().count(), 1);
}

#[test]
fn near_saves_read_units_and_no_write_units() {
    // 131,400 visits with 9 loads that are left of 19, and with 4. The rest is as without Near.
    let parts = |reads| {
        let stored = 8_760.0 * 2_148.0 / 1_073_741_824.0;
        [("million read units", reads), ("million write units", 1.314), ("GB stored", stored)]
    };
    // 1.1826 × $0.125 + $0.82125 + $0.004381053, and 0.5256 × $0.125.
    is(&bill(Setup::DynamoDbNear1s, 1.0), &parts(1.182_6), Some(0.973_456_053));
    is(&bill(Setup::DynamoDbNear5s, 1.0), &parts(0.525_6), Some(0.891_331_053));
    // A shop whose requests all change something has no page that reads again.
    let shop = Shop { changes_per_visit: 20.0, ..Shop::default() };
    let [with, without] = [Setup::DynamoDbNear5s, Setup::DynamoDb]
        .map(|setup| setup.bill(&shop, 1.0, &prices(), &types()).parts[0].amount);
    near(with, without);
}

/// The requests to a bucket at one request a second. GETs: 2,496,600 loads and 131,400 removals. PUTs:
/// 657,000 writes, 131,400 removals and 730 × 256 lists. Objects of 2,066 bytes: 120 live ones and
/// 0.05 × 7,200 that wait for the sweep.
const BUCKET: [(&str, f64); 5] = [
    ("million GETs", 2.628),
    ("million PUTs and lists", 0.975_28),
    ("GB read", 2_628_000.0 * 2_066.0 / 1_073_741_824.0),
    ("GB written", 657_000.0 * 2_066.0 / 1_073_741_824.0),
    ("GB stored", 480.0 * 2_066.0 / 1_073_741_824.0),
];

#[test]
fn a_bucket_is_paid_by_requests_and_its_sweep_is_some_of_them() {
    // $1.0512 + $4.8764 + $0.0000212.
    is(&bill(Setup::S3, 1.0), &BUCKET, Some(5.927_621_24));
    // $0.07884 + $1.1020664 + 5.0565675 × $0.0006 + 1.2641419 × $0.0032 + $0.0001016.
    is(&bill(Setup::S3Express, 1.0), &BUCKET, Some(1.188_087_19));
    // With 4.8 million objects a folder takes 19 lists: 730 × 256 × 19 = 3,550,720.
    near(bill(Setup::S3, 1e4).parts[1].amount, 7_884.0 + 3.550_72);
}

#[test]
fn without_a_price_of_writes_to_a_bucket_there_is_no_sum() {
    let bill = Setup::S3.bill(&Shop::default(), 1.0, &fewer_prices(), &types());
    is(&bill, &BUCKET, None);
    assert_eq!(bill.unpriced().count(), 5);
}

#[test]
fn a_serverless_cache_bills_its_least_size_by_the_hour() {
    // 3.1536 million commands of 2 KB; 0.1 GB × 730 hours: $0.01450656 + $6.132.
    let parts = [("million ECPUs", 6.3072), ("GB hours", 73.0)];
    is(&bill(Setup::ValkeyServerless, 1.0), &parts, Some(6.146_506_56));
    // Of Redis OSS and Memcached a whole GB, and more for an ECPU: $0.02144448 + $91.25.
    let parts = [("million ECPUs", 6.3072), ("GB hours", 730.0)];
    is(&bill(Setup::RedisServerless, 1.0), &parts, Some(91.271_444_48));
    is(&bill(Setup::MemcachedServerless, 1.0), &parts, Some(91.271_444_48));
    // 1,200,000 sessions of 2,728 bytes are 3.04878 GB: $145.0656 + $186.9513.
    let parts = [("million ECPUs", 63_072.0), ("GB hours", 3.048_778 * 730.0)];
    is(&bill(Setup::ValkeyServerless, 1e4), &parts, Some(332.016_7));
}

#[test]
fn efs_meters_each_nfs_request_as_four_kilobytes_and_one_as_thirty_two() {
    // Loads: 2,496,600 × 44 KB. New sessions: 131,400 × 56 KB, and other changes 525,600 × 88 KB.
    // Files of 6 KB: 120 live ones, and 0.05 × 3,660 that wait for the sweeper.
    let parts = [
        ("GB read", 104.761_505),
        ("GB written", 7.017_517 + 44.110_107),
        ("GB stored", 303.0 * 6_144.0 / 1_073_741_824.0),
    ];
    // $3.1428452 + $3.0676575 + $0.0005201.
    is(&bill(Setup::Efs, 1.0), &parts, Some(6.211_022_8));
}

#[test]
fn nodes_are_paid_by_the_hour_and_the_traffic_between_zones_by_the_gigabyte() {
    // Half of 3,153,600 commands of 2,198 bytes cross: 3.227784 GB.
    let parts = [("node hours", 1_460.0), ("GB between zones", 3.227_784)];
    // 1,460 × $0.0128 + 3.227784 × $0.01 = $18.688 + $0.03227784.
    is(&bill(Setup::ValkeyNodes, 1.0), &parts, Some(18.720_277_84));
    // Of Redis OSS and Memcached a quarter more: 1,460 × $0.016 = $23.36.
    is(&bill(Setup::RedisNodes, 1.0), &parts, Some(23.392_277_84));
    is(&bill(Setup::MemcachedNodes, 1.0), &parts, Some(23.392_277_84));
    for setup in [Setup::ValkeyNodes, Setup::RedisNodes, Setup::MemcachedNodes] {
        assert_eq!(bill(setup, 1.0).nodes.unwrap().node_type, "cache.t4g.micro");
        assert_eq!(bill(setup, 1.0).unpriced().count(), 0);
    }
    // $18.688 + 322.7784 × $0.01.
    near(bill(Setup::ValkeyNodes, 100.0).dollars.unwrap(), 21.915_784);
}

#[test]
fn much_traffic_between_zones_costs_more_than_the_nodes() {
    // 3.27 GB of sessions need more than the three quarters of a cache.t4g.medium.
    let valkey = bill(Setup::ValkeyNodes, 1e4);
    assert_eq!(valkey.nodes.as_ref().unwrap().node_type, "cache.m7g.large");
    // 1,460 × $0.1264 + 32,277.84 × $0.01 = $184.544 + $322.7784, and 1,460 × $0.158 = $230.68.
    near(valkey.dollars.unwrap(), 507.322_4);
    near(bill(Setup::RedisNodes, 1e4).dollars.unwrap(), 553.458_4);
    // Two nodes of memcached hold half each: 1,460 × $0.065 = $94.90.
    let memcached = bill(Setup::MemcachedNodes, 1e4);
    assert_eq!(memcached.nodes.as_ref().unwrap().node_type, "cache.t4g.medium");
    near(memcached.dollars.unwrap(), 417.678_4);
}

#[test]
fn rds_is_two_instances_with_their_disks() {
    // 1,460 × $0.016 + 2 × 20 GB × $0.115 + $0.03227784 = $23.36 + $4.60 + $0.03227784.
    let parts = [("node hours", 1_460.0), ("GB stored", 40.0), ("GB between zones", 3.227_784)];
    let rds = bill(Setup::Rds, 1.0);
    is(&rds, &parts, Some(27.992_277_84));
    assert_eq!(rds.nodes.unwrap().node_type, "db.t4g.micro");
    near(bill(Setup::Rds, 100.0).dollars.unwrap(), 31.187_784);
    // 120,000 live sessions of 100 KB are 13.1 GB, more than half of 16 GiB.
    let shop = Shop { session_bytes: 100_000.0, ..Shop::default() };
    let rds = Setup::Rds.bill(&shop, 1_000.0, &prices(), &types());
    // 2 × 2 × (120,000 + 183,000) × 108,776.9 bytes.
    near(rds.parts[1].amount, 1_212_000.0 * 108_776.855 / 1_073_741_824.0);
    assert_eq!((rds.dollars, rds.nodes.unwrap().node_type.as_str()), (None, "db.r7g.xlarge"));
}

#[test]
fn a_larger_class_has_more_processors() {
    // A request a second takes 0.95 × 0.1 ms + 0.25 × 0.3 ms = 0.17 ms, and a tenth of each of two
    // processors is 200 ms: 1,176 a second. The small class has 400 ms, and the large one 600 ms.
    let class = |rate| bill(Setup::Rds, rate).nodes.unwrap().node_type;
    assert_eq!(
        (class(1_176.0).as_str(), class(1_177.0).as_str()),
        ("db.t4g.micro", "db.t4g.small")
    );
    assert_eq!(
        (class(2_352.0).as_str(), class(2_353.0).as_str()),
        ("db.t4g.small", "db.t4g.large")
    );
    assert_eq!(
        (class(3_529.0).as_str(), class(3_530.0).as_str()),
        ("db.t4g.large", "db.m7g.large")
    );
    // 1,460 × $0.129 + $4.60 + 3,000 × $0.03227784 = $188.34 + $4.60 + $96.83352.
    near(bill(Setup::Rds, 3_000.0).dollars.unwrap(), 289.773_52);
    assert_eq!(bill(Setup::Rds, 1e4).dollars, None, "its class has no price");
}

#[test]
fn aurora_is_paid_by_capacity_storage_and_writes() {
    // Two instances of half a unit: 730 × $0.12. 2 × 303 × 3,112 bytes at $0.10 a GB. A write is one
    // I/O: 0.657 × $0.20. And $0.03227784 between zones.
    let gigabytes = 606.0 * 3_112.0 / 1_073_741_824.0;
    let parts = [
        ("ACU hours", 730.0),
        ("GB stored", gigabytes),
        ("million I/Os", 0.657),
        ("GB between zones", 3.227_784),
    ];
    is(&bill(Setup::Aurora, 1.0), &parts, Some(87.763_853_48));
    // A session of 4 KB makes more than 4 KB of log.
    let shop = Shop { session_bytes: 4_096.0, ..Shop::default() };
    near(Setup::Aurora.bill(&shop, 1.0, &prices(), &types()).parts[2].amount, 1.314);
}

#[test]
fn with_many_writes_aurora_costs_less_without_a_price_of_ios() {
    // 730 × $0.036 = $26.28 more for the hours, and for each request a second $0.0002196 more for what
    // is stored and $0.1314 less for I/Os: from 200.3 on.
    let price = |rate: f64| bill(Setup::Aurora, rate).parts[2].price.unwrap();
    assert_eq!([200.0, 201.0].map(price), [0.2, 0.0]);
    // 1.7 processors are 6.8 units, so 2 × 7 × 730 × $0.156; 17.564 GB × $0.225; $322.7784.
    near(bill(Setup::Aurora, 1e4).dollars.unwrap(), 1_594.32 + 3.951_810 + 322.778_4);
}

#[test]
fn without_a_price_of_a_database_there_is_no_sum() {
    for (setup, unpriced) in [(Setup::Rds, 3), (Setup::Aurora, 4)] {
        let bill = setup.bill(&Shop::default(), 1.0, &fewer_prices(), &types());
        assert_eq!((bill.dollars, bill.unpriced().count()), (None, unpriced), "{setup:?}");
    }
    // 1.2 million sessions of 500 KB are 653 GB, more than any class keeps in memory.
    let shop = Shop { session_bytes: 500_000.0, ..Shop::default() };
    let bill = Setup::Rds.bill(&shop, 1e4, &prices(), &types());
    assert_eq!((bill.dollars, bill.nodes), (None, None));
}

#[test]
fn without_a_price_of_nodes_there_is_no_sum() {
    let parts = [("node hours", 1_460.0), ("GB between zones", 3.227_784)];
    let bill = Setup::ValkeyNodes.bill(&Shop::default(), 1.0, &fewer_prices(), &types());
    is(&bill, &parts, None);
    assert_eq!(bill.unpriced().count(), 2);
}

#[test]
fn a_type_without_a_price_leaves_the_sum_open() {
    // 120,000 sessions of 100 KB are 14 GB, and three quarters of a cache.r7g.large are 9.8 GB.
    let shop = Shop { session_bytes: 100_000.0, ..Shop::default() };
    let bill = Setup::ValkeyNodes.bill(&shop, 1_000.0, &prices(), &types());
    assert_eq!(bill.nodes.as_ref().unwrap().node_type, "cache.r7g.xlarge");
    assert_eq!(bill.dollars, None);
    assert_eq!(bill.unpriced().count(), 1);
}

#[test]
fn nodes_of_valkey_cost_four_fifths_of_the_other_engines() {
    let prices = prices();
    let valkey = prices.elasticache_valkey_nodes.unwrap().dollars_per_hour;
    let redis = prices.elasticache_redis_oss_nodes.unwrap().dollars_per_hour;
    assert_eq!(redis, prices.elasticache_memcached_nodes.unwrap().dollars_per_hour);
    assert_eq!(valkey.keys().collect::<Vec<_>>(), redis.keys().collect::<Vec<_>>());
    for (node, price) in valkey {
        near(price, 0.8 * redis[&node]);
    }
}

#[test]
fn a_cookie_is_paid_on_the_wire() {
    // 657,000 cookies of 91 + 2,048 × 4 ÷ 3 + 54 bytes are 1.75956 GB, each at $0.09.
    let parts = [("GB to visitors", 657_000.0 * 2_875.666_667 / 1_073_741_824.0)];
    is(&bill(Setup::Cookie, 1.0), &parts, Some(0.158_360_4));
    let without = Setup::Cookie.bill(&Shop::default(), 1.0, &fewer_prices(), &types());
    is(&without, &parts, Some(0.0));
    assert_eq!(without.unpriced().count(), 1, "it must not look free");
}

#[test]
fn with_more_traffic_a_cookie_costs_more_than_serverless() {
    // $6.132 ÷ ($0.1583604 − $0.01450656) = 42.63.
    assert!(bill(Setup::Cookie, 42.0).dollars < bill(Setup::ValkeyServerless, 42.0).dollars);
    assert!(bill(Setup::Cookie, 43.0).dollars > bill(Setup::ValkeyServerless, 43.0).dollars);
}

#[test]
fn what_the_documentation_says_about_the_order_is_so() {
    let at = |setup, rate| bill(setup, rate).dollars.unwrap();
    for rate in DECADES {
        assert!(at(Setup::Efs, rate) > at(Setup::DynamoDb, rate), "{rate}");
        assert!(at(Setup::Cookie, rate) < at(Setup::DynamoDb, rate), "{rate}");
        assert!(at(Setup::S3, rate) > 4.0 * at(Setup::DynamoDb, rate), "{rate}");
    }
    let dearer = Setup::ALL.into_iter().filter(|setup| at(*setup, 100.0) > at(Setup::S3, 100.0));
    assert_eq!(dearer.collect::<Vec<_>>(), [Setup::Efs]);
    // Near of 1 s saves a seventh.
    near(at(Setup::DynamoDbNear1s, 100.0) / at(Setup::DynamoDb, 100.0), 0.855_630_5);
    // $113.77 ÷ $7.58.
    near(at(Setup::DynamoDb, 100.0) / at(Setup::ValkeyServerless, 100.0), 15.004_05);
    // Memcached holds more in the same nodes, so with much traffic its smaller ones cost less.
    assert!(at(Setup::MemcachedNodes, 100.0) > at(Setup::ValkeyNodes, 100.0));
    assert!(at(Setup::MemcachedNodes, 1e4) > at(Setup::ValkeyServerless, 1e4));
}

#[test]
fn scripts_may_cost_some_more_before_nodes_are_cheaper() {
    // At 1,000 requests a second: ($50.966 − $33.202) ÷ (657 million writes × $0.0023) are 11.76
    // ECPUs on top of the two that a write of 2 KB is taken to cost.
    let [nodes, serverless] = [Setup::ValkeyNodes, Setup::ValkeyServerless]
        .map(|setup| bill(setup, 1e3).dollars.unwrap());
    let writes = Shop::default().load(1e3).writes() / 1e6;
    let more =
        (nodes - serverless) / (writes * prices().elasticache_valkey.dollars_per_million_ecpus);
    assert!((more - 11.76).abs() < 0.01, "{more}");
}

#[test]
fn memory_has_no_bill_of_its_own() {
    is(&bill(Setup::Memory, 1e4), &[], Some(0.0));
}

#[test]
fn in_one_zone_nothing_crosses() {
    let shop = Shop { zones: 1.0, ..Shop::default() };
    let bill = Setup::ValkeyNodes.bill(&shop, 1.0, &prices(), &types());
    assert!(bill.parts[1].amount.abs() < 1e-12);
}

#[test]
fn bills_cross_where_both_cost_the_same() {
    let found = crossings(&Shop::default(), &prices(), &types());
    let at = |below: &str, above: &str| {
        let is_it = |crossing: &&Crossing| (crossing.below, crossing.above) == (below, above);
        let crossing = found.iter().find(is_it);
        crossing.map(|crossing| (crossing.requests_per_second, crossing.dollars))
    };
    // $6.132 ÷ ($1.13770605 − $0.01450656), and $91.25 ÷ ($1.13770605 − $0.02144448).
    let (rate, dollars) = at("dynamodb", "valkey-serverless").unwrap();
    near(rate, 5.459_404);
    near(dollars, 6.211_197);
    near(at("dynamodb", "redis-serverless").unwrap().0, 81.746_07);
    // $18.688 ÷ ($1.13770605 − $0.03227784), and $23.36 for Memcached.
    let (rate, dollars) = at("dynamodb", "valkey-nodes").unwrap();
    near(rate, 16.905_67);
    near(dollars, 19.233_68);
    near(at("dynamodb", "memcached-nodes").unwrap().0, 21.132_08);
    // $6.132 ÷ ($6.2110228 − $0.01450656), and $18.688 ÷ ($6.2110228 − $0.03227784).
    near(at("efs", "valkey-serverless").unwrap().0, 0.989_588);
    near(at("efs", "valkey-nodes").unwrap().0, 3.024_563);
    // $27.96 ÷ ($1.13770605 − $0.03227784), and $27.96 ÷ ($6.2110228 − $0.03227784).
    let (rate, dollars) = at("dynamodb", "rds").unwrap();
    near(rate, 25.293_35);
    near(dollars, 28.776_40);
    near(at("efs", "rds").unwrap().0, 4.525_189);
    // $87.60 ÷ ($1.13770605 − $0.16385348).
    near(at("dynamodb", "aurora").unwrap().0, 89.952_02);
    assert_eq!(at("valkey-serverless", "dynamodb"), None);
    for crossing in &found {
        for id in [crossing.below, crossing.above] {
            // With late reads, and in one zone.
            assert!(!["dynamodb-near-1s", "dynamodb-near-5s", "s3-express"].contains(&id), "{id}");
        }
    }
    assert!(found.is_sorted_by_key(|crossing| crossing.requests_per_second));
}

#[test]
fn a_step_to_larger_nodes_is_not_a_point_where_two_cost_the_same() {
    // At 1,230 requests a second Valkey needs a larger type, and memcached does not. So its bill
    // jumps over that of memcached, from $58 to $77 over $63.
    let (below, above) = (bill(Setup::ValkeyNodes, 1_229.0), bill(Setup::ValkeyNodes, 1_231.0));
    assert!(below.dollars < bill(Setup::MemcachedNodes, 1_229.0).dollars);
    assert!(above.dollars > bill(Setup::MemcachedNodes, 1_231.0).dollars);
    let found = crossings(&Shop::default(), &prices(), &types());
    assert!(found.iter().all(|crossing| crossing.below != "valkey-nodes"), "{found:?}");
    // Serverless for Redis OSS is cheaper than these nodes in some places between, and only there.
    assert!(
        found.iter().all(|crossing| crossing.above != "valkey-nodes" || crossing.dollars < 20.0)
    );
}

#[test]
fn the_cheapest_changes_at_the_crossing() {
    let at = |rate| cheapest(&Shop::default(), rate, &prices(), &types());
    assert_eq!(at(5.45), Some(Setup::DynamoDb));
    assert_eq!(at(5.47), Some(Setup::ValkeyServerless));
    assert_eq!(at(MOST), Some(Setup::ValkeyServerless));
}

#[test]
fn in_one_zone_nodes_of_valkey_become_the_cheapest() {
    // $18.688 ÷ ($0.01450656 + $0.0186951 for 327,360 bytes): Serverless bills more than its least
    // size from 328 requests a second on.
    let shop = Shop { zones: 1.0, ..Shop::default() };
    let found = crossings(&shop, &prices(), &types());
    let is_it = |crossing: &&Crossing| {
        (crossing.below, crossing.above) == ("valkey-serverless", "valkey-nodes")
    };
    near(found.iter().find(is_it).unwrap().requests_per_second, 562.863_4);
    assert_eq!(cheapest(&shop, 562.0, &prices(), &types()), Some(Setup::ValkeyServerless));
    assert_eq!(cheapest(&shop, 564.0, &prices(), &types()), Some(Setup::ValkeyNodes));
}

#[test]
fn nodes_have_a_price_to_stay_below() {
    // The cheapest at 100 requests a second is Valkey Serverless: $6.132 + $1.450656.
    let found = rival(&Shop::default(), 100.0, &prices(), &types()).unwrap();
    assert_eq!(
        (found.beats, found.nodes.node_type.as_str()),
        ("valkey-serverless", "cache.t4g.micro")
    );
    near(found.dollars_per_hour, 7.582_656 / 1_460.0);
    near(found.gb_between_zones, 322.778_4);
    near(found.listed_dollars_per_hour.unwrap(), 0.0128);
    let without = rival(&Shop::default(), 100.0, &fewer_prices(), &types()).unwrap();
    assert_eq!(without.listed_dollars_per_hour, None);
}

#[test]
fn rates_are_even_on_a_logarithmic_scale() {
    let rates = rates();
    assert_eq!(rates.len(), 201);
    near(rates[0], FEWEST);
    near(rates[200], MOST);
    near(rates[40], 1.0);
}
