//! *Take this when …*: which store fits which situation. The text is advice; the figures beside it
//! are the run's.

use maud::{Markup, html};

use super::chart::steady;
use super::figures::{count, dollars, milliseconds};
use crate::cost::{Estimate, Mix, SIZES_KB, TYPICAL};
use crate::prices::Prices;
use crate::results::{Comparison, Measured};

struct Situation {
    when: &'static str,
    take: &'static str,
    why: &'static str,
    /// The strategies whose figures belong here.
    strategies: &'static [&'static str],
}

const SITUATIONS: [Situation; 8] = [
    Situation {
        when: "One server",
        take: "MemoryStore; SqliteStore if a restart must not empty the carts",
        why: "Nothing to run and nothing to wait for. SQLite keeps what is acknowledged in one file, also \
              for several processes. Two servers would each have their own sessions, and the figures of \
              memory show what that does: take another store then. An EBS volume or an instance store \
              belongs to one server, so sessions on it are for an app with one; what several servers may \
              keep by themselves is a copy of what a shared store has, and that is Near.",
        strategies: &["memory", "sqlite"],
    },
    Situation {
        when: "A few servers and no infrastructure",
        take: "CookieSessions, encrypted with the feature private",
        why: "The visitor carries the session, so any server can answer, and a server that dies takes \
              no session with it. For small sessions, and not where a logout must end every copy of \
              the cookie or where parallel changes must all be kept.",
        strategies: &["cookie", "private-cookie"],
    },
    Situation {
        when: "Latency first",
        take: "RedisStore on ElastiCache for Valkey, with a replica; MemcachedStore where logins may \
               be lost with a node",
        why: "Sessions are in the memory of a server that all others reach. A failover may lose the \
              last writes, and a Memcached node that dies takes its sessions with it.",
        strategies: &["redis", "redis-failover", "memcached"],
    },
    Situation {
        when: "Serverless",
        take: "DynamoDbStore",
        why: "Nothing runs between requests, and what is acknowledged is kept. Each request that uses \
              its session is billed by size: keep sessions small.",
        strategies: &["dynamodb"],
    },
    Situation {
        when: "A store that bills each read, behind sticky sessions",
        take: "Near in front of it, for 1 s, with Fresh on pages that must not be late",
        why: "A server answers most reads of a page from its own memory, and no acknowledged change is \
              lost. Reads may show for that long what another server has changed, and a session that has \
              ended there. The writes stay, and on DynamoDB they are most of the bill. Behind a balancer \
              that sends a visitor to another server each time it saves little or nothing.",
        strategies: &["near-redis", "near-dynamodb", "near-dynamodb-5s"],
    },
    Situation {
        when: "A bucket and nothing else",
        take: "BucketStore on S3; on S3 Express One Zone if one zone is enough",
        why: "Nothing to run, and sessions may be large. A write of a small one costs four times as much as \
              in DynamoDB, and every page that uses its session waits for a read of 100 to 200 ms, as AWS \
              says; Express One Zone answers in less than 10 ms and is lost with its zone.",
        strategies: &["s3"],
    },
    Situation {
        when: "A database already there",
        take: "PostgresStore or MysqlStore, in a table of its own; on AWS in RDS Multi-AZ or in Aurora",
        why: "Nothing new to run, and what is acknowledged is kept, also when a zone fails. Each change \
              waits for the database's disk, and shares its processors with the rest of the app. With \
              more than some 25 requests a second, RDS for sessions alone costs less than DynamoDB.",
        strategies: &["postgres", "mysql"],
    },
    Situation {
        when: "A shared file system already there",
        take: "FileStore on EFS or any NFSv4.1",
        why: "Durable, and nothing new to run. A change is a dozen requests to the file server, so the \
              time and, on EFS, the price grow with the number of writes.",
        strategies: &["file", "nfs"],
    },
];

pub(crate) fn decisions(comparison: &Comparison, prices: &Prices) -> Markup {
    html! {
        section aria-labelledby="decisions" {
            h2 id="decisions" { "Take this when …" }
            p { "The text is advice. The figures are from this run." }
            div.decisions {
                @for situation in &SITUATIONS {
                    article {
                        h3 { (situation.when) }
                        p.take { (situation.take) }
                        p { (situation.why) }
                        ul { @for line in evidence(situation, comparison, prices) { li { (line) } } }
                    }
                }
            }
        }
    }
}

/// Returns the run's figures for a situation.
fn evidence(situation: &Situation, comparison: &Comparison, prices: &Prices) -> Vec<String> {
    let mix = Mix::from_comparison(comparison);
    let wanted = |strategy: &&Measured| situation.strategies.contains(&&*strategy.strategy.id);
    let lines = comparison.measured().filter(wanted).map(|strategy| {
        let mut parts = Vec::new();
        if let Some(latency) = steady(strategy).and_then(|phase| phase.latency) {
            let [p50, p99] = [latency.p50_ms, latency.p99_ms].map(milliseconds);
            parts.push(format!("p50 {p50} ms, p99 {p99} ms"));
        }
        let killed = strategy.node_killed.audit;
        if killed.carts > 0 {
            let gone = [killed.carts_lost, killed.carts_shrunk, killed.carts].map(count);
            let [lost, shrunk, carts] = gone;
            parts.push(format!(
                "{lost} lost and {shrunk} shrunk of {carts} carts with a dead server"
            ));
        }
        let copies = strategy.logouts.revived_by_copy;
        if copies > 0 {
            parts.push(format!("{} logged-out sessions back by a copied cookie", count(copies)));
        }
        if let Some(estimate) = Estimate::for_strategy(strategy, mix, prices) {
            let (dollars, kb) = (dollars(estimate.dollars[TYPICAL]), SIZES_KB[TYPICAL]);
            parts.push(format!("about {dollars} for a million requests more at {kb} KB"));
        }
        let figures = format!("{}: {}.", strategy.strategy.title, parts.join("; "));
        let remarks = strategy.remarks.iter().map(|remark| remark.trim_end_matches('.'));
        remarks.fold(figures, |text, remark| format!("{text} {remark}."))
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() { vec!["Not measured in this run.".to_owned()] } else { lines }
}
