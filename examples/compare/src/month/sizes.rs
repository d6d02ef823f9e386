//! What one session takes in each store.
//!
//! The figures are measured: those of Redis stand in `docs/elasticache.md`, and `tests/all/memory.rs`
//! measures them and those of memcached again.

/// The places that hold sessions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// The memory of the app's own server.
    Server,
    Redis,
    Memcached,
    DynamoDb,
    PostgreSql,
    MySql,
    Files,
    Bucket,
    /// The visitor's browser: nothing on our side.
    Cookie,
}

/// The numbers of sessions for which memory is shown.
pub const SESSIONS: [f64; 6] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

/// What the memory store keeps beside a session, as `compare` measures the growth of a server.
const SERVER_OVERHEAD: f64 = 400.0;
/// Key, entry and expiry of one session in Redis, beside its value.
const REDIS_OVERHEAD: f64 = 168.0;
/// What shares an allocation with the session: 18 bytes of the store's own, and the head and the end
/// of a string in Redis.
const REDIS_VALUE: f64 = 18.0 + 5.0;
/// The same in memcached: 26 bytes of the store's own, the key's 75, and an item's head and end.
const MEMCACHED_ITEM: f64 = 26.0 + 75.0 + 58.0;
/// memcached's chunks: the smallest, and by what each next one is larger.
const MEMCACHED_CHUNKS: (f64, f64) = (96.0, 1.25);
/// What AWS adds to the size of an item when it bills storage.
const DYNAMODB_OVERHEAD: f64 = 100.0;
/// Sessions in PostgreSQL and what they take there with its indexes, before anything was replaced: the
/// table in `docs/postgres.md`, which a test there measures.
const POSTGRESQL: [(f64, f64); 5] =
    [(200.0, 515.0), (500.0, 884.0), (1000.0, 1777.0), (2048.0, 3112.0), (8192.0, 8911.0)];
/// The same in MariaDB, for a table with random keys: the table in `docs/mysql.md`, which a test there measures.
const MYSQL: [(f64, f64); 3] = [(100.0, 377.0), (500.0, 1007.0), (2000.0, 3607.0)];
/// The bytes of an object beside its session: `docs/object.md`.
const OBJECT_OVERHEAD: f64 = 18.0;
/// The bytes of a file beside the session's, what EFS meters for a file's metadata, and its steps.
const FILE_HEADER: f64 = 64.0;
const EFS_METADATA: f64 = 2048.0;
const EFS_STEP: f64 = 4096.0;

impl Place {
    pub const ALL: [Self; 9] = [
        Self::Server,
        Self::Redis,
        Self::Memcached,
        Self::DynamoDb,
        Self::PostgreSql,
        Self::MySql,
        Self::Files,
        Self::Bucket,
        Self::Cookie,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Self::Server => "memory",
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::DynamoDb => "dynamodb",
            Self::PostgreSql => "postgres",
            Self::MySql => "mysql",
            Self::Files => "efs",
            Self::Bucket => "s3",
            Self::Cookie => "cookie",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Server => "memory of the app's servers",
            Self::Redis => "Redis or Valkey",
            Self::Memcached => "Memcached",
            Self::DynamoDb => "DynamoDB",
            Self::PostgreSql => "PostgreSQL",
            Self::MySql => "MySQL, MariaDB",
            Self::Files => "EFS",
            Self::Bucket => "S3",
            Self::Cookie => "signed cookie",
        }
    }

    /// Computes the bytes that one session of this size takes.
    pub fn bytes(self, session: f64) -> f64 {
        match self {
            Self::Server => session + SERVER_OVERHEAD,
            Self::Redis => jemalloc_class(session + REDIS_VALUE) + REDIS_OVERHEAD,
            Self::Memcached => memcached_chunk(session + MEMCACHED_ITEM),
            Self::DynamoDb => session + DYNAMODB_OVERHEAD,
            Self::PostgreSql => between(&POSTGRESQL, session),
            Self::MySql => between(&MYSQL, session),
            Self::Files => EFS_METADATA + ((session + FILE_HEADER) / EFS_STEP).ceil() * EFS_STEP,
            Self::Bucket => session + OBJECT_OVERHEAD,
            Self::Cookie => 0.0,
        }
    }
}

/// Goes straight from one measured size to the next, and on from the largest in proportion.
fn between(measured: &[(f64, f64)], session: f64) -> f64 {
    let (mut below, mut known) = (0.0, 0.0);
    for &(size, bytes) in measured {
        if session <= size {
            return known + (session - below) / (size - below) * (bytes - known);
        }
        (below, known) = (size, bytes);
    }
    known * session / below
}

/// Rounds up as jemalloc does, Redis' allocator: between two powers of two are four sizes.
fn jemalloc_class(bytes: f64) -> f64 {
    let mut power = 64.0;
    while power * 2.0 < bytes {
        power *= 2.0;
    }
    (bytes / (power / 4.0)).ceil() * (power / 4.0)
}

/// Rounds up to a chunk of memcached: each is a quarter larger, in steps of eight bytes.
fn memcached_chunk(bytes: f64) -> f64 {
    let (mut chunk, factor) = MEMCACHED_CHUNKS;
    while chunk < bytes {
        chunk = (chunk * factor / 8.0).ceil() * 8.0;
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(place: Place, session: f64, expected: f64) {
        let bytes = place.bytes(session);
        assert!((bytes - expected).abs() < 1e-9, "{place:?}, {session}: {bytes}");
    }

    /// The rows of the table in `docs/elasticache.md`, which a test there measures.
    #[test]
    fn redis_takes_what_its_guide_says() {
        const GUIDE: &str = include_str!("../../../../docs/elasticache.md");
        let (_, table) = GUIDE.split_once("`MEMORY USAGE` | growth of the server |").unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), 3);
        for row in rows {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().replace(',', "")).collect();
            let value: f64 = cells[2].parse().unwrap();
            is(Place::Redis, value - 18.0, cells[4].parse().unwrap());
        }
    }

    /// The table in `docs/postgres.md`, which a test there measures.
    #[test]
    fn postgresql_takes_what_its_guide_says() {
        const GUIDE: &str = include_str!("../../../../docs/postgres.md");
        let (_, table) = GUIDE.split_once("| together | after a replace of each |").unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let figures = rows.map(|row| {
            let cells: Vec<f64> =
                row.trim_matches('|').split('|').map(|cell| cell.trim().parse().unwrap()).collect();
            (cells[0], cells[4])
        });
        assert_eq!(figures.collect::<Vec<_>>(), POSTGRESQL);
    }

    /// The table in `docs/mysql.md`, which a test there measures.
    #[test]
    fn mysql_takes_what_its_guide_says() {
        const GUIDE: &str = include_str!("../../../../docs/mysql.md");
        let row = |begin: &str| -> Vec<f64> {
            let row = GUIDE.lines().find_map(|line| line.strip_prefix(begin)).unwrap();
            row.trim_matches(['|', ' '])
                .split('|')
                .map(|cell| cell.trim().parse().unwrap())
                .collect()
        };
        let sizes = row("| bytes of a session |").into_iter();
        let figures = sizes.zip(row("| bytes of the table's file for each session |"));
        assert_eq!(figures.collect::<Vec<_>>(), MYSQL);
    }

    #[test]
    fn two_kilobytes_by_hand() {
        // 2,071 bytes are in a class of 2,560, and 168 more.
        is(Place::Redis, 2048.0, 2728.0);
        // 2,207 bytes are in a chunk of 2,320.
        is(Place::Memcached, 2048.0, 2320.0);
        // 2,048 + 64 bytes are one step of 4 KiB, and there are 2 KiB of metadata.
        is(Place::Files, 2048.0, 6144.0);
        is(Place::Files, 4096.0, 10_240.0);
        is(Place::DynamoDb, 2048.0, 2148.0);
        is(Place::PostgreSql, 2048.0, 3112.0);
        // Halfway to 8,192 bytes, and twice as many.
        is(Place::PostgreSql, 5120.0, 6011.5);
        is(Place::PostgreSql, 16_384.0, 17_822.0);
        // In the middle between 500 and 2,000, and 1.8 times as many bytes as a long session has.
        is(Place::MySql, 1250.0, 2307.0);
        is(Place::MySql, 4000.0, 7214.0);
        is(Place::Bucket, 2048.0, 2066.0);
        is(Place::Server, 2048.0, 2448.0);
        is(Place::Cookie, 2048.0, 0.0);
    }

    #[test]
    fn chunks_grow_by_a_quarter() {
        // 96, 120, 152, 192, 240, …
        let chunks = [1.0, 96.0, 97.0, 121.0, 153.0, 193.0].map(memcached_chunk);
        assert_eq!(chunks, [96.0, 96.0, 120.0, 152.0, 192.0, 240.0]);
        let classes = [64.0, 65.0, 80.0, 81.0, 128.0, 129.0, 2053.0, 4249.0].map(jemalloc_class);
        assert_eq!(classes, [64.0, 80.0, 80.0, 96.0, 128.0, 160.0, 2560.0, 5120.0]);
    }
}
