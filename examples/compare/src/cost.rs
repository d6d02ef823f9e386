//! Estimates what a million requests cost at AWS, from the commands that were counted here and the
//! dated prices in `docs/aws-prices.json`.
//!
//! Only requests to the store are in it. Left out are storage, hours, traffic, and the moves of the
//! idle timeout, which are rare. So these figures say what one more request costs, and not which
//! store is cheaper: [`month`](crate::month) has whole bills.

use crate::near::{self, loads_left};
use crate::prices::{Bucket, DynamoDb, Efs, ElastiCache, Prices};
use crate::results::{CommandsPerRequest, Comparison, Measured, Sharing, StrategyName};

/// Sizes of a session as it is stored, in kilobytes.
pub const SIZES_KB: [f64; 3] = [0.5, 2.0, 6.0];
/// The index of the size that is shown where there is room for one.
pub const TYPICAL: usize = 1;

/// The share of writes among requests, where no run has measured it.
const ASSUMED_WRITES: f64 = 0.2;
/// The commands that the library promises, where none could be counted: a load, and a load with a
/// write.
const PROMISED: (f64, f64) = (1.0, 2.0);
/// NFS requests, as `docs/efs.md` lists them for several servers that do not contend. All requests
/// of a change count as writes, its locks and looks included: that may be more than EFS meters.
pub const NFS_LOAD: f64 = 4.0;
pub const NFS_CHANGE: f64 = 15.0;
/// The least that EFS meters with elastic throughput, for a request about metadata and for one that
/// carries a file: https://docs.aws.amazon.com/efs/latest/ug/metered-sizes.html
const NFS_LEAST_KB: f64 = 4.0;
pub const NFS_LEAST_FILE_KB: f64 = 32.0;
/// The bytes of a file beside the session's.
const FILE_HEADER_KB: f64 = 64.0 / 1024.0;
const KB_PER_GB: f64 = 1024.0 * 1024.0;

/// Returns the service whose prices a strategy has.
fn service<'a>(prices: &'a Prices, strategy: &StrategyName) -> Option<Service<'a>> {
    match (strategy.sharing, strategy.id.as_str()) {
        (Sharing::None | Sharing::Copies | Sharing::Cookie, _) => Some(Service::None),
        (_, "redis" | "redis-failover" | "near-redis") => {
            Some(Service::ElastiCache(&prices.elasticache_valkey))
        }
        (_, "memcached") => Some(Service::ElastiCache(&prices.elasticache_memcached)),
        (_, "dynamodb" | "near-dynamodb" | "near-dynamodb-5s") => {
            Some(Service::DynamoDb(&prices.dynamodb))
        }
        // On the server's own disk.
        (_, "sqlite") => Some(Service::None),
        (_, "file" | "nfs") => Some(Service::Efs(&prices.efs)),
        (_, "s3") => prices.s3.as_ref().map(Service::Bucket),
        _ => None,
    }
}

#[derive(Clone, Copy, Debug)]
enum Service<'a> {
    /// The sessions are on the app's servers or with the visitors, so there is no service to pay.
    None,
    DynamoDb(&'a DynamoDb),
    ElastiCache(&'a ElastiCache),
    Efs(&'a Efs),
    Bucket(&'a Bucket),
}

impl Service<'_> {
    fn name(self) -> String {
        match self {
            Self::None => "no store to pay".to_owned(),
            Self::DynamoDb(prices) => format!("DynamoDB, {}", prices.origin.billing),
            Self::ElastiCache(prices) => format!("ElastiCache {}", prices.origin.billing),
            Self::Efs(prices) => format!("EFS, {}", prices.origin.billing),
            Self::Bucket(prices) => format!("S3 {}", prices.origin.billing),
        }
    }

    /// Returns the price of a million loads.
    fn load(self, kb: f64) -> f64 {
        match self {
            Self::None => 0.0,
            Self::DynamoDb(prices) => read_units(kb) * prices.dollars_per_million_read_units,
            Self::ElastiCache(prices) => ecpus(kb) * prices.dollars_per_million_ecpus,
            Self::Efs(prices) => gigabytes(NFS_LOAD, kb) * prices.dollars_per_gb_read,
            Self::Bucket(prices) => {
                prices.dollars_per_million_gets + objects(kb) * prices.dollars_per_gb_read
            }
        }
    }

    /// Returns the price of a million writes.
    fn change(self, kb: f64) -> f64 {
        match self {
            Self::DynamoDb(prices) => write_units(kb) * prices.dollars_per_million_write_units,
            Self::Efs(prices) => gigabytes(NFS_CHANGE, kb) * prices.dollars_per_gb_written,
            Self::Bucket(prices) => {
                prices.dollars_per_million_puts + objects(kb) * prices.dollars_per_gb_written
            }
            Self::None | Self::ElastiCache(_) => self.load(kb),
        }
    }
}

/// Units of a strongly consistent read: one for each four kilobytes begun.
pub(crate) fn read_units(kb: f64) -> f64 {
    (kb / 4.0).ceil()
}

/// Units of a write: one for each kilobyte begun.
pub(crate) fn write_units(kb: f64) -> f64 {
    kb.ceil()
}

/// ECPUs of a command: one for each kilobyte moved, and at least one. A script may take more.
pub(crate) fn ecpus(kb: f64) -> f64 {
    kb.max(1.0)
}

/// Gigabytes metered for a million commands of so many requests, of which one carries the file.
pub(crate) fn gigabytes(requests: f64, kb: f64) -> f64 {
    let metered = (requests - 1.0) * NFS_LEAST_KB + (kb + FILE_HEADER_KB).max(NFS_LEAST_FILE_KB);
    metered * 1e6 / KB_PER_GB
}

/// Gigabytes of a million objects.
fn objects(kb: f64) -> f64 {
    kb * 1e6 / KB_PER_GB
}

/// The share of writes. It is the same for all strategies, so that their costs differ by nothing
/// else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// The share of the requests that change their session; the others read it.
    pub writes: f64,
    /// Whether the share was measured.
    pub measured: bool,
}

impl Mix {
    /// Computes the share from the steady phases: with `r` commands for a read, `w` for a write and
    /// `s` on average, `(s - r) / (w - r)` of the requests were writes.
    pub fn from_comparison(comparison: &Comparison) -> Self {
        // Behind `Near` a read is not always a command.
        let all = comparison.measured();
        let plain = all.filter(|strategy| strategy.strategy.staleness_seconds.is_none());
        let shares = plain.filter_map(|strategy| {
            let counted = strategy.store_commands?;
            let share = (counted.steady - counted.read) / (counted.write - counted.read);
            share.is_finite().then(|| share.clamp(0.0, 1.0))
        });
        let shares: Vec<f64> = shares.collect();
        if shares.is_empty() {
            return Self { writes: ASSUMED_WRITES, measured: false };
        }
        Self { writes: shares.iter().sum::<f64>() / shares.len() as f64, measured: true }
    }
}

/// The source of the number of commands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Basis {
    /// The strategy sends no commands.
    NoStore,
    Counted,
    /// The commands that the library promises, because they could not be counted.
    Promised,
    /// The commands of visitors who pause, because the shoppers do not and `Near` saves them more.
    Visits,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The service that would bill them.
    pub billed: String,
    pub basis: Basis,
    /// Dollars for a million requests, at each of [`SIZES_KB`].
    pub dollars: [f64; 3],
}

impl Estimate {
    /// Estimates the costs of a strategy; `None` if its price is not known.
    pub fn for_strategy(strategy: &Measured, mix: Mix, prices: &Prices) -> Option<Self> {
        let service = service(prices, &strategy.strategy)?;
        let (read, write, basis) = commands(strategy);
        let basis = if matches!(service, Service::None) { Basis::NoStore } else { basis };
        let dollars = SIZES_KB.map(|kb| {
            let reading = read * service.load(kb);
            let loads = read.min(1.0).min(write);
            let writing = loads * service.load(kb) + (write - loads) * service.change(kb);
            (1.0 - mix.writes) * reading + mix.writes * writing
        });
        Some(Self { billed: service.name(), basis, dollars })
    }
}

/// Returns the store commands of a read and of a change.
fn commands(strategy: &Measured) -> (f64, f64, Basis) {
    if let Some(seconds) = strategy.strategy.staleness_seconds {
        // The first request of a visit loads nothing, with or without `Near`.
        let load = loads_left(near::REQUESTS, near::CHANGES, seconds) / (near::REQUESTS - 1.0);
        return (load, load + 1.0, Basis::Visits);
    }
    match strategy.store_commands.filter(are_figures) {
        Some(counted) => (counted.read, counted.write, Basis::Counted),
        None => (PROMISED.0, PROMISED.1, Basis::Promised),
    }
}

fn are_figures(counted: &CommandsPerRequest) -> bool {
    [counted.read, counted.write].iter().all(|commands| commands.is_finite() && *commands >= 0.0)
}
