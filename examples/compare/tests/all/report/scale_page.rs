//! The tables of `docs/scale.md` follow from the sizes and prices of `month`, and from constants that are read out of
//! the library's sources.
//!
//! ```text
//! UPDATE_DOCS=1 cargo test -p compare --test all scale_page
//! ```

use std::fs;

use compare::cost::{NFS_CHANGE, NFS_LOAD};
use compare::month::{Engine, HOURS, NFS_CREATION, NodeTypes, Nodes, Place, Setup, Shop};
use compare::prices::Prices;
use compare::report::cell;
use compare::report::figures::{amount, bytes, rate};

use super::bills_page::{check, row};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const PAGE: &str = "docs/scale.md";
const SESSIONS: [f64; 2] = [1e7, 1e9];
const SERVERS: f64 = 1_000.0;
const REQUESTS: f64 = 1e6;
const GB: f64 = 1024.0 * 1024.0 * 1024.0;

/// Returns the number behind these words in a source, where they stand once with a number behind them.
fn number(file: &str, words: &str) -> f64 {
    let text = fs::read_to_string(format!("{ROOT}/{file}")).unwrap();
    let is_digit = |c: char| c.is_ascii_digit() || c == '_';
    let behind = text.split(words).skip(1).map(|rest| rest.split(|c| !is_digit(c)).next().unwrap());
    let found: Vec<f64> =
        behind.filter_map(|digits| digits.replace('_', "").parse().ok()).collect();
    assert_eq!(found.len(), 1, "{file}: {words}");
    found[0]
}

/// Writes a size with the unit that leaves a few digits.
fn size(figure: f64) -> String {
    match figure / GB {
        0.0 => "none".to_owned(),
        ..1000.0 => bytes(figure),
        gigabytes => format!("{:.1} TB", gigabytes / 1024.0),
    }
}

fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = row(heads.iter().map(|head| (*head).to_owned()));
    text += &format!("|{}\n", "---|".repeat(heads.len()));
    text.extend(rows.into_iter().map(row));
    text
}

fn numbered(nodes: Option<Nodes>, otherwise: &str) -> String {
    nodes.map_or(otherwise.to_owned(), |nodes| {
        let (_, short) = nodes.node_type.split_once('.').unwrap();
        format!("{} × {short}", nodes.number)
    })
}

fn session() -> f64 {
    Shop::default().session_bytes
}

#[test]
fn the_page_has_the_room_of_ten_million_and_of_a_billion() {
    let types = NodeTypes::read().unwrap();
    let nodes = |place, bytes| match place {
        Place::Redis => numbered(types.holding(bytes, Engine::Valkey), ""),
        Place::Memcached => numbered(types.holding(bytes, Engine::Memcached), ""),
        Place::PostgreSql | Place::MySql => {
            numbered(types.databases.holding(bytes, 0.0), "no class in the file holds it")
        }
        Place::Server => format!("{} on each of 1,000 servers", size(bytes / SERVERS)),
        Place::DynamoDb | Place::Files | Place::Bucket => "nothing to choose".to_owned(),
        Place::Cookie => "nothing".to_owned(),
    };
    let rows = Place::ALL.map(|place| {
        let each = place.bytes(session());
        let mut cells = vec![place.title().to_owned(), size(each).replace("none", "–")];
        for sessions in SESSIONS {
            cells.extend([size(sessions * each), nodes(place, sessions * each)]);
        }
        cells
    });
    let heads = [
        "sessions of 2 KB in",
        "each",
        "10 million",
        "smallest nodes",
        "1 billion",
        "smallest nodes",
    ];
    check(PAGE, "room", &table(&heads, rows));
}

/// Commands in a second, at a million requests that use their session.
struct Traffic {
    loads: f64,
    creations: f64,
    replacements: f64,
    live: f64,
}

impl Traffic {
    fn new() -> Self {
        let (load, second) = (Shop::default().load(REQUESTS), HOURS * 3_600.0);
        let [loads, creations, replacements] =
            [load.loads, load.creations, load.replacements].map(|month| month / second);
        Self { loads, creations, replacements, live: load.live }
    }

    fn writes(&self) -> f64 {
        self.creations + self.replacements
    }

    fn commands(&self) -> f64 {
        self.loads + self.writes()
    }

    fn in_short(&self) -> String {
        format!(
            "That is {} loads, {} new sessions and {} changes a second, and {} million live sessions.\n\n",
            amount(self.loads),
            amount(self.creations),
            amount(self.replacements),
            amount(self.live / 1e6)
        )
    }

    /// Instructions of redis-server, of commands that go one by one: `ARCHITECTURE.md`.
    fn redis(&self) -> f64 {
        self.loads * 5_000.0 + self.replacements * 55_300.0 + self.creations * 35_200.0
    }

    fn caches(&self) -> [[String; 4]; 4] {
        let commands = format!("{} commands", amount(self.commands()));
        let kilobytes = session() / 1024.0;
        let row = |name: &str, does: String, limit: String, setup| {
            [name.to_owned(), does, limit, bill(setup)]
        };
        [
            row(
                "memory, sticky sessions",
                format!("{} commands in each server", amount(self.commands() / SERVERS)),
                format!(
                    "{} sessions a server; the default is 1,000,000",
                    amount(self.live / SERVERS)
                ),
                Setup::Memory,
            ),
            row(
                "Valkey, a cluster",
                format!("{commands}, {} thousand million instructions", amount(self.redis() / 1e9)),
                "not measured on a node".to_owned(),
                Setup::ValkeyNodes,
            ),
            row(
                "Valkey, Serverless",
                format!("{} ECPUs", amount(kilobytes * self.commands())),
                "the account's quotas".to_owned(),
                Setup::ValkeyServerless,
            ),
            row(
                "Memcached",
                commands.clone(),
                "not measured on a node".to_owned(),
                Setup::MemcachedNodes,
            ),
        ]
    }

    fn others(&self) -> [[String; 4]; 5] {
        let times = |amount: f64, limit: f64| format!("{} times", rate((amount / limit).ceil()));
        let row = |name: &str, does: String, limit: String, dollars| {
            [name.to_owned(), does, limit, dollars]
        };
        let (reads, writes) = (self.loads, session() / 1024.0 * self.writes());
        let processors = self.loads * 0.000_1 + self.writes() * 0.000_3;
        let nfs =
            self.loads * NFS_LOAD + self.creations * NFS_CREATION + self.replacements * NFS_CHANGE;
        [
            row(
                "DynamoDB",
                format!("{} read units and {} write units", amount(reads), amount(writes)),
                format!(
                    "{} and {} a table's default quota of 40,000",
                    times(reads, 4e4),
                    times(writes, 4e4)
                ),
                bill(Setup::DynamoDb),
            ),
            row(
                "PostgreSQL, MySQL",
                format!(
                    "{} processors (assumed: 0.1 ms a load, 0.3 ms a write)",
                    amount(processors)
                ),
                format!("{} the 64 of the largest class in the file", times(processors, 64.0)),
                "one primary cannot".to_owned(),
            ),
            row(
                "EFS",
                format!("{} NFS requests", amount(nfs)),
                format!("{} the default of 250,000 reads", times(reads * NFS_LOAD, 2.5e5)),
                bill(Setup::Efs),
            ),
            row(
                "S3 Standard",
                format!("{} GETs and {} PUTs", amount(reads), amount(self.writes())),
                format!(
                    "{} and {} the 5,500 and 3,500 of one part of the names",
                    times(reads, 5.5e3),
                    times(self.writes(), 3.5e3)
                ),
                bill(Setup::S3),
            ),
            row(
                "signed cookie",
                format!(
                    "{} out and {} in",
                    size(self.writes() * cookie()),
                    size(REQUESTS * cookie())
                ),
                "your network".to_owned(),
                bill(Setup::Cookie),
            ),
        ]
    }
}

fn bill(setup: Setup) -> String {
    let (prices, types) = (Prices::read().unwrap(), NodeTypes::read().unwrap());
    cell(&setup.bill(&Shop::default(), REQUESTS, &prices, &types))
}

#[test]
fn the_page_has_a_million_requests_a_second() {
    let traffic = Traffic::new();
    let heads = [
        "store",
        "what it has to do in a second",
        "beside the limit that is known",
        "dollars a month",
    ];
    let rows = [&traffic.caches()[..], &traffic.others()].concat();
    let mut text = traffic.in_short() + &table(&heads, rows.into_iter().map(Vec::from));
    text += &format!(
        "\nAt three thousand million instructions a second (assumed) those of redis-server keep {} primaries busy, and the \
         kernel's\ncome on top.\n",
        rate((traffic.redis() / 3e9).ceil())
    );
    check(PAGE, "traffic", &text);
}

/// The bytes of a signed cookie with a session of 2 KB: `docs/signed-cookie.md`.
fn cookie() -> f64 {
    91.0 + 4.0 / 3.0 * session()
}

/// A row of the connections: what one server of the app has, in words and as a number.
fn connections(store: &str, each: String, number: f64, limit: &str, so: &str) -> Vec<String> {
    vec![store.to_owned(), each, amount(SERVERS * number), limit.to_owned(), so.to_owned()]
}

/// Connections of a server of the app, from the defaults of the builders.
#[test]
fn the_page_has_the_connections_of_a_thousand_servers() {
    let memcached = number("src/store/memcached/builder.rs", " max_connections: ");
    let postgres = number("src/store/postgres/builder.rs", " connections: ")
        + number("src/store/postgres/connections.rs", "const READ_LANES: usize = ");
    let mysql = number("src/store/mysql/builder.rs", " max_connections: ");
    let rows = [
        connections(
            "Redis, Valkey",
            "1 to each primary".to_owned(),
            1.0,
            "65,000 a node of ElastiCache ([AWS][clients]); 10,000 in Redis by default",
            "nothing to do",
        ),
        connections(
            "Memcached",
            format!("up to {memcached} to each node"),
            memcached,
            "65,000 a node of ElastiCache; 1,024 in memcached by default (`-c`)",
            "raise `-c` on nodes of your own",
        ),
        connections(
            "PostgreSQL",
            format!("{postgres}, and 1 while it sweeps"),
            postgres,
            "100 by default; in RDS its memory ÷ 9,531,392 bytes, and 5,000 at most ([AWS][rds])",
            "`connections=1` makes it 2 a server; or a pooler in front",
        ),
        connections(
            "MySQL, MariaDB",
            format!("up to {mysql}"),
            mysql,
            "151 by default",
            "`max_connections=2` makes it 2 a server; raise the server's too",
        ),
        connections(
            "EFS",
            "1 mount".to_owned(),
            1.0,
            "25,000 a file system ([AWS][efs])",
            "nothing to do",
        ),
    ];
    let heads = ["store", "a server of the app", "1,000 servers", "the store's limit", "so"];
    check(PAGE, "connections", &table(&heads, rows));
}

/// The load on one key: a roster, and the record of revocations.
#[test]
fn the_page_has_the_hot_keys() {
    const ENTRY: f64 = 8.0 + 32.0 + 6.0;
    const REVOKED: f64 = 22.0;
    let staleness = number("src/session/revocations/mod.rs", "staleness: Duration::from_secs(");
    let reads = SERVERS / staleness;
    let most = |bytes: f64, each: f64| amount((bytes / each).floor());
    let [mebibyte, item] = [1024.0 * 1024.0, 400.0 * 1024.0];
    // A partition of DynamoDB serves 3,000 read units a second, each of 4 KB.
    let partition = 3_000.0 / reads * 4_096.0;
    let text = format!(
        "* **One session** is one key: its reads and writes go to one shard. In DynamoDB that is 3,000 reads or {} writes a \
         second of 2 KB.\n\
         * **One principal's roster** has {ENTRY} bytes for each of its sessions, and each login writes all of it: at most {} \
         sessions in 1 MiB, {} in an item of DynamoDB.\n\
         * **The record of revocations** is one key that every server reads once in {staleness} seconds: {} reads a second of \
         1,000 servers. It has {REVOKED} bytes for each revoked principal: at most {} in 1 MiB, {} in an item of DynamoDB. \
         With 10,000 principals the 1,000 servers read {} a second. A partition of DynamoDB serves those reads of a record of \
         {}, which is {} principals.\n",
        amount(1_000.0 / 2.0),
        most(mebibyte, ENTRY),
        most(item, ENTRY),
        amount(reads),
        most(mebibyte, REVOKED),
        most(item, REVOKED),
        size(reads * 10_000.0 * REVOKED),
        size(partition),
        most(partition, REVOKED),
    );
    check(PAGE, "keys", &text);
}

/// A sweep of ten million sessions in steps, with a pause after each.
struct Sweep {
    steps: f64,
    pause: f64,
}

impl Sweep {
    fn new(elements: f64, at_once: f64, source: &str) -> Self {
        let pause = number(source, "const SHORTEST_PAUSE: Duration = Duration::from_millis(");
        Self { steps: (elements / at_once).ceil(), pause }
    }

    fn seconds(&self) -> f64 {
        self.steps * self.pause / 1_000.0
    }

    /// How many of the servers sweep at any moment, where each pauses for a time between two sweeps.
    fn at_once(&self, interval: f64) -> String {
        amount((SERVERS * self.seconds() / (interval + self.seconds())).round())
    }

    fn row(&self, store: &str, step: String, ended: &str, who: String) -> Vec<String> {
        let minutes = |seconds: f64| format!("{} minutes", amount(seconds / 60.0));
        let step = format!("{step}, {} ms", self.pause);
        let ended = swept_in_a_second(ended).map(|rate| minutes(SESSIONS[0] / rate));
        let ended = ended.unwrap_or_else(|| "not measured".to_owned());
        vec![store.to_owned(), step, minutes(self.seconds()), ended, who]
    }
}

/// The rate at which expired sessions were swept, from the row of `ARCHITECTURE.md` that begins like this.
fn swept_in_a_second(row: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("{ROOT}/ARCHITECTURE.md")).unwrap();
    let (_, rest) = text.split_once("| sessions swept a second |\n").unwrap();
    let rows = rest.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches(['|', ' ']).split(" | ").collect::<Vec<_>>());
    let found = cells.into_iter().find(|cells| cells[0] == row)?;
    found.last()?.replace(',', "").parse().ok()
}

/// The shortest time that a sweep takes, from its steps and the pauses between them.
#[test]
fn the_page_has_the_sweeps() {
    let sessions = SESSIONS[0];
    // The bytes of a session of 2 KB lie elsewhere; its row takes 163 bytes, says `docs/postgres.md`.
    let pages = (sessions * 163.0 / 8_192.0).ceil();
    let range = number("src/store/postgres/sweeper.rs", "const LONGEST_RANGE: i64 = ");
    let postgres = Sweep::new(pages, range, "src/store/postgres/sweeper.rs");
    let walked = number("src/store/mysql/statements.rs", "const WALKED_AT_ONCE: usize = ");
    let mysql = Sweep::new(sessions, walked, "src/store/mysql/sweeper.rs");
    let batch = number("src/store/file/sweeper.rs", "const BATCH: usize = ");
    let files = Sweep::new(sessions, batch, "src/store/file/sweeper.rs");
    let removed = number("src/store/sqlite/changes.rs", "const SWEPT_AT_ONCE: usize = ");
    let sqlite = Sweep::new(sessions, removed, "src/store/sqlite/sweeper.rs");
    let every = |store: &str, sweep: &Sweep| {
        let words = "sweep_every: Some(Duration::from_secs(";
        let interval = number(&format!("src/store/{store}/builder.rs"), words);
        let minutes = interval / 60.0;
        format!(
            "every server, about every {minutes} minutes: at least {} of 1,000 at any moment",
            sweep.at_once(interval)
        )
    };
    let rows = [
        postgres.row(
            "PostgreSQL",
            format!("{range} pages"),
            "PostgreSQL 15",
            every("postgres", &postgres),
        ),
        mysql.row(
            "MySQL, MariaDB",
            format!("{walked} rows"),
            "MariaDB 10.11",
            every("mysql", &mysql),
        ),
        files.row(
            "files",
            format!("{batch} files"),
            "files",
            "one server for all, once an hour".to_owned(),
        ),
        sqlite.row(
            "SQLite",
            format!("{removed} expired rows"),
            "SQLite",
            "each process; only what has expired is looked at".to_owned(),
        ),
    ];
    let heads = [
        "10 million sessions in",
        "a step, the least pause",
        "a sweep takes at least",
        "if all have ended, at the rate on record",
        "who sweeps",
    ];
    check(PAGE, "sweeps", &table(&heads, rows));
}
