//! The smallest set-up of each store that a zone's failure does not stop, and its bill.

use super::bill::{BETWEEN_ZONES, NODE_HOURS, PUTS};
use super::databases;
use super::{Bill, Engine, HOURS, Load, NodeTypes, Nodes, Part, Place, Shop};
use crate::cost::{NFS_CHANGE, NFS_LOAD, ecpus, gigabytes, read_units, write_units};
use crate::near::loads_left;
use crate::prices::{Bucket, ElastiCache, Prices};

const BYTES_PER_KB: f64 = 1024.0;
pub(super) const BYTES_PER_GB: f64 = 1024.0 * 1024.0 * 1024.0;
pub(super) const MILLION: f64 = 1e6;
const SECONDS_PER_HOUR: f64 = 3600.0;

/// NFS requests of a new session, as `docs/efs.md` lists them.
pub const NFS_CREATION: f64 = 7.0;
/// What a command has on the wire beside the session: its key, its name and the protocol.
const COMMAND_BYTES: f64 = 150.0;
/// How long DynamoDB keeps what has expired: its pages say "typically within two days".
const DYNAMODB_REMOVAL_HOURS: f64 = 48.0;
/// How long an expired file stays at most: the sweeper comes once an hour, and waits a minute. Rows of
/// a database are taken to stay as long.
pub(super) const SWEEP_HOURS: f64 = 61.0 / 60.0;
/// How long an object stays at most after its last change: the sweep comes once an hour, and looks at
/// what has not been written for an hour.
const BUCKET_SWEEP_HOURS: f64 = 2.0;
/// The folders that a sweep of a bucket lists, and the names that a list has at most.
const BUCKET_FOLDERS: f64 = 256.0;
const NAMES_OF_A_LIST: f64 = 1_000.0;
/// A signed cookie without content, and what each of its bytes becomes: `docs/signed-cookie.md`.
const COOKIE_BYTES: f64 = 91.0;
const COOKIE_GROWTH: f64 = 4.0 / 3.0;
/// "Set-Cookie: ", "; Path=/; Secure; HttpOnly; SameSite=Lax" and the end of the line.
const COOKIE_ATTRIBUTES: f64 = 54.0;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Setup {
    Memory,
    Cookie,
    ValkeyNodes,
    ValkeyServerless,
    RedisNodes,
    RedisServerless,
    MemcachedNodes,
    MemcachedServerless,
    DynamoDb,
    DynamoDbNear1s,
    DynamoDbNear5s,
    Rds,
    Aurora,
    Efs,
    S3,
    S3Express,
}

impl Setup {
    /// All set-ups, in the order of the tables.
    pub const ALL: [Self; 16] = [
        Self::Memory,
        Self::Cookie,
        Self::ValkeyNodes,
        Self::ValkeyServerless,
        Self::RedisNodes,
        Self::RedisServerless,
        Self::MemcachedNodes,
        Self::MemcachedServerless,
        Self::DynamoDb,
        Self::DynamoDbNear1s,
        Self::DynamoDbNear5s,
        Self::Rds,
        Self::Aurora,
        Self::Efs,
        Self::S3,
        Self::S3Express,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cookie => "cookie",
            Self::ValkeyNodes => "valkey-nodes",
            Self::ValkeyServerless => "valkey-serverless",
            Self::RedisNodes => "redis-nodes",
            Self::RedisServerless => "redis-serverless",
            Self::MemcachedNodes => "memcached-nodes",
            Self::MemcachedServerless => "memcached-serverless",
            Self::DynamoDb => "dynamodb",
            Self::DynamoDbNear1s => "dynamodb-near-1s",
            Self::DynamoDbNear5s => "dynamodb-near-5s",
            Self::Rds => "rds",
            Self::Aurora => "aurora",
            Self::Efs => "efs",
            Self::S3 => "s3",
            Self::S3Express => "s3-express",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Memory => "memory, one server or sticky sessions",
            Self::Cookie => "signed cookie",
            Self::ValkeyNodes => "ElastiCache for Valkey, nodes",
            Self::ValkeyServerless => "ElastiCache Serverless for Valkey",
            Self::RedisNodes => "ElastiCache for Redis OSS, nodes",
            Self::RedisServerless => "ElastiCache Serverless for Redis OSS",
            Self::MemcachedNodes => "ElastiCache for Memcached, nodes",
            Self::MemcachedServerless => "ElastiCache Serverless for Memcached",
            Self::DynamoDb => "DynamoDB, on demand",
            Self::DynamoDbNear1s => "DynamoDB, on demand, behind Near of 1 s",
            Self::DynamoDbNear5s => "DynamoDB, on demand, behind Near of 5 s",
            Self::Rds => "RDS for PostgreSQL or MySQL, Multi-AZ",
            Self::Aurora => "Aurora Serverless v2",
            Self::Efs => "EFS, Regional, elastic throughput",
            Self::S3 => "S3 Standard",
            Self::S3Express => "S3 Express One Zone, in one zone",
        }
    }

    /// Says what the set-up is, and what is lost with a node or a zone.
    pub fn availability(self) -> &'static str {
        match self {
            Self::Memory => "nothing beside the app's servers; a server's sessions go with it",
            Self::Cookie => "nothing to run and nothing to lose; a logout cannot end copies",
            Self::ValkeyNodes | Self::RedisNodes => {
                "a primary and a replica in two zones; a failover may lose the last writes"
            }
            Self::ValkeyServerless | Self::RedisServerless => {
                "in several zones by itself; a failover may lose the last writes"
            }
            Self::MemcachedNodes => {
                "two nodes in two zones and no copies: half of the sessions go with a node"
            }
            Self::MemcachedServerless => {
                "in several zones by itself; cloakroom was not tried on it"
            }
            Self::DynamoDb | Self::Efs => {
                "in several zones by itself; nothing acknowledged is lost"
            }
            Self::DynamoDbNear1s => {
                "as DynamoDB, with reads that may be late by 1 s; behind sticky sessions"
            }
            Self::DynamoDbNear5s => {
                "as DynamoDB, with reads that may be late by 5 s; behind sticky sessions"
            }
            Self::Rds => {
                "a primary and a synchronous standby in two zones; nothing acknowledged is lost"
            }
            Self::Aurora => {
                "a writer and a reader in two zones, storage in three; nothing acknowledged is lost"
            }
            Self::S3 => {
                "in several zones by itself; nothing acknowledged is lost; a read takes 100 ms or more"
            }
            Self::S3Express => "down with its zone, and lost if the zone is lost",
        }
    }

    pub fn place(self) -> Place {
        match self {
            Self::Memory => Place::Server,
            Self::Cookie => Place::Cookie,
            Self::ValkeyNodes
            | Self::ValkeyServerless
            | Self::RedisNodes
            | Self::RedisServerless => Place::Redis,
            Self::MemcachedNodes | Self::MemcachedServerless => Place::Memcached,
            Self::DynamoDb | Self::DynamoDbNear1s | Self::DynamoDbNear5s => Place::DynamoDb,
            Self::Rds | Self::Aurora => Place::PostgreSql,
            Self::Efs => Place::Files,
            Self::S3 | Self::S3Express => Place::Bucket,
        }
    }

    /// Returns for how many seconds each server answers reads from its own memory, where it does.
    fn staleness(self) -> Option<u32> {
        match self {
            Self::DynamoDbNear1s => Some(1),
            Self::DynamoDbNear5s => Some(5),
            _ => None,
        }
    }

    /// Returns whether all servers share it, a zone's failure does not stop it, and no read is late: such
    /// set-ups can take each other's place.
    pub fn is_interchangeable(self) -> bool {
        !matches!(self, Self::Memory | Self::Cookie | Self::S3Express) && self.staleness().is_none()
    }

    /// Computes what reaches the store at a rate of requests.
    fn load(self, shop: &Shop, rate: f64) -> Load {
        let load = shop.load(rate);
        let Some(seconds) = self.staleness() else { return load };
        let left = loads_left(shop.requests_per_visit, shop.changes_per_visit, seconds);
        Load { loads: load.creations * left, ..load }
    }

    /// Computes the bill of a month in which so many requests a second use their session.
    pub fn bill(self, shop: &Shop, rate: f64, prices: &Prices, types: &NodeTypes) -> Bill {
        let load = self.load(shop, rate);
        let live_bytes = load.live * self.place().bytes(shop.session_bytes);
        let nodes = self.nodes(load, live_bytes, types);
        let parts = match self {
            Self::Memory => Vec::new(),
            Self::Cookie => vec![cookie(shop, load, prices)],
            Self::ValkeyNodes | Self::RedisNodes | Self::MemcachedNodes => {
                let mut parts: Vec<_> =
                    nodes.iter().map(|nodes| self.node_hours(nodes, prices)).collect();
                parts.push(between_zones(shop, load, prices));
                parts
            }
            Self::ValkeyServerless => {
                serverless(shop, load, live_bytes, &prices.elasticache_valkey)
            }
            Self::RedisServerless => {
                serverless(shop, load, live_bytes, &prices.elasticache_redis_oss)
            }
            Self::MemcachedServerless => {
                serverless(shop, load, live_bytes, &prices.elasticache_memcached)
            }
            Self::DynamoDb | Self::DynamoDbNear1s | Self::DynamoDbNear5s => {
                dynamodb(shop, load, prices)
            }
            Self::Rds => databases::rds(shop, load, nodes.as_ref(), prices),
            Self::Aurora => databases::aurora(shop, load, live_bytes, prices),
            Self::Efs => efs(shop, load, prices),
            Self::S3 => bucket(shop, load, prices.s3.as_ref()),
            Self::S3Express => bucket(shop, load, prices.s3_express.as_ref()),
        };
        Bill::new(rate, load, nodes, parts)
    }

    fn nodes(self, load: Load, live_bytes: f64, types: &NodeTypes) -> Option<Nodes> {
        match self {
            Self::Rds => types.databases.holding(live_bytes, databases::processors(load)),
            _ => types.holding(live_bytes, self.engine()?),
        }
    }

    /// Returns whether instances are rented by the hour, whatever the traffic.
    pub fn has_nodes(self) -> bool {
        self == Self::Rds || self.engine().is_some()
    }

    /// Returns the engine whose nodes are rented, or `None` where no nodes of a cache are.
    pub fn engine(self) -> Option<Engine> {
        match self {
            Self::ValkeyNodes | Self::RedisNodes => Some(Engine::Valkey),
            Self::MemcachedNodes => Some(Engine::Memcached),
            _ => None,
        }
    }

    fn node_hours(self, nodes: &Nodes, prices: &Prices) -> Part {
        let price = self.node_price(nodes, prices);
        Part::new(NODE_HOURS, f64::from(nodes.number) * HOURS, price)
    }

    /// Returns what one of these nodes costs in an hour. Each engine has its own prices.
    pub(super) fn node_price(self, nodes: &Nodes, prices: &Prices) -> Option<f64> {
        let known = match self {
            Self::ValkeyNodes => prices.elasticache_valkey_nodes.as_ref(),
            Self::RedisNodes => prices.elasticache_redis_oss_nodes.as_ref(),
            Self::MemcachedNodes => prices.elasticache_memcached_nodes.as_ref(),
            _ => None,
        };
        known?.dollars_per_hour.get(&nodes.node_type).copied()
    }
}

/// The cookies that go out: one with each change. What comes in is not billed.
fn cookie(shop: &Shop, load: Load, prices: &Prices) -> Part {
    let bytes = COOKIE_BYTES + COOKIE_GROWTH * shop.session_bytes + COOKIE_ATTRIBUTES;
    let gigabytes = load.writes() * bytes / BYTES_PER_GB;
    let price = prices.traffic.as_ref().map(|traffic| traffic.dollars_per_gb_to_internet);
    Part::new("GB to visitors", gigabytes, price)
}

/// The commands of servers that are in another zone than the session.
pub(super) fn between_zones(shop: &Shop, load: Load, prices: &Prices) -> Part {
    let share = (shop.zones - 1.0) / shop.zones;
    let bytes = load.commands() * (shop.session_bytes + COMMAND_BYTES);
    let price = prices.traffic.as_ref().map(|traffic| traffic.dollars_per_gb_between_zones);
    Part::new(BETWEEN_ZONES, share * bytes / BYTES_PER_GB, price)
}

fn serverless(shop: &Shop, load: Load, live_bytes: f64, prices: &ElastiCache) -> Vec<Part> {
    let units = load.commands() * ecpus(shop.session_bytes / BYTES_PER_KB) / MILLION;
    let stored = (live_bytes / BYTES_PER_GB).max(prices.least_gb);
    vec![
        Part::new("million ECPUs", units, Some(prices.dollars_per_million_ecpus)),
        Part::new("GB hours", stored * HOURS, Some(prices.dollars_per_gb_hour)),
    ]
}

fn dynamodb(shop: &Shop, load: Load, prices: &Prices) -> Vec<Part> {
    let (kb, prices) = (shop.session_bytes / BYTES_PER_KB, &prices.dynamodb);
    let reads = load.loads * read_units(kb) / MILLION;
    let writes = load.writes() * write_units(kb) / MILLION;
    let stored = stored(shop, load, Place::DynamoDb, DYNAMODB_REMOVAL_HOURS);
    vec![
        Part::new("million read units", reads, Some(prices.dollars_per_million_read_units)),
        Part::new("million write units", writes, Some(prices.dollars_per_million_write_units)),
        Part::new("GB stored", stored, prices.dollars_per_gb_month),
    ]
}

fn efs(shop: &Shop, load: Load, prices: &Prices) -> Vec<Part> {
    let (kb, prices) = (shop.session_bytes / BYTES_PER_KB, &prices.efs);
    let read = load.loads / MILLION * gigabytes(NFS_LOAD, kb);
    let written = load.creations / MILLION * gigabytes(NFS_CREATION, kb)
        + load.replacements / MILLION * gigabytes(NFS_CHANGE, kb);
    let stored = stored(shop, load, Place::Files, SWEEP_HOURS);
    vec![
        Part::new("GB read", read, Some(prices.dollars_per_gb_read)),
        Part::new("GB written", written, Some(prices.dollars_per_gb_written)),
        Part::new("GB stored", stored, Some(prices.dollars_per_gb_month)),
    ]
}

/// With the sweep that is on by default: it lists all folders once an hour, and removes each session by a
/// read and a write. The delete itself is free.
fn bucket(shop: &Shop, load: Load, prices: Option<&Bucket>) -> Vec<Part> {
    let removals = load.creations;
    let (gets, puts) = (load.loads + removals, load.writes() + removals);
    let objects = load.live + load.visits_per_second * BUCKET_SWEEP_HOURS * SECONDS_PER_HOUR;
    let lists_of_a_folder = (objects / BUCKET_FOLDERS / NAMES_OF_A_LIST).ceil().max(1.0);
    let lists = HOURS * BUCKET_FOLDERS * lists_of_a_folder;
    let gigabytes = |objects: f64| objects * Place::Bucket.bytes(shop.session_bytes) / BYTES_PER_GB;
    let price = |price: fn(&Bucket) -> f64| prices.map(price);
    vec![
        Part::new("million GETs", gets / MILLION, price(|it| it.dollars_per_million_gets)),
        Part::new(PUTS, (puts + lists) / MILLION, price(|it| it.dollars_per_million_puts)),
        Part::new("GB read", gigabytes(gets), price(|it| it.dollars_per_gb_read)),
        Part::new("GB written", gigabytes(load.writes()), price(|it| it.dollars_per_gb_written)),
        Part::new("GB stored", gigabytes(objects), price(|it| it.dollars_per_gb_month)),
    ]
}

/// Gigabytes of the live sessions, and of those that have expired and are not removed yet.
pub(super) fn stored(shop: &Shop, load: Load, place: Place, hours_until_removed: f64) -> f64 {
    let expired = load.visits_per_second * hours_until_removed * SECONDS_PER_HOUR;
    (load.live + expired) * place.bytes(shop.session_bytes) / BYTES_PER_GB
}
