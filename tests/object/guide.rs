//! Compares what the guide says with what the store sends, and computes its costs from the dated prices.
//!
//! ```text
//! UPDATE_DOCS=1 cargo test --all-features --test object guide    # writes the table of costs anew
//! cargo test --all-features --test object latency -- --ignored --nocapture    # measures
//! ```

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use cloakroom::store::{Replaced, SessionStore};
use cloakroom_testing::MINUTE;
use cloakroom_testing::buckets::Emulator;
use object_store::{ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use serde_json::Value;

use super::buckets::{Bucket, created, entry, key, path};
use super::counts::REQUESTS;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/object.md");
const PRICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/aws-prices.json");
const KB: f64 = 1_024.0;
const GB: f64 = KB * KB * KB;

fn page() -> String {
    fs::read_to_string(PAGE).unwrap()
}

/// The prices of one store, in dollars.
struct Prices(Value);

impl Prices {
    fn of(service: &str) -> Self {
        let file: Value = serde_json::from_str(&fs::read_to_string(PRICES).unwrap()).unwrap();
        Self(file[service].clone())
    }

    fn number(&self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap_or_else(|| panic!("{name}"))
    }

    /// Dollars for a million times these requests, of sessions of so many bytes.
    fn objects(&self, gets: f64, puts: f64, bytes: f64) -> f64 {
        let read = self.number("dollars_per_million_gets")
            + 1e6 * bytes / GB * self.number("dollars_per_gb_read");
        let written = self.number("dollars_per_million_puts")
            + 1e6 * bytes / GB * self.number("dollars_per_gb_written");
        gets * read + puts * written
    }

    fn items(&self, reads: f64, writes: f64, bytes: f64) -> f64 {
        let read = (bytes / (4.0 * KB)).ceil() * self.number("dollars_per_million_read_units");
        let written = (bytes / KB).ceil() * self.number("dollars_per_million_write_units");
        reads * read + writes * written
    }
}

/// Reads and writes of one kind of request: gets and puts of a bucket, loads and writes of DynamoDB.
struct Kind {
    name: String,
    bucket: (f64, f64),
    items: (f64, f64),
}

fn kinds() -> Vec<Kind> {
    let count =
        |sent: &[&str], method: &str| sent.iter().filter(|is| **is == method).count() as f64;
    let mut kinds: Vec<_> = REQUESTS
        .iter()
        .map(|(name, sent)| {
            let bucket = (count(sent, "GET"), count(sent, "PUT"));
            // DynamoDB moves a timeout without a read of its own.
            let items = (bucket.0.min(1.0), bucket.1);
            Kind { name: (*name).to_owned(), bucket, items }
        })
        .collect();
    let of = |name: &str| kinds.iter().find(|kind| kind.name == name).unwrap();
    let (read, touch) = (of("read"), of("read that moves the idle timeout"));
    let mix = |read: (f64, f64), touch: (f64, f64)| {
        ((read.0 * 19.0 + touch.0) / 20.0, (read.1 * 19.0 + touch.1) / 20.0)
    };
    let twenty = Kind {
        name: "reads, of which one in twenty moves the idle timeout".to_owned(),
        bucket: mix(read.bucket, touch.bucket),
        items: mix(read.items, touch.items),
    };
    let swept = Kind {
        name: "removal by the sweep (by a lifecycle rule: free)".to_owned(),
        bucket: (1.0, 1.0),
        items: (0.0, 0.0),
    };
    kinds.extend([twenty, swept]);
    kinds
}

fn costs() -> String {
    let (standard, express, items) =
        (Prices::of("s3"), Prices::of("s3_express"), Prices::of("dynamodb"));
    let mut text = "Dollars for a million requests of each kind in us-east-1, with sessions of 2 KB and of 100 KB \
                    (prices of `docs/aws-prices.json`):\n\n\
                    | request | GETs + PUTs | S3 Standard | Express, 2 KB | Express, 100 KB | DynamoDB, 2 KB | DynamoDB, 100 KB |\n\
                    |---|---|---|---|---|---|---|\n"
        .to_owned();
    for Kind { name, bucket: (gets, puts), items: (reads, writes) } in kinds() {
        let [small, large] = [2.0 * KB, 100.0 * KB];
        let row = [
            standard.objects(gets, puts, small),
            express.objects(gets, puts, small),
            express.objects(gets, puts, large),
            items.items(reads, writes, small),
            items.items(reads, writes, large),
        ];
        let row = row.map(|dollars| format!("${dollars:.2}")).join(" | ");
        writeln!(text, "| {name} | {gets} + {puts} | {row} |").unwrap();
    }
    let month = |prices: &Prices| prices.number("dollars_per_gb_month") * 1e6 * 2.0 * KB / GB;
    let lists = 256.0 * 24.0 * 30.0 / 1e6;
    writeln!(
        text,
        "\nA million sessions of 2 KB take ${:.2} a month in S3 Standard, ${:.2} in Express One Zone and ${:.2} in DynamoDB. \
         The sweep's lists cost ${:.2} a month in S3 Standard and ${:.2} in Express, and more from 256,000 sessions on. \
         In S3 Standard a request costs the same for every size; a write to it is cheaper than one to DynamoDB for sessions \
         of more than {} KB, and a write to Express for more than {} KB.",
        month(&standard),
        month(&express),
        month(&items),
        lists * standard.number("dollars_per_million_puts"),
        lists * express.number("dollars_per_million_puts"),
        cheaper_above(&standard, &items),
        cheaper_above(&express, &items),
    )
    .unwrap();
    text
}

/// The size in KB above which a write to the bucket is cheaper than one to DynamoDB.
fn cheaper_above(bucket: &Prices, items: &Prices) -> u32 {
    let is_cheaper = |kb: u32| {
        let bytes = f64::from(kb) * KB + 1.0;
        bucket.objects(0.0, 1.0, bytes) < items.items(0.0, 1.0, bytes)
    };
    (0..400).find(|&kb| is_cheaper(kb)).unwrap()
}

#[test]
fn the_costs_in_the_guide_are_right() {
    let page = page();
    let (before, rest) = page.split_once("<!-- costs -->\n").unwrap();
    let (written, after) = rest.split_once("<!-- end of costs -->").unwrap();
    let generated = costs();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{before}<!-- costs -->\n{generated}<!-- end of costs -->{after}");
        fs::write(PAGE, page).unwrap();
    } else {
        assert_eq!(written, generated, "UPDATE_DOCS=1 writes it anew");
    }
}

/// Returns the blocks of code in this language.
fn blocks(language: &str) -> Vec<String> {
    let page = page();
    let begin = format!("```{language}\n");
    let blocks =
        page.split(&begin).skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned());
    blocks.collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn the_policy_allows_exactly_the_operations_that_are_called() {
    let [_, policy] = &blocks("json")[..] else { panic!("a rule and a policy") };
    let policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    let allowed: BTreeSet<_> = actions.map(|action| action.as_str().unwrap().to_owned()).collect();

    let bucket = Bucket::on(Emulator::Ministack).await;
    let store = bucket.builder().open().await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    store.delete(&key(1)).await.unwrap();
    store.sweep().await.unwrap();
    let action = |operation: &str| match operation {
        "GET" => "s3:GetObject",
        "PUT" => "s3:PutObject",
        "DELETE" => "s3:DeleteObject",
        "LIST" => "s3:ListBucket",
        other => panic!("{other}"),
    };
    let called = bucket.wire.take();
    let called: BTreeSet<_> = called.iter().map(|sent| action(sent).to_owned()).collect();
    assert_eq!(allowed, called);
}

#[test]
fn the_lifecycle_rule_spares_what_lives() {
    let [rule, _] = &blocks("json")[..] else { panic!("a rule and a policy") };
    let rule: Value = serde_json::from_str(rule).unwrap();
    let days = rule["Rules"][0]["Expiration"]["Days"].as_u64().unwrap();
    // The longest life of an entry without a write is the absolute lifetime.
    let longest = Duration::from_secs(12 * 60 * 60);
    assert!(Duration::from_secs((days - 1) * 24 * 60 * 60) >= longest);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Measures each command beside the bare requests that it is made of.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack, and measures"]
async fn latency_of_commands_beside_bare_requests() {
    const ROUNDS: usize = 300;
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (store, client) = (bucket.store().await, bucket.client());
    let (mine, theirs) = (key(1), path(&key(2)));
    let mut version = created(&store, &mine, &entry(1)).await;
    let body = || "x".repeat(2_048);
    let mut tag = client.put(&theirs, body().into()).await.unwrap().e_tag;
    let mut times: [Vec<Duration>; 5] = Default::default();
    for round in 0..ROUNDS {
        let mut timed = |at: usize, begun: Instant| times[at].push(begun.elapsed());
        let begun = Instant::now();
        client.get(&theirs).await.unwrap().bytes().await.unwrap();
        timed(0, begun);
        let begun = Instant::now();
        store.load(&mine).await.unwrap().unwrap();
        timed(1, begun);
        let begun = Instant::now();
        let update = PutMode::Update(UpdateVersion { e_tag: tag.take(), version: None });
        let payload = format!("{}{round}", body()).into();
        let put = client.put_opts(&theirs, payload, PutOptions::from(update)).await.unwrap();
        tag = put.e_tag;
        timed(2, begun);
        let mut new = entry(u8::try_from(round % 250).unwrap() + 2);
        new.bytes = body().into();
        let begun = Instant::now();
        let Replaced::Done(done) = store.replace(&mine, &version, &new).await.unwrap() else {
            panic!("nobody else writes")
        };
        timed(3, begun);
        version = done;
        let later = new.deadline.saturating_add(MINUTE);
        let begun = Instant::now();
        store.touch(&mine, &version, later).await.unwrap();
        timed(4, begun);
        let loaded = store.load(&mine).await.unwrap().unwrap();
        version = loaded.version;
    }
    let [get, load, put, replace, touch] = times.map(|times| median(times).as_secs_f64() * 1e6);
    println!("| command | requests | as a multiple of its bare requests |\n|---|---|---|");
    println!("| load | GET | {:.2} |", load / get);
    println!("| replace | PUT | {:.2} |", replace / put);
    println!("| touch | GET, PUT | {:.2} |", touch / (get + put));
    println!("bare: GET {get:.0} µs, PUT {put:.0} µs");
}
