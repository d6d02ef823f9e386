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

/// The same prices, with invented ones for all that the file has none of.
fn every_price() -> Prices {
    let text = include_str!("../../../../docs/aws-prices.json");
    let mut file: serde_json::Value = serde_json::from_str(text).unwrap();
    let origin = |more: serde_json::Value| {
        let mut all = serde_json::json!({"billing": "b", "as_of": "2026", "source": "s"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    file["elasticache_nodes"] = origin(serde_json::json!({
        "dollars_per_hour": {"cache.t4g.micro": 0.01, "cache.m7g.large": 0.1}
    }));
    file["traffic"] = origin(serde_json::json!({
        "dollars_per_gb_between_zones": 0.5, "dollars_per_gb_to_internet": 0.25
    }));
    file["dynamodb"]["dollars_per_gb_month"] = 0.125.into();
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
    is(&bill(Setup::DynamoDb, 1.0), &parts, Some(1.133_325));
    near(bill(Setup::DynamoDb, 10_000.0).dollars.unwrap(), 11_333.25);
    // With a price for storage: 0.0175242 GB × $0.125.
    let whole = Setup::DynamoDb.bill(&Shop::default(), 1.0, &every_price(), &types());
    near(whole.dollars.unwrap(), 1.133_325 + 0.002_190_525);
    assert_eq!(whole.unpriced().count(), 0);
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
fn efs_meters_each_nfs_request_as_four_kilobytes() {
    // Loads: 2,496,600 × 16 KB. New sessions: 131,400 × 28 KB, and other changes 525,600 × 60 KB.
    // Files of 6 KB: 120 live ones, and 0.05 × 3,660 that wait for the sweeper.
    let parts = [
        ("GB read", 38.095_093),
        ("GB written", 3.508_759 + 30.075_073),
        ("GB stored", 303.0 * 6_144.0 / 1_073_741_824.0),
    ];
    // $1.1428528 + $2.0150299 + $0.0005201.
    is(&bill(Setup::Efs, 1.0), &parts, Some(3.158_402_8));
}

#[test]
fn nodes_are_paid_by_the_hour_and_without_their_price_there_is_no_sum() {
    // Half of 3,153,600 commands of 2,198 bytes cross: 3.22776 GB.
    let parts = [("node hours", 1_460.0), ("GB between zones", 3.227_764)];
    let bill = bill(Setup::ValkeyNodes, 1.0);
    is(&bill, &parts, None);
    assert_eq!(bill.unpriced().count(), 2);
    // 1,460 × $0.01 + 3.22776 × $0.5.
    let priced = |rate| Setup::ValkeyNodes.bill(&Shop::default(), rate, &every_price(), &types());
    is(&priced(1.0), &parts, Some(14.6 + 1.613_882));
    assert_eq!(priced(1.0).nodes.unwrap().node_type, "cache.t4g.micro");
    // 3.27 GB of sessions need more than the three quarters of a cache.t4g.medium.
    assert_eq!(priced(1e4).nodes.unwrap().node_type, "cache.m7g.large");
    near(priced(1e4).dollars.unwrap(), 146.0 + 16_138.82);
}

#[test]
fn a_type_without_a_price_leaves_the_sum_open() {
    let shop = Shop { session_bytes: 100_000.0, ..Shop::default() };
    let bill = Setup::ValkeyNodes.bill(&shop, 100.0, &every_price(), &types());
    assert_eq!(bill.nodes.as_ref().unwrap().node_type, "cache.t4g.medium");
    assert_eq!(bill.dollars, None);
}

#[test]
fn a_cookie_is_paid_on_the_wire() {
    // 657,000 cookies of 91 + 2,048 × 4 ÷ 3 + 54 bytes.
    let parts = [("GB to visitors", 657_000.0 * 2_875.666_667 / 1_073_741_824.0)];
    let bill = bill(Setup::Cookie, 1.0);
    is(&bill, &parts, Some(0.0));
    assert_eq!(bill.unpriced().count(), 1, "it must not look free");
    let priced = Setup::Cookie.bill(&Shop::default(), 1.0, &every_price(), &types());
    near(priced.dollars.unwrap(), 0.439_889_7);
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
    // $6.132 ÷ ($1.133325 − $0.01450656), and $91.25 ÷ ($1.133325 − $0.02144448).
    let (rate, dollars) = at("dynamodb", "valkey-serverless").unwrap();
    near(rate, 5.480_780);
    near(dollars, 6.211_505);
    near(at("dynamodb", "redis-serverless").unwrap().0, 82.068_15);
    // $6.132 ÷ ($3.1584028 − $0.01450656).
    near(at("efs", "valkey-serverless").unwrap().0, 1.950_440);
    assert_eq!(at("valkey-serverless", "dynamodb"), None);
    assert!(found.is_sorted_by_key(|crossing| crossing.requests_per_second));
}

#[test]
fn the_cheapest_changes_at_the_crossing() {
    let at = |rate| cheapest(&Shop::default(), rate, &prices(), &types());
    assert_eq!(at(5.48), Some(Setup::DynamoDb));
    assert_eq!(at(5.49), Some(Setup::ValkeyServerless));
}

#[test]
fn nodes_without_a_price_have_a_price_to_stay_below() {
    // The cheapest at 100 requests a second is Valkey Serverless: $6.132 + $1.450656.
    let rival = rival(&Shop::default(), 100.0, &prices(), &types()).unwrap();
    assert_eq!(
        (rival.beats, rival.nodes.node_type.as_str()),
        ("valkey-serverless", "cache.t4g.micro")
    );
    near(rival.dollars_per_hour, 7.582_656 / 1_460.0);
    near(rival.gb_between_zones, 322.776_4);
}

#[test]
fn rates_are_even_on_a_logarithmic_scale() {
    let rates = rates();
    assert_eq!(rates.len(), 201);
    near(rates[0], FEWEST);
    near(rates[200], MOST);
    near(rates[40], 1.0);
}
