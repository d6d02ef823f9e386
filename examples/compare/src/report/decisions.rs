//! *Take this when …*: the situations that people have. The text is advice; the figures beside it are
//! the run's.

pub(crate) struct Situation {
    pub(crate) when: &'static str,
    pub(crate) take: &'static str,
    pub(crate) why: &'static str,
    /// The strategies whose figures belong here.
    pub(crate) strategies: &'static [&'static str],
}

pub(crate) const SITUATIONS: [Situation; 5] = [
    Situation {
        when: "One server",
        take: "MemoryStore; FileStore in a local folder if a restart must not empty the carts",
        why: "Nothing to run and nothing to wait for. With a second server each has sessions of its \
              own: then change the one line.",
        strategies: &["memory", "file"],
    },
    Situation {
        when: "A few servers and no infrastructure",
        take: "SignedCookie, encrypted with the feature private",
        why: "The visitor carries the session, so any server will do and a dead one takes nothing \
              with it. For small sessions, and not where a logout must end every copy of the cookie \
              or parallel changes must all be kept.",
        strategies: &["cookie", "private-cookie"],
    },
    Situation {
        when: "Latency first",
        take: "RedisStore on ElastiCache for Valkey, with a replica; MemcachedStore where logins may \
               be lost with a node",
        why: "Sessions are in the memory of a server that all others reach. A fail-over may lose the \
              last writes; a node of Memcached takes its sessions with it.",
        strategies: &["redis", "redis-failover", "memcached"],
    },
    Situation {
        when: "Serverless",
        take: "DynamoDbStore",
        why: "Nothing runs between requests, no network to join, and what is acknowledged is kept. \
              Each request that uses its session is billed, by size: keep sessions small.",
        strategies: &["dynamodb"],
    },
    Situation {
        when: "A shared file system already there",
        take: "FileStore on EFS or any NFSv4.1",
        why: "Durable, and nothing new to run. A change is a dozen requests to the file server, so it \
              is the slower and, on EFS, the dearer the more is written.",
        strategies: &["file", "nfs"],
    },
];
