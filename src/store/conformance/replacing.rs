//! Laws about `replace`.

use super::harness::Harness;
use super::sentences;
use super::trial::{AN_HOUR, Answer, Trial, random};
use super::violation::{Verdict, Violation};
use crate::store::entry::{NewEntry, Replaced, Version};

/// A replace changes data, version and deadline.
pub async fn replace_changes_data_version_and_deadline(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::REPLACE, harness).await;
    let first = trial.created(&trial.entry("first")).await?;
    let entry = trial.entry_for(2 * AN_HOUR, "second");
    let second = trial.replaced(&first, &entry).await?;
    trial.check(first != second, format_args!("the version is {second:?} as before"))?;
    trial.holds(&second, &entry).await
}

/// A version that was replaced cannot be replaced again, and the answer is the entry that is there.
pub async fn replace_of_a_former_version_is_a_conflict(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::REPLACE_CONFLICT, harness).await;
    let first = trial.created(&trial.entry("first")).await?;
    let entry = trial.entry_for(2 * AN_HOUR, "second");
    let second = trial.replaced(&first, &entry).await?;
    conflicts(&trial, &first, &trial.entry("late"), (&second, &entry)).await
}

/// A version that the store never gave cannot be replaced, whatever it looks like.
pub async fn replace_of_a_foreign_version_is_a_conflict(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::REPLACE_CONFLICT, harness).await;
    let entry = trial.entry("there");
    let version = trial.created(&entry).await?;
    let foreign = trial.at_another_key();
    let foreign = foreign.created(&foreign.entry("elsewhere")).await?;
    let made_up: [u8; Version::MAX_BYTES] = random();
    for other in [Some(foreign), Version::new(&made_up), Version::new(b"")].into_iter().flatten() {
        conflicts(&trial, &other, &trial.entry("late"), (&version, &entry)).await?;
    }
    Ok(())
}

/// The version of a deleted entry cannot be replaced, even when a new entry has taken its place.
pub async fn replace_of_a_deleted_version_is_a_conflict(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::REPLACE_CONFLICT, harness).await;
    let old = trial.created(&trial.entry("equal")).await?;
    trial.delete().await?;
    let entry = trial.entry("equal");
    let version = trial.created(&entry).await?;
    conflicts(&trial, &old, &trial.entry("late"), (&version, &entry)).await
}

/// The same write sent twice, as after a lost answer, is applied once: the second time it meets
/// its own entry.
pub async fn replace_sent_twice_is_applied_once(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::REPLACE_CONFLICT, harness).await;
    let first = trial.created(&trial.entry("first")).await?;
    let entry = trial.entry("second");
    let second = trial.replaced(&first, &entry).await?;
    conflicts(&trial, &first, &entry, (&second, &entry)).await
}

/// Where nothing was ever written, a replace writes nothing.
pub async fn replace_of_an_absent_entry_is_gone(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::REPLACE_GONE, harness).await;
    let elsewhere = trial.at_another_key();
    let version = elsewhere.created(&elsewhere.entry("elsewhere")).await?;
    trial.replace_is_gone(&version).await?;
    trial.is_absent().await
}

/// A write that had loaded the entry before it was deleted does not bring it back.
pub async fn replace_after_delete_does_not_resurrect(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::REPLACE_GONE, harness).await;
    let version = trial.created(&trial.entry("a coat")).await?;
    trial.delete().await?;
    trial.replace_is_gone(&version).await?;
    trial.is_absent().await
}

/// Checks that replacing `other` answers with the entry that is there, and leaves it there.
async fn conflicts(
    trial: &Trial,
    other: &Version,
    late: &NewEntry,
    (version, there): (&Version, &NewEntry),
) -> Result<(), Violation> {
    match trial.replace(other, late).await? {
        Replaced::Conflict(entry) => trial.is(&entry, version, there)?,
        answer => {
            return trial.fail(format_args!("replace answered {}, not Conflict", Answer(&answer)));
        }
    }
    trial.holds(version, there).await
}
