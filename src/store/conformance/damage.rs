//! Laws about entries that the store cannot have written.

use super::harness::Damage;
use super::sentences;
use super::trial::{AN_HOUR, Trial};
use super::violation::{Verdict, Violation};
use crate::error::{StoreError, StoreErrorKind};
use crate::store::entry::Version;

/// A damaged entry is not taken for an absent one.
pub async fn damage_is_corrupt_when_loaded(harness: &dyn Damage) -> Verdict {
    let (trial, _) = damaged(harness).await?;
    is_corrupt(&trial, "load", trial.store.load(&trial.key).await)
}

/// No write takes the place of a damaged entry.
pub async fn damage_is_never_written_over(harness: &dyn Damage) -> Verdict {
    let (trial, version) = damaged(harness).await?;
    let (store, key, entry) = (&trial.store, &trial.key, trial.entry("new"));
    is_corrupt(&trial, "create", store.create(key, &entry).await)?;
    is_corrupt(&trial, "replace", store.replace(key, &version, &entry).await)?;
    is_corrupt(&trial, "touch", store.touch(key, &version, trial.deadline(2 * AN_HOUR)).await)?;
    is_corrupt(&trial, "load after the writes", store.load(key).await)
}

/// A damaged entry can be deleted.
pub async fn delete_removes_damage(harness: &dyn Damage) -> Verdict {
    let (trial, _) = damaged(harness).await?;
    trial.delete().await?;
    trial.is_absent().await?;
    let entry = trial.entry("new");
    let version = trial.created(&entry).await?;
    trial.holds(&version, &entry).await
}

async fn damaged(harness: &dyn Damage) -> Result<(Trial, Version), Violation> {
    let trial = Trial::new(sentences::DAMAGE, harness).await;
    let version = trial.created(&trial.entry("whole")).await?;
    harness.corrupt(&trial.key).await;
    Ok((trial, version))
}

fn is_corrupt<T>(trial: &Trial, command: &str, answer: Result<T, StoreError>) -> Verdict {
    let kind = answer.err().map(|error| error.kind());
    trial.check(
        kind == Some(StoreErrorKind::Corrupt),
        format_args!(
            "{command} of a damaged entry answered {kind:?}, not Corrupt (None is success)"
        ),
    )
}
