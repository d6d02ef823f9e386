//! Tests of the pauses, and of what they make of many servers at once.

use super::*;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

#[test]
fn pauses_double_with_each_failure_up_to_the_longest() {
    for (failures, millis) in
        [(0, 50), (1, 50), (2, 100), (3, 200), (5, 800), (6, 1_000), (u32::MAX, 1_000)]
    {
        assert_eq!(BACKOFF.pause(failures, 0).as_millis(), millis, "{failures}");
        assert_eq!(BACKOFF.pause(failures, 255).as_millis(), 2 * millis, "{failures}");
    }
}

#[test]
fn the_time_between_two_sweeps_is_about_the_interval() {
    let minute = Duration::from_secs(60);
    assert_eq!(around(minute, 0), Duration::from_secs(30));
    assert_eq!(around(minute, 255).as_secs_f64().round(), 90.0);
    assert!(around(Duration::MAX, 255) > Duration::from_secs(1));
}

#[test]
fn a_larger_random_number_gives_a_longer_pause() {
    let pauses: Vec<_> = (0..=255).map(|random| BACKOFF.pause(3, random)).collect();
    assert!(pauses.is_sorted_by(|one, next| one < next));
}

/// Servers that connect again after an outage, on paper.
///
/// Each has one connection, which breaks at the same moment. An attempt is refused at once, until the store is
/// back after [`OUTAGE`]; then the next one succeeds.
struct Storm {
    /// When somebody tried to connect, in milliseconds since the outage began.
    attempts: Vec<u64>,
}

const SERVERS: u64 = 1_000;
const OUTAGE: u64 = 30_000;
/// By then the pauses are the longest.
const SETTLED: u64 = 10_000;

impl Storm {
    /// `pause` gets the server, how often it has failed in a row, and a random number.
    fn play(mut pause: impl FnMut(u64, u32, u64) -> Duration) -> Self {
        let (mut attempts, mut random) = (Vec::new(), 0);
        for server in 0..SERVERS {
            let (mut now, mut failures) = (0, 0);
            attempts.push(now);
            while now < OUTAGE {
                failures += 1;
                random = shuffled(random);
                now += u64::try_from(pause(server, failures, random).as_millis()).unwrap();
                attempts.push(now);
            }
        }
        attempts.sort_unstable();
        Self { attempts }
    }

    /// The most attempts within a time of this length, of those between two moments.
    fn most_within(&self, length: u64, from: u64, to: u64) -> usize {
        let between: Vec<_> =
            self.attempts.iter().filter(|at| (from..to).contains(at)).copied().collect();
        let (mut first, mut most) = (0, 0);
        for (number, at) in between.iter().enumerate() {
            while between[first] + length <= *at {
                first += 1;
            }
            most = most.max(number - first + 1);
        }
        most
    }

    fn row(&self, name: &str) -> String {
        let last = self.attempts.last().unwrap() - OUTAGE;
        format!(
            "| {name} | {} | {} | {} | {}.{} s |\n",
            self.most_within(1_000, 0, 1_000),
            self.most_within(1_000, SETTLED, OUTAGE),
            self.most_within(100, OUTAGE, u64::MAX),
            last / 1_000,
            last % 1_000 / 100
        )
    }
}

/// The next of a row of numbers that look random (SplitMix64), so that the table is the same in each run.
fn shuffled(seed: u64) -> u64 {
    let mut number = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn byte(random: u64) -> u8 {
    random.to_be_bytes()[0]
}

/// The pauses of the stores that connect by themselves.
const OURS: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(2_500));

/// The pause of the Redis store's client library: it adds up to a tenth of a second at random, and cuts the sum to
/// the longest pause.
fn of_the_redis_client(longest: Duration, failures: u32, random: u64) -> Duration {
    let doubled = Duration::from_millis(50).saturating_mul(1 << failures.saturating_sub(1).min(16));
    (doubled + Duration::from_millis(random % 100)).min(longest)
}

fn storms() -> [(&'static str, Storm); 4] {
    let most = Duration::from_secs(2);
    let own_longest = |server: u64| Backoff::new(most / 2, most).pause(1, byte(shuffled(!server)));
    [
        (
            "memcached, PostgreSQL: 50 ms to 2.5 s, at random",
            Storm::play(|_, failures, random| OURS.pause(failures, byte(random))),
        ),
        ("the same without chance", Storm::play(|_, failures, _| OURS.pause(failures, 0))),
        (
            "Redis: 50 ms to a longest pause of each server's own",
            Storm::play(|server, failures, random| {
                of_the_redis_client(own_longest(server), failures, random)
            }),
        ),
        (
            "the same with 2 s for all",
            Storm::play(|_, failures, random| of_the_redis_client(most, failures, random)),
        ),
    ]
}

/// `UPDATE_DOCS=1 cargo test --all-features --lib backoff` writes the table again.
#[test]
fn the_page_about_scale_has_the_storms() {
    const BEGIN: &str = "<!-- storms -->\n";
    let mut table = "| 1,000 servers, 30 s without the store | attempts in the first second \
                     | in the worst second from the tenth on | in the worst tenth of a second when it is back \
                     | all are back after |\n|---|---|---|---|---|\n"
        .to_owned();
    table.extend(storms().map(|(name, storm)| storm.row(name)));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scale.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once("<!-- end of storms -->").unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{table}<!-- end of storms -->{after}"))
            .unwrap();
    } else {
        assert_eq!(found, table, "UPDATE_DOCS=1 writes it again");
    }
}

#[test]
fn chance_spreads_the_attempts_of_many_servers() {
    let [ours, ours_in_step, redis, redis_in_step] = storms().map(|(_, storm)| storm);
    for (spread, in_step) in [(&ours, &ours_in_step), (&redis, &redis_in_step)] {
        let worst = |storm: &Storm| storm.most_within(1_000, SETTLED, OUTAGE);
        assert!(worst(spread) * 10 < worst(in_step) * 9, "{} {}", worst(spread), worst(in_step));
        let back = |storm: &Storm| storm.most_within(100, OUTAGE, u64::MAX);
        assert!(back(spread) * 2 < back(in_step), "{} {}", back(spread), back(in_step));
    }
}
