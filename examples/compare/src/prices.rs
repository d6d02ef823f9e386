//! The dated prices in `docs/aws-prices.json`, or in a file of the reader's own.
//!
//! A price that is not in the file is absent. What it would bill is then counted and shown as an
//! amount, never as zero dollars.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::Fallible;

#[derive(Debug, Deserialize)]
pub struct Prices {
    pub region: String,
    pub notice: String,
    /// What no price in the file covers, in words.
    #[serde(default)]
    pub not_included: Vec<String>,
    pub dynamodb: DynamoDb,
    pub elasticache_valkey: ElastiCache,
    pub elasticache_redis_oss: ElastiCache,
    pub elasticache_memcached: ElastiCache,
    pub elasticache_valkey_nodes: Option<Nodes>,
    pub elasticache_redis_oss_nodes: Option<Nodes>,
    pub elasticache_memcached_nodes: Option<Nodes>,
    pub rds: Option<Rds>,
    pub aurora: Option<Aurora>,
    pub efs: Efs,
    pub s3: Option<Bucket>,
    pub s3_express: Option<Bucket>,
    pub traffic: Option<Traffic>,
}

/// Where a price comes from.
#[derive(Debug, Deserialize)]
pub struct Origin {
    pub billing: String,
    pub as_of: String,
    pub source: String,
}

#[derive(Debug, Deserialize)]
pub struct DynamoDb {
    #[serde(flatten)]
    pub origin: Origin,
    pub dollars_per_million_read_units: f64,
    pub dollars_per_million_write_units: f64,
    pub dollars_per_gb_month: Option<f64>,
}

/// A serverless cache.
#[derive(Debug, Deserialize)]
pub struct ElastiCache {
    #[serde(flatten)]
    pub origin: Origin,
    pub dollars_per_million_ecpus: f64,
    pub dollars_per_gb_hour: f64,
    /// What is billed of an empty cache.
    pub least_gb: f64,
}

/// Nodes of one engine, which are billed by the hour.
#[derive(Debug, Deserialize)]
pub struct Nodes {
    #[serde(flatten)]
    pub origin: Origin,
    /// By node type, such as `cache.t4g.micro`.
    pub dollars_per_hour: BTreeMap<String, f64>,
}

/// Instances of RDS with their disks. PostgreSQL and MySQL cost the same.
#[derive(Debug, Deserialize)]
pub struct Rds {
    #[serde(flatten)]
    pub origin: Origin,
    /// For one instance, by class, such as `db.t4g.micro`.
    pub dollars_per_hour: BTreeMap<String, f64>,
    pub dollars_per_gb_month: f64,
    /// The smallest disk of an instance.
    pub least_gb: f64,
}

/// Aurora Serverless v2. An app can choose to pay more for hours and storage and nothing for I/O.
#[derive(Debug, Deserialize)]
pub struct Aurora {
    #[serde(flatten)]
    pub origin: Origin,
    pub dollars_per_acu_hour: f64,
    pub dollars_per_gb_month: f64,
    pub dollars_per_million_ios: f64,
    pub io_optimized: IoOptimized,
}

#[derive(Debug, Deserialize)]
pub struct IoOptimized {
    pub dollars_per_acu_hour: f64,
    pub dollars_per_gb_month: f64,
}

#[derive(Debug, Deserialize)]
pub struct Efs {
    #[serde(flatten)]
    pub origin: Origin,
    pub dollars_per_gb_read: f64,
    pub dollars_per_gb_written: f64,
    pub dollars_per_gb_month: f64,
}

/// Objects in a bucket. Deletes are free, and a list costs what a PUT does.
#[derive(Debug, Deserialize)]
pub struct Bucket {
    #[serde(flatten)]
    pub origin: Origin,
    pub dollars_per_million_gets: f64,
    pub dollars_per_million_puts: f64,
    pub dollars_per_gb_read: f64,
    pub dollars_per_gb_written: f64,
    pub dollars_per_gb_month: f64,
}

#[derive(Debug, Deserialize)]
pub struct Traffic {
    #[serde(flatten)]
    pub origin: Origin,
    /// For a GB that crosses between an app's server and a node, both sides together.
    pub dollars_per_gb_between_zones: f64,
    pub dollars_per_gb_to_internet: f64,
}

impl Prices {
    /// Reads the prices of `docs/aws-prices.json`, as of the build.
    pub fn read() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../../../docs/aws-prices.json"))
    }

    pub(crate) fn from_file(path: &Path) -> Fallible<Self> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        Ok(serde_json::from_str(&text).map_err(|error| named(&error))?)
    }

    /// The services, what they charge, and where that is from.
    pub fn origins(&self) -> Vec<(&'static str, String, &Origin)> {
        let dynamodb = format!(
            "${} for a million read units, ${} for a million write units{}",
            self.dynamodb.dollars_per_million_read_units,
            self.dynamodb.dollars_per_million_write_units,
            self.dynamodb
                .dollars_per_gb_month
                .map_or(String::new(), |price| format!(", ${price} for a GB and month"))
        );
        let efs = format!(
            "${} for a GB read, ${} for a GB written, ${} for a GB and month",
            self.efs.dollars_per_gb_read,
            self.efs.dollars_per_gb_written,
            self.efs.dollars_per_gb_month
        );
        let caches =
            [&self.elasticache_valkey, &self.elasticache_redis_oss, &self.elasticache_memcached];
        let mut origins: Vec<_> =
            caches.map(|cache| ("ElastiCache", cache.charges(), &cache.origin)).into();
        let nodes = [
            &self.elasticache_valkey_nodes,
            &self.elasticache_redis_oss_nodes,
            &self.elasticache_memcached_nodes,
        ];
        let nodes = nodes.into_iter().flatten();
        origins.extend(nodes.map(|nodes| ("ElastiCache", nodes.charges(), &nodes.origin)));
        origins.push(("DynamoDB", dynamodb, &self.dynamodb.origin));
        origins.extend(self.rds.as_ref().map(|rds| ("RDS", rds.charges(), &rds.origin)));
        let aurora = self.aurora.as_ref();
        origins.extend(aurora.map(|aurora| ("Aurora", aurora.charges(), &aurora.origin)));
        origins.push(("EFS", efs, &self.efs.origin));
        let buckets = [&self.s3, &self.s3_express].into_iter().flatten();
        origins.extend(buckets.map(|bucket| ("S3", bucket.charges(), &bucket.origin)));
        origins.extend(self.traffic.as_ref().map(|traffic| {
            let charges = format!(
                "${} for a GB between zones, ${} for a GB to the internet",
                traffic.dollars_per_gb_between_zones, traffic.dollars_per_gb_to_internet
            );
            ("Traffic", charges, &traffic.origin)
        }));
        origins
    }
}

impl ElastiCache {
    fn charges(&self) -> String {
        format!(
            "${} for a million ECPUs, ${} for a GB and hour, of at least {} GB",
            self.dollars_per_million_ecpus, self.dollars_per_gb_hour, self.least_gb
        )
    }
}

impl Nodes {
    fn charges(&self) -> String {
        by_the_hour(&self.dollars_per_hour)
    }
}

impl Rds {
    fn charges(&self) -> String {
        format!(
            "{}, ${} for a GB and month, of at least {} GB",
            by_the_hour(&self.dollars_per_hour),
            self.dollars_per_gb_month,
            self.least_gb
        )
    }
}

impl Aurora {
    fn charges(&self) -> String {
        format!(
            "${} for an ACU and hour, ${} for a GB and month, ${} for a million I/Os; as I/O-Optimized ${}, ${} and nothing",
            self.dollars_per_acu_hour,
            self.dollars_per_gb_month,
            self.dollars_per_million_ios,
            self.io_optimized.dollars_per_acu_hour,
            self.io_optimized.dollars_per_gb_month
        )
    }
}

impl Bucket {
    fn charges(&self) -> String {
        format!(
            "${} for a million GETs, ${} for a million PUTs or lists, ${} for a GB read, ${} for a GB written, ${} for a GB and month",
            self.dollars_per_million_gets,
            self.dollars_per_million_puts,
            self.dollars_per_gb_read,
            self.dollars_per_gb_written,
            self.dollars_per_gb_month
        )
    }
}

/// Lists the cheapest type first.
fn by_the_hour(prices: &BTreeMap<String, f64>) -> String {
    let mut prices: Vec<_> = prices.iter().collect();
    prices.sort_by(|one, other| one.1.total_cmp(other.1));
    let prices: Vec<_> =
        prices.iter().map(|(node, price)| format!("${price} for a {node}")).collect();
    format!("{} an hour", prices.join(", "))
}
