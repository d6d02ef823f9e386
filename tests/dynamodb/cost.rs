//! The capacity that requests consume, as the emulator counts it, and the table in the guide.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use cloakroom::store::{DynamoDbCapacity, DynamoDbStore};
use cloakroom::{Clock, Key, ManualClock, Session, SessionLayer};
use serde_json::Value;

use crate::emulator::Table;
use cloakroom_testing::{MINUTE, Visitor, patient, respond};

/// Read and write units.
type Units = (f64, f64);

/// The largest size of an item, and the units that a strongly consistent read and a write of it consume.
const SIZES: [(&str, usize, Units); 4] = [
    ("0.4 KB", 410, (1.0, 1.0)),
    ("2 KB", 2 * 1024, (1.0, 2.0)),
    ("6 KB", 6 * 1024, (2.0, 6.0)),
    ("100 KB", 100 * 1024, (25.0, 100.0)),
];
/// The bytes in the guest's item besides the value: the other parts of the record and of the item.
/// They are less than a kilobyte, so that the size above is the one that is billed.
const OVERHEAD: usize = 220;

struct Bill {
    store: DynamoDbStore,
    clock: ManualClock,
    layer: SessionLayer,
    paid: DynamoDbCapacity,
}

impl Bill {
    async fn open(eventual: bool) -> Self {
        let table = Table::in_process().await;
        let clock = ManualClock::at(Clock::system().now());
        let mut store = table.store().clock(clock.clone()).count_capacity();
        if eventual {
            store = store.eventually_consistent_reads();
        }
        let store = store.build().unwrap();
        let layer = SessionLayer::new(store.clone(), Key::from_bytes(&[7; 32]).unwrap());
        let layer = patient(layer.clock(clock.clone()));
        Self { store, clock, layer, paid: DynamoDbCapacity::default() }
    }

    /// Returns the units since the last call.
    fn units(&mut self) -> Units {
        let before = std::mem::replace(&mut self.paid, self.store.consumed_capacity().unwrap());
        let now = self.paid;
        (now.read_units - before.read_units, now.write_units - before.write_units)
    }
}

fn value(size: usize, letter: char) -> String {
    String::from(letter).repeat(size - OVERHEAD)
}

/// Returns the units of each kind of request, by its name in the guide.
async fn kinds(size: usize) -> Vec<(&'static str, Units)> {
    let mut bill = Bill::open(false).await;
    let mut eventual = Bill::open(true).await;
    let mut kinds = Vec::new();
    let set = |letter| async move |session: Session| session.insert("k", &value(size, letter));
    let get = async |session: Session| session.get::<String>("k").map(drop);

    let guest = Visitor::new(bill.layer.clone());
    guest.visit(set('a')).await.is_ok();
    kinds.push(("new session", bill.units()));
    guest.ask(async |_| respond(Ok(()))).await.is_ok();
    kinds.push(("untouched, or a forged cookie", bill.units()));
    guest.visit(get).await.is_ok();
    kinds.push(("read", bill.units()));
    let other = Visitor::new(eventual.layer.clone());
    other.visit(set('a')).await.is_ok();
    eventual.units();
    other.visit(get).await.is_ok();
    kinds.push(("read, eventually consistent", eventual.units()));
    bill.clock.advance(4 * MINUTE);
    guest.visit(get).await.is_ok();
    kinds.push(("read that moves the idle timeout", bill.units()));
    guest.visit(set('b')).await.is_ok();
    kinds.push(("write", bill.units()));
    guest
        .visit(async |session| {
            session.renew().unwrap();
            Ok(())
        })
        .await
        .is_ok();
    kinds.push(("login (renewal)", bill.units()));
    guest.visit(async |session| session.destroy().await).await.is_ok();
    kinds.push(("logout", bill.units()));
    kinds
}

fn expected(name: &str, (read, write): Units) -> Units {
    match name {
        "new session" => (0.0, write),
        "untouched, or a forged cookie" => (0.0, 0.0),
        "read" => (read, 0.0),
        "read, eventually consistent" => (read / 2.0, 0.0),
        "read that moves the idle timeout" | "write" | "logout" => (read, write),
        "login (renewal)" => (read, 2.0 * write),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn each_kind_of_request_consumes_exactly_these_units() {
    for (label, size, units) in SIZES {
        for (name, consumed) in kinds(size).await {
            assert_eq!(consumed, expected(name, units), "{name}, {label}");
        }
    }
}

/// With `UPDATE_DOCS=1` in the environment the test rewrites the table instead.
#[tokio::test]
async fn the_tables_in_the_guide_are_right() {
    let mut columns = Vec::new();
    for (_, size, _) in SIZES {
        columns.push(kinds(size).await);
    }
    let page = root().join("docs/dynamodb.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- costs -->\n").unwrap();
    let (written, after) = rest.split_once("<!-- end of costs -->").unwrap();
    let generated = tables(&columns);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let text = format!("{before}<!-- costs -->\n{generated}<!-- end of costs -->{after}");
        fs::write(&page, text).unwrap();
    } else {
        assert_eq!(written, generated, "UPDATE_DOCS=1 writes it anew");
    }
}

fn tables(columns: &[Vec<(&'static str, Units)>]) -> String {
    let prices = Prices::read();
    let mut rows: Vec<(String, Vec<Units>)> = Vec::new();
    for (row, (name, _)) in columns[0].iter().enumerate() {
        rows.push(((*name).to_owned(), columns.iter().map(|kinds| kinds[row].1).collect()));
    }
    let of = |name: &str| rows.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let twenty = of("read").into_iter().zip(of("new session"));
    let coalesced = twenty.map(|((read, _), (_, write))| (read, write / 20.0)).collect();
    let elsewhere = [
        ("here: reads, of which one in twenty moves the idle timeout", coalesced),
        ("elsewhere: a touch on every request", of("read that moves the idle timeout")),
        (
            "elsewhere: a lock around every request (two updates)",
            of("new session").into_iter().map(|(_, write)| (0.0, 2.0 * write)).collect(),
        ),
    ];
    rows.extend(elsewhere.map(|(name, units)| (name.to_owned(), units)));

    let mut text = format!(
        "Units (read + write), and dollars for a million such requests with {} billing in {}, at\n\
         ${} for a million read units and ${} for a million write units ({}):\n\n| request |",
        prices.billing, prices.region, prices.read, prices.write, prices.as_of
    );
    SIZES.iter().for_each(|(label, ..)| write!(text, " {label} |").unwrap());
    text.push_str("\n|---|---|---|---|---|\n");
    for (name, units) in rows {
        write!(text, "| {name} |").unwrap();
        for (read, write) in units {
            let dollars = read * prices.read + write * prices.write;
            write!(text, " {read} + {write}: ${dollars:.3} |").unwrap();
        }
        text.push('\n');
    }
    text
}

struct Prices {
    region: String,
    billing: String,
    as_of: String,
    read: f64,
    write: f64,
}

impl Prices {
    fn read() -> Self {
        let text = fs::read_to_string(root().join("docs/aws-prices.json")).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let prices = &file["dynamodb"];
        let text = |name: &str| prices[name].as_str().unwrap().to_owned();
        let number = |name: &str| prices[name].as_f64().unwrap();
        Self {
            region: file["region"].as_str().unwrap().to_owned(),
            billing: text("billing"),
            as_of: text("as_of"),
            read: number("dollars_per_million_read_units"),
            write: number("dollars_per_million_write_units"),
        }
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A write whose condition does not hold costs as much as one that is applied, but DynamoDB does not
/// report it.
#[tokio::test]
async fn capacity_is_counted_only_when_asked() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    store.check().await.unwrap();
    assert_eq!(store.consumed_capacity(), None);
}
