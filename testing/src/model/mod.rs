//! The contract of a store as a small model, with which random commands compare any store.
//!
//! [`compare`] draws commands from a seed and sends them to a store through several handles, one by one and many
//! at the same time, on a few keys, while the store's clock moves and others meddle with what is there. The model
//! knows what may be under each key. Of commands at the same time it tries every order. An answer that nothing
//! explains is a fault of the store.
//!
//! The laws of the conformance kit ask one question each; this finds what nobody has thought of asking. It needs a
//! store whose clock can be set, and then waits for nothing.
//!
//! ```sh
//! MODEL_SEEDS=5000 cargo test --all-features --test sqlite model
//! MODEL_FIRST=4711 MODEL_SEEDS=1 cargo test --all-features --test sqlite model    # one that has failed
//! ```

mod draw;
mod place;
mod play;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::store::{SessionStore, StoreKey};
use cloakroom::{ManualClock, Timestamp};

/// A store that is compared with the model.
#[derive(Debug)]
pub struct Subject {
    handles: Vec<Arc<dyn SessionStore>>,
    clock: ManualClock,
    max_entry_bytes: Option<usize>,
}

impl Subject {
    /// `handles` have the same entries and read the time from `clock`.
    pub fn new(
        handles: impl IntoIterator<Item = Arc<dyn SessionStore>>,
        clock: &ManualClock,
    ) -> Self {
        let handles: Vec<_> = handles.into_iter().collect();
        assert!(!handles.is_empty());
        Self { handles, clock: clock.clone(), max_entry_bytes: None }
    }

    /// Sets the most bytes of an entry that the store takes; more have to be refused.
    #[must_use]
    pub fn max_entry_bytes(mut self, most: usize) -> Self {
        self.max_entry_bytes = Some(most);
        self
    }
}

/// The surroundings of a store: others who write where it does, and a look at the entries that it has written.
#[async_trait]
pub trait Surroundings: Sync {
    /// Puts something else in the place of a live entry. `choice` is a random number that chooses among all that
    /// the store may find there.
    async fn meddle(&self, key: &StoreKey, choice: u64) -> Meddling {
        let _ = (key, choice);
        Meddling::Nothing
    }

    /// Looks by other means at what the store has under a key, and panics if it does not fit: an entry that lives
    /// until `deadline`, or none.
    async fn inspect(&self, key: &StoreKey, deadline: Option<Timestamp>) {
        let _ = (key, deadline);
    }
}

/// The change that somebody else has made to an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Meddling {
    Nothing,
    /// It is not there any more.
    Removed,
    /// The store cannot have written what is there now.
    Damaged,
    /// A newer release of the store may have written what is there now.
    Newer,
}

/// Nobody else is there.
#[derive(Debug)]
pub struct Undisturbed;

impl Surroundings for Undisturbed {}

/// Compares a store with the model, for `usual` seeds or as many as `MODEL_SEEDS` says, from `MODEL_FIRST` on.
///
/// # Panics
///
/// If an answer cannot be explained. The message has the seed and the commands on that key.
pub async fn compare(subject: &Subject, surroundings: &impl Surroundings, usual: u64) {
    let number = |name, usual| {
        std::env::var(name).map_or(usual, |text| text.parse::<u64>().expect("a number"))
    };
    let first = number("MODEL_FIRST", 0);
    let seeds = first..first + number("MODEL_SEEDS", usual);
    match differences(subject, surroundings, seeds.clone()).await {
        Ok(commands) => println!("seeds {seeds:?}: {commands} commands"),
        Err(fault) => panic!("{fault}"),
    }
}

/// Plays seeds until one finds a difference, which is then described. Otherwise returns the number of commands.
pub async fn differences(
    subject: &Subject,
    surroundings: &impl Surroundings,
    seeds: Range<u64>,
) -> Result<usize, String> {
    let mut commands = 0;
    for seed in seeds {
        commands += play::play(subject, surroundings, seed).await.map_err(|fault| {
            format!(
                "{fault}\nagain: MODEL_FIRST={seed} MODEL_SEEDS=1 (the times of answers differ)"
            )
        })?;
    }
    Ok(commands)
}
