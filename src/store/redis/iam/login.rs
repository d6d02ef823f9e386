//! Makes a token for each login.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use fred::error::{Error, ErrorKind};
use fred::types::config::{CredentialProvider, Server};

use super::options::RedisIam;
use super::token::Claim;
use crate::clock::Timestamp;
use crate::error_chain::WithCauses;
use crate::poison::IgnorePoison;

/// AWS credentials that expire sooner than this are fetched anew.
const EXPIRY_MARGIN: Duration = Duration::from_secs(60);

/// The client library's source of credentials: a user, and a new token for each login.
///
/// The token is never kept, although it would be valid for 15 minutes: signing is cheaper than
/// finding out when ElastiCache stops accepting it.
pub(in crate::store::redis) struct Login(Arc<Inner>);

struct Inner {
    user: String,
    iam: RedisIam,
    cached: Mutex<Option<Credentials>>,
}

impl Login {
    pub(in crate::store::redis) fn new(user: String, iam: RedisIam) -> Self {
        Self(Arc::new(Inner { user, iam, cached: Mutex::default() }))
    }
}

impl Inner {
    async fn make_token(&self) -> Result<String, Error> {
        let RedisIam { cache, region, serverless, clock, .. } = &self.iam;
        let claim = Claim { user: &self.user, cache, region, serverless: *serverless };
        claim.check().map_err(|problem| Error::new(ErrorKind::Config, problem))?;
        let credentials = match self.cached_credentials() {
            Some(cached) => cached,
            None => self.fetch_credentials().await?,
        };
        let token = claim.sign(credentials, clock.now());
        token.ok_or_else(|| Error::new(ErrorKind::Config, "the IAM token cannot be signed"))
    }

    /// Returns the credentials of the last login, if they are valid for long enough.
    fn cached_credentials(&self) -> Option<Credentials> {
        let enough = self.iam.clock.now().saturating_add(EXPIRY_MARGIN);
        let cached = self.cached.lock().ignore_poison().clone();
        cached.filter(|cached| cached.expiry().is_some_and(|end| Timestamp::from(end) > enough))
    }

    async fn fetch_credentials(&self) -> Result<Credentials, Error> {
        let fetched = self.iam.credentials.provide_credentials().await.map_err(with_causes)?;
        *self.cached.lock().ignore_poison() = Some(fetched.clone());
        Ok(fetched)
    }
}

#[async_trait]
impl CredentialProvider for Login {
    /// Returns the user's name and a token.
    async fn fetch(&self, _: Option<&Server>) -> Result<(Option<String>, Option<String>), Error> {
        let inner = self.0.clone();
        // In a task, so that credentials that take longer than one attempt to connect are there for
        // the next attempt.
        let token = tokio::spawn(async move { inner.make_token().await }).await??;
        Ok((Some(self.0.user.clone()), Some(token)))
    }

    fn refresh_interval(&self) -> Option<Duration> {
        Some(self.0.iam.renewal_interval)
    }
}

/// Converts an error together with its causes, because its own text says little, and the library's
/// error has no source.
fn with_causes(error: CredentialsError) -> Error {
    let kind = match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            ErrorKind::Config
        }
        _ => ErrorKind::IO,
    };
    Error::new(kind, format!("no AWS credentials: {}", WithCauses(&error)))
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::provider::future;

    use super::*;
    use crate::clock::ManualClock;

    /// Provides credentials that are valid for an hour.
    #[derive(Clone, Debug)]
    struct Role(ManualClock, Arc<AtomicUsize>);

    impl ProvideCredentials for Role {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.1.fetch_add(1, Ordering::Relaxed);
            let end = self.0.now().saturating_add(Duration::from_secs(60 * 60));
            let credentials = Credentials::new("id", "secret", None, Some(end.into()), "tests");
            future::ProvideCredentials::ready(Ok(credentials))
        }
    }

    #[tokio::test]
    async fn credentials_are_cached_until_a_minute_before_they_expire_and_tokens_never() {
        let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
        let role = Role(clock.clone(), Arc::default());
        let iam = RedisIam::new("shop-cache", "eu-west-1", role.clone()).clock(clock.clone());
        let login = Login::new("shop".to_owned(), iam);
        let mut tokens = Vec::new();
        for (minutes, asked) in [(0, 1), (30, 1), (28, 1), (1, 2), (30, 2)] {
            clock.advance(Duration::from_secs(60 * minutes));
            tokens.push(login.fetch(None).await.unwrap().1.unwrap());
            assert_eq!(role.1.load(Ordering::Relaxed), asked, "after {minutes} more minutes");
        }
        tokens.dedup();
        assert_eq!(tokens.len(), 5);
        assert!(!format!("{login:?}").contains("secret"));
    }
}
