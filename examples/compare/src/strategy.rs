//! The strategies.

use crate::cli::Copies;
use crate::results::{Sharing, StrategyName};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Strategy {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) sharing: Sharing,
    pub(crate) place: Place,
    /// Whether the balancer sends a visitor to the same node each time.
    pub(crate) is_sticky: bool,
    /// For how many seconds a node may answer a read from its own memory in front of the store.
    pub(crate) staleness: Option<u32>,
}

/// The place where sessions are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Memory,
    Cluster(Copies),
    Cookie,
    PrivateCookie,
    Redis,
    RedisWithSentinels,
    Memcached,
    DynamoDb,
    PostgreSql,
    MySql,
    SqliteFile,
    Folder,
    Nfs,
    Bucket,
}

/// All strategies, in the order in which they run and are shown.
pub(crate) const STRATEGIES: [Strategy; 19] = [
    apart("memory", "One server's memory behind round robin", false),
    apart("sticky", "ELB sticky sessions", true),
    clustered(
        "all-to-all",
        "Clustering, all to all (as Tomcat's DeltaManager)",
        Copies::Everywhere,
    ),
    clustered(
        "primary-secondary",
        "Clustering, primary and backup (as Tomcat's BackupManager)",
        Copies::OneBackup,
    ),
    others("cookie", "Signed cookie", Sharing::Cookie, Place::Cookie),
    others("private-cookie", "Private cookie", Sharing::Cookie, Place::PrivateCookie),
    others("redis", "ElastiCache for Redis or Valkey", Sharing::Store, Place::Redis),
    others(
        "redis-failover",
        "ElastiCache for Redis or Valkey, with a replica",
        Sharing::Store,
        Place::RedisWithSentinels,
    ),
    others("memcached", "ElastiCache for Memcached", Sharing::Store, Place::Memcached),
    others("dynamodb", "DynamoDB", Sharing::Store, Place::DynamoDb),
    near("near-redis", "Near of 1 s before Redis or Valkey", Place::Redis, 1),
    near("near-dynamodb", "Near of 1 s before DynamoDB", Place::DynamoDb, 1),
    near("near-dynamodb-5s", "Near of 5 s before DynamoDB", Place::DynamoDb, 5),
    others("postgres", "RDS or Aurora for PostgreSQL", Sharing::Store, Place::PostgreSql),
    others("mysql", "RDS or Aurora for MySQL", Sharing::Store, Place::MySql),
    others("sqlite", "SQLite, one file on one server", Sharing::Store, Place::SqliteFile),
    others("file", "EFS, as a folder that the servers share", Sharing::Store, Place::Folder),
    others("nfs", "EFS, over NFS", Sharing::Store, Place::Nfs),
    others("s3", "S3, an object for each session", Sharing::Store, Place::Bucket),
];

const fn apart(id: &'static str, title: &'static str, is_sticky: bool) -> Strategy {
    Strategy { is_sticky, ..others(id, title, Sharing::None, Place::Memory) }
}

/// A cluster behind sticky sessions, as Tomcat's manual demands it.
const fn clustered(id: &'static str, title: &'static str, copies: Copies) -> Strategy {
    Strategy { is_sticky: true, ..others(id, title, Sharing::Copies, Place::Cluster(copies)) }
}

/// Behind sticky sessions, because a node can only remember the sessions of visitors who come back to it.
const fn near(id: &'static str, title: &'static str, place: Place, seconds: u32) -> Strategy {
    let staleness = Some(seconds);
    Strategy { is_sticky: true, staleness, ..others(id, title, Sharing::Store, place) }
}

const fn others(id: &'static str, title: &'static str, sharing: Sharing, place: Place) -> Strategy {
    Strategy { id, title, sharing, place, is_sticky: false, staleness: None }
}

impl Strategy {
    pub(crate) fn name(&self) -> StrategyName {
        StrategyName {
            id: self.id.into(),
            title: self.title.into(),
            sharing: self.sharing,
            staleness_seconds: self.staleness,
        }
    }
}

/// Returns the strategies with these ids, or all.
pub(crate) fn chosen(only: &[String]) -> Result<Vec<Strategy>, String> {
    if let Some(unknown) = only.iter().find(|&id| STRATEGIES.iter().all(|known| known.id != id)) {
        let ids: Vec<_> = STRATEGIES.iter().map(|known| known.id).collect();
        return Err(format!("there is no strategy `{unknown}`; there are {}", ids.join(", ")));
    }
    let is_chosen = |known: &Strategy| only.is_empty() || only.iter().any(|id| id == known.id);
    Ok(STRATEGIES.into_iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chooses_in_the_order_of_the_table() {
        let ids = |only: &[&str]| {
            let only: Vec<_> = only.iter().map(|&id| id.to_owned()).collect();
            chosen(&only).map(|chosen| chosen.iter().map(|known| known.id).collect::<Vec<_>>())
        };
        assert_eq!(ids(&[]).unwrap().len(), STRATEGIES.len());
        assert_eq!(ids(&["redis", "memory"]).unwrap(), ["memory", "redis"]);
        assert!(ids(&["tape"]).unwrap_err().contains("there is no strategy `tape`"));
    }
}
