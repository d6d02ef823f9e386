//! Laws about `touch`.

use super::harness::Harness;
use super::sentences;
use super::trial::{AN_HOUR, Trial};
use super::violation::Verdict;
use crate::store::entry::Touched;

/// A touch moves the deadline; data and version stay, and the version can still be replaced.
pub async fn touch_moves_the_deadline_and_nothing_else(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::TOUCH, harness).await;
    let mut entry = trial.entry("a coat");
    let version = trial.created(&entry).await?;
    entry.deadline = trial.deadline(2 * AN_HOUR);
    trial.touch_is(Touched::Done, &version, entry.deadline).await?;
    trial.holds(&version, &entry).await?;
    trial.replaced(&version, &trial.entry("another")).await?;
    Ok(())
}

/// A deadline that is earlier, or the same, changes nothing.
pub async fn touch_never_moves_the_deadline_back(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::TOUCH_SKIPS, harness).await;
    let entry = trial.entry("a coat");
    let version = trial.created(&entry).await?;
    let there = trial.live().await?.deadline;
    for deadline in [trial.deadline(AN_HOUR / 2), there] {
        trial.touch_is(Touched::Skipped, &version, deadline).await?;
        trial.holds(&version, &entry).await?;
    }
    Ok(())
}

/// A touch that expects a former version changes nothing.
pub async fn touch_of_another_version_is_skipped(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::TOUCH_SKIPS, harness).await;
    let first = trial.created(&trial.entry("first")).await?;
    let entry = trial.entry("second");
    let second = trial.replaced(&first, &entry).await?;
    trial.touch_is(Touched::Skipped, &first, trial.deadline(2 * AN_HOUR)).await?;
    trial.holds(&second, &entry).await
}

/// Where nothing was ever written, a touch writes nothing.
pub async fn touch_of_an_absent_entry_is_gone(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::TOUCH_GONE, harness).await;
    let elsewhere = trial.at_another_key();
    let version = elsewhere.created(&elsewhere.entry("elsewhere")).await?;
    trial.touch_is(Touched::Gone, &version, trial.deadline(2 * AN_HOUR)).await?;
    trial.is_absent().await
}

/// A touch that had loaded the entry before it was deleted does not bring it back.
pub async fn touch_after_delete_does_not_resurrect(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::TOUCH_GONE, harness).await;
    let version = trial.created(&trial.entry("a coat")).await?;
    trial.delete().await?;
    trial.touch_is(Touched::Gone, &version, trial.deadline(2 * AN_HOUR)).await?;
    trial.is_absent().await
}
