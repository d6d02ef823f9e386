//! ElastiCache's IAM login, against servers that are told which token to take: ElastiCache does so
//! inside, and Redis knows passwords only.

mod caches;
mod failures;
mod renewal;
mod url;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use cloakroom::store::RedisIam;
use cloakroom::{ManualClock, Timestamp};

use cloakroom_testing::redis::Node;

/// The credentials that the tokens are signed with; `iam-tokens.py` has the same.
const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const CACHE: &str = "shop-cache";
const USER: &str = "shop";

/// A moment and its token. The tokens are of one user and one cache, an hour apart.
struct Golden {
    moment: Timestamp,
    token: &'static str,
}

fn golden() -> [Golden; 3] {
    let lines = include_str!("../../src/golden/iam-tokens-v1.txt").lines();
    let fields = lines.map(|line| line.split('\t').collect::<Vec<_>>());
    let ours = fields.filter(|fields| fields.get(1..5) == Some(&[CACHE, USER, "nodes", "keys"]));
    let golden = ours.map(|fields| Golden {
        moment: Timestamp::from_millis(fields[0].parse().unwrap()),
        token: fields[5],
    });
    golden.collect::<Vec<_>>().try_into().ok().unwrap()
}

/// Provides AWS credentials until it is broken.
#[derive(Clone, Debug, Default)]
struct Provider(Arc<Provided>);

#[derive(Debug, Default)]
struct Provided {
    asked: AtomicUsize,
    broken: AtomicBool,
}

impl Provider {
    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn set_broken(&self, broken: bool) {
        self.0.broken.store(broken, Ordering::SeqCst);
    }
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        future::ProvideCredentials::ready(match self.0.broken.load(Ordering::SeqCst) {
            true => Err(CredentialsError::provider_error("the service for roles is down")),
            false => Ok(Credentials::new(KEY_ID, SECRET, None, None, "tests")),
        })
    }
}

fn iam(provider: impl ProvideCredentials + 'static, clock: &ManualClock) -> RedisIam {
    RedisIam::new("Shop-Cache", "eu-west-1", provider).clock(clock.clone())
}

/// Makes the server accept this token and no other. Connections that have logged in stay so.
fn expect(node: &Node, token: &str) {
    let password = format!(">{token}");
    let rights = ["on", "~cloakroom:*", "+@all", "-@admin"];
    let command = [&["ACL", "SETUSER", USER, "resetpass", &password], &rights[..]].concat();
    node.ask(&command).ok();
}

/// Returns how many logins the server has accepted and refused so far.
fn logins(node: &Node) -> (u64, u64) {
    let stats = node.ask(&["INFO", "commandstats"]).text();
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_auth:"));
    let number = |name: &str| {
        let mut fields = line.unwrap_or_default().split(',').filter_map(|f| f.split_once('='));
        fields.find_map(|(field, value)| (field == name).then(|| value.parse().unwrap()))
    };
    let failed: u64 = number("failed_calls").unwrap_or(0);
    (number("calls").unwrap_or(0) - failed, failed)
}
