//! The people who can log in, and the hashes of their passwords. A real app keeps them in a database;
//! here each server has its own table, which is the same at every start.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task;

#[derive(Debug)]
pub(crate) struct Accounts {
    table: RwLock<BTreeMap<String, Account>>,
    /// The hash that a password is compared with if nobody has the name. Without it, the answer would come
    /// sooner, and so tell which names exist.
    nobodys: String,
    hashing: Semaphore,
}

#[derive(Debug)]
struct Account {
    role: Role,
    /// Argon2id with its parameters and salt, in the PHC string format.
    hash: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    User,
    Admin,
    /// Set by an administrator in the sessions that a user has; see `devices::ban`.
    Banned,
}

/// Passwords that are hashed at once. Each takes 19 MiB and some 20 ms of a processor, so a flood of
/// logins has to wait. An app that the world can reach also limits the attempts of each client.
const HASHED_AT_ONCE: usize = 4;

impl Accounts {
    pub(crate) fn new() -> Result<Self, password_hash::Error> {
        let people = [
            ("alice", "wonderland", Role::User),
            ("mallory", "password1", Role::User),
            ("root", "toor-toor", Role::Admin),
        ];
        let mut table = BTreeMap::new();
        for (name, password, role) in people {
            table.insert(name.to_owned(), Account { role, hash: hash(password)? });
        }
        Ok(Self {
            table: RwLock::new(table),
            nobodys: hash("whatever nobody can type")?,
            hashing: Semaphore::new(HASHED_AT_ONCE),
        })
    }

    /// Returns the role of the user, if this is the password.
    pub(crate) async fn check(&self, user: &str, password: Password) -> Option<Role> {
        let account = self.read(user, |account| (account.role, account.hash.clone()));
        let (role, hash) = match account {
            Some((role, hash)) => (Some(role), hash),
            None => (None, self.nobodys.clone()),
        };
        let is_right = self.work(move || is_right(&password, &hash)).await.unwrap_or(false);
        role.filter(|_| is_right)
    }

    /// Changes the password if `old` is the present one, and returns `None` otherwise.
    ///
    /// The change takes effect at once, and lasts only if it is [kept](Change::keep).
    pub(crate) async fn change(
        &self,
        user: &str,
        old: Password,
        new: NewPassword,
    ) -> Option<Change<'_>> {
        let before = self.read(user, |account| account.hash.clone())?;
        let present = before.clone();
        let hashed = self.work(move || {
            let is_right = is_right(&old, &present);
            is_right.then(|| hash(&new.0)).and_then(Result::ok)
        });
        let after = hashed.await??;
        // Another request may have changed it meanwhile: then `old` is no longer right.
        let is_changed = self.replace(user, &before, &after);
        let user = user.to_owned();
        is_changed.then(|| Change { accounts: self, user, before, after, is_kept: false })
    }

    /// Replaces the hash of a user, if it is still `present`.
    fn replace(&self, user: &str, present: &str, new: &str) -> bool {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let account = table.get_mut(user).filter(|account| account.hash == present);
        account.map(|account| account.hash = new.to_owned()).is_some()
    }

    /// Returns all names with their roles.
    pub(crate) fn all(&self) -> Vec<(String, Role)> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.iter().map(|(name, account)| (name.clone(), account.role)).collect()
    }

    fn read<T>(&self, user: &str, read: impl FnOnce(&Account) -> T) -> Option<T> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).get(user).map(read)
    }

    /// Runs slow work on a thread that no request waits for.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _turn = self.hashing.acquire().await.ok()?;
        task::spawn_blocking(work).await.ok()
    }
}

/// A changed password. Dropping it puts the old one back, as when the rest of the change fails or its client
/// hangs up, so that the user can repeat the whole change.
#[must_use = "dropping it puts the old password back"]
pub(crate) struct Change<'a> {
    accounts: &'a Accounts,
    user: String,
    /// The hashes before and after the change.
    before: String,
    after: String,
    is_kept: bool,
}

impl Change<'_> {
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // Does nothing if a later change has replaced this one.
            self.accounts.replace(&self.user, &self.after, &self.before);
        }
    }
}

fn hash(password: &str) -> Result<String, password_hash::Error> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes())?;
    Ok(hash.to_string())
}

fn is_right(password: &Password, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.0.as_bytes(), &hash).is_ok()
}

/// A password as a visitor has sent it. No log shows it.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Password(String);

/// A password that somebody may choose: 8 to 128 characters, of any kind (ASVS 6.2.1, 6.2.9).
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct NewPassword(String);

impl TryFrom<String> for NewPassword {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match (8..=128).contains(&text.chars().count()) {
            true => Ok(Self(text)),
            false => Err("a password has 8 to 128 characters"),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(..)")
    }
}
