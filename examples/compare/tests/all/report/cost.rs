//! Compares estimates with values computed by hand from the prices in `docs/aws-prices.json`.

use compare::cost::{Basis, Estimate, Mix};
use compare::prices::Prices;
use compare::results::{CommandsPerRequest, Measured, Sharing};

use super::sample;

const READS: Mix = Mix { writes: 0.0, measured: true };
const WRITES: Mix = Mix { writes: 1.0, measured: true };

fn strategy(id: &str, sharing: Sharing) -> Measured {
    sample::measured(sample::name(id, id, sharing), 0.0)
}

fn dollars(id: &str, mix: Mix) -> [f64; 3] {
    let prices = Prices::read().unwrap();
    Estimate::for_strategy(&strategy(id, Sharing::Store), mix, &prices).unwrap().dollars
}

fn assert_near(found: [f64; 3], expected: [f64; 3]) {
    for (found, expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }
}

#[test]
fn dynamodb_bills_reads_by_four_kilobytes_and_writes_by_one() {
    // 1, 1 and 2 read units at $0.125.
    assert_near(dollars("dynamodb", READS), [0.125, 0.125, 0.25]);
    // The same, and 1, 2 and 6 write units at $0.625.
    assert_near(dollars("dynamodb", WRITES), [0.75, 1.375, 4.0]);
}

#[test]
fn elasticache_bills_kilobytes_moved_and_at_least_one() {
    // 1, 2 and 6 ECPUs at $0.0023, and for a change twice as many.
    assert_near(dollars("redis", READS), [0.0023, 0.0046, 0.0138]);
    assert_near(dollars("redis", WRITES), [0.0046, 0.0092, 0.0276]);
    assert_near(dollars("redis-failover", READS), dollars("redis", READS));
    // At $0.0034.
    assert_near(dollars("memcached", READS), [0.0034, 0.0068, 0.0204]);
}

#[test]
fn efs_meters_no_request_below_four_kilobytes_and_no_file_below_thirty_two() {
    // Three requests of 4 KB, and one with the file, which counts as 32 KB. A GB has 2^20 KB.
    let read = |kb: f64| kb * 1e6 / 1_048_576.0 * 0.03;
    assert_near(dollars("file", READS), [read(44.0); 3]);
    // Fifteen more, as writes.
    let write = |kb: f64| kb * 1e6 / 1_048_576.0 * 0.06;
    let expected = [read(44.0) + write(88.0); 3];
    assert_near(dollars("file", WRITES), expected);
    assert!((expected[1] - 6.294_250_488).abs() < 1e-6, "{expected:?}");
    assert_near(dollars("nfs", WRITES), expected);
}

#[test]
fn s3_bills_a_get_and_a_put_of_any_size() {
    assert_near(dollars("s3", READS), [0.4; 3]);
    assert_near(dollars("s3", WRITES), [5.4; 3]);
}

#[test]
fn near_saves_loads_of_visitors_who_pause() {
    let prices = Prices::read().unwrap();
    let estimate = |id: &str, mix| {
        let strategy = strategy(id, Sharing::Store);
        let estimate = Estimate::for_strategy(&strategy, mix, &prices).unwrap();
        assert_eq!(estimate.basis, Basis::Visits);
        estimate.dollars
    };
    // 9 of 19 loads are left within a second, and 4 within five. What was counted has no part in it.
    let [one, five] = [9.0 / 19.0 * 0.125, 4.0 / 19.0 * 0.125];
    assert_near(estimate("near-dynamodb", READS), [one, one, 2.0 * one]);
    assert_near(estimate("near-dynamodb-5s", READS), [five, five, 2.0 * five]);
    // A write is 1, 2 or 6 units as without it.
    let written = [one + 0.625, one + 1.25, 2.0 * one + 3.75];
    assert_near(estimate("near-dynamodb", WRITES), written);
    let near = estimate("near-redis", WRITES)[1];
    assert_near([near; 3], [(1.0 + 9.0 / 19.0) * 0.0046; 3]);
}

#[test]
fn a_mix_lies_between() {
    let quarter = Mix { writes: 0.25, measured: true };
    // 0.75 × $0.125 + 0.25 × $1.375.
    assert_near([dollars("dynamodb", quarter)[1]; 3], [0.4375; 3]);
}

#[test]
fn commands_that_were_counted_are_what_is_billed() {
    let mut strategy = strategy("dynamodb", Sharing::Store);
    let prices = Prices::read().unwrap();
    let counted = CommandsPerRequest {
        untouched: 0.0,
        read: 1.5,
        write: 3.0,
        login: 3.0,
        logout: 2.0,
        steady: 2.0,
    };
    strategy.store_commands = Some(counted);
    let estimate = Estimate::for_strategy(&strategy, READS, &prices).unwrap();
    assert_eq!(estimate.basis, Basis::Counted);
    assert_near(estimate.dollars, [0.1875, 0.1875, 0.375]);
    // One load and two writes: a read takes a second command only on a busy machine.
    let estimate = Estimate::for_strategy(&strategy, WRITES, &prices).unwrap();
    assert_near(estimate.dollars, [0.125 + 1.25, 0.125 + 2.5, 0.25 + 7.5]);

    for none in [None, Some(CommandsPerRequest { read: f64::NAN, ..counted })] {
        strategy.store_commands = none;
        let estimate = Estimate::for_strategy(&strategy, WRITES, &prices).unwrap();
        assert_eq!(estimate.basis, Basis::Promised);
        assert_near(estimate.dollars, [0.75, 1.375, 4.0]);
    }
}

#[test]
fn without_a_store_there_is_nothing_to_pay_and_without_a_price_no_figure() {
    let prices = Prices::read().unwrap();
    for sharing in [Sharing::None, Sharing::Copies, Sharing::Cookie] {
        let estimate = Estimate::for_strategy(&strategy("any", sharing), WRITES, &prices).unwrap();
        assert_eq!((estimate.dollars, estimate.basis), ([0.0; 3], Basis::NoStore));
    }
    assert_eq!(Estimate::for_strategy(&strategy("tape", Sharing::Store), WRITES, &prices), None);
}

#[test]
fn the_mix_is_what_the_steady_phases_show() {
    let mix_at = |steady: &[f64]| {
        let strategies = steady.iter().map(|steady| {
            let mut strategy = strategy("redis", Sharing::Store);
            strategy.store_commands.as_mut().unwrap().steady = *steady;
            compare::results::Outcome::Measured(Box::new(strategy))
        });
        let mut comparison = sample::empty();
        comparison.strategies = strategies.collect();
        Mix::from_comparison(&comparison)
    };
    assert_eq!(mix_at(&[1.25, 1.75]), Mix { writes: 0.5, measured: true });
    // Conflicts cost a command more.
    assert_eq!(mix_at(&[2.5]), Mix { writes: 1.0, measured: true });
    assert_eq!(mix_at(&[f64::NAN]), Mix { writes: 0.2, measured: false });
    assert_eq!(mix_at(&[]), Mix { writes: 0.2, measured: false });
    let near = strategy("near-redis", Sharing::Store);
    assert!(!Mix::from_comparison(&sample::one(near)).measured, "its reads are not commands");
}

#[test]
fn every_price_has_a_date_and_a_source() {
    for (service, price, origin) in Prices::read().unwrap().origins() {
        assert!(price.starts_with("$0."), "{service}");
        assert!(origin.as_of.contains("20"), "{service}");
        assert!(!origin.source.is_empty() && !origin.billing.is_empty(), "{service}");
    }
}
