//! Laws about time. Each lets at most two seconds pass.

use std::time::Duration;

use super::harness::Harness;
use super::sentences;
use super::trial::{AN_HOUR, Trial};
use super::violation::{Verdict, Violation};
use crate::clock::Timestamp;
use crate::store::entry::Touched;

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The number of attempts at a law whose entry may expire before its commands are answered.
const ATTEMPTS: usize = 5;
const TOO_LATE: &str =
    "in each of five attempts the entry expired before the next command was answered";

/// Half-way to its deadline an entry is live.
pub async fn an_entry_lives_until_its_deadline(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::LIVE, harness).await;
    let entry = trial.brief_entry(harness, "brief");
    let version = trial.created(&entry).await?;
    harness.advance(trial.brief_lifetime() / 2).await;
    let held = trial.holds(&version, &entry).await;
    // A machine that stood still until after the deadline has shown nothing.
    if harness.now() < entry.deadline { held } else { Ok(()) }
}

/// At its deadline (rounded up by at most the store's resolution) an entry is absent.
pub async fn an_expired_entry_is_none(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::LIVE, harness).await;
    trial.created(&trial.brief_entry(harness, "brief")).await?;
    Trial::wait_for_expiry(harness).await;
    trial.is_absent().await
}

/// An expired entry gives way to a new one.
pub async fn create_works_over_an_expired_entry(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::CREATE_OVER_EXPIRED, harness).await;
    trial.created(&trial.brief_entry(harness, "brief")).await?;
    Trial::wait_for_expiry(harness).await;
    let entry = trial.entry("new");
    let version = trial.created(&entry).await?;
    trial.holds(&version, &entry).await
}

/// A write that comes after the deadline does not bring the entry back.
pub async fn replace_of_an_expired_entry_is_gone(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::REPLACE_GONE, harness).await;
    let version = trial.created(&trial.brief_entry(harness, "brief")).await?;
    Trial::wait_for_expiry(harness).await;
    trial.replace_is_gone(&version).await?;
    trial.is_absent().await
}

/// A touch that comes after the deadline does not bring the entry back.
pub async fn touch_of_an_expired_entry_is_gone(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::TOUCH_GONE, harness).await;
    let version = trial.created(&trial.brief_entry(harness, "brief")).await?;
    Trial::wait_for_expiry(harness).await;
    trial.touch_is(Touched::Gone, &version, trial.deadline(AN_HOUR)).await?;
    trial.is_absent().await
}

/// An entry whose deadline has passed before it is written is never live. Some servers refuse such a
/// time to live, or take it for no expiry at all.
pub async fn an_entry_born_expired_is_never_live(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::LIVE, harness).await;
    let past = harness.now().saturating_sub(Duration::from_secs(60));
    trial.create(&trial.entry_until(past, "created late")).await?;
    trial.is_absent().await?;

    let trial = trial.at_another_key();
    let version = trial.created(&trial.entry("in time")).await?;
    trial.replace(&version, &trial.entry_until(past, "replaced late")).await?;
    trial.is_absent().await
}

/// Deadlines far ahead are kept. Some servers take a long time to live for a date, or refuse it.
pub async fn far_deadlines_are_kept(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::LIVE, harness).await;
    let far = [31, 400, 40_000].map(|days| trial.deadline(A_DAY * days));
    for deadline in far.into_iter().chain([Timestamp::MAX]) {
        let trial = trial.at_another_key();
        let entry = trial.entry_until(deadline, "far");
        let version = trial.created(&entry).await?;
        trial.holds(&version, &entry).await?;
        let entry = trial.entry_until(deadline, "farther");
        let version = trial.replaced(&version, &entry).await?;
        trial.holds(&version, &entry).await?;
    }
    Ok(())
}

/// Returns `None` if `step` failed after `deadline`: the entry had expired by then, so the failure proves nothing.
fn unless_late<T>(
    harness: &dyn Harness,
    deadline: Timestamp,
    step: Result<T, Violation>,
) -> Result<Option<T>, Violation> {
    match step {
        Err(_) if harness.now() >= deadline => Ok(None),
        step => step.map(Some),
    }
}

/// A touched entry is live after its first deadline.
pub async fn a_touched_entry_outlives_its_first_deadline(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::TOUCH, harness).await;
    for _ in 0..ATTEMPTS {
        let trial = trial.at_another_key();
        let mut entry = trial.brief_entry(harness, "touched");
        let version = trial.created(&entry).await?;
        let first_deadline = entry.deadline;
        entry.deadline = trial.deadline(AN_HOUR);
        let touched = trial.touch_is(Touched::Done, &version, entry.deadline).await;
        if unless_late(harness, first_deadline, touched)?.is_some() {
            Trial::wait_for_expiry(harness).await;
            return trial.holds(&version, &entry).await;
        }
    }
    trial.fail(TOO_LATE)
}

/// A replaced entry is live after its first deadline.
pub async fn a_replaced_entry_outlives_its_first_deadline(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::REPLACE, harness).await;
    for _ in 0..ATTEMPTS {
        let trial = trial.at_another_key();
        let brief = trial.brief_entry(harness, "brief");
        let version = trial.created(&brief).await?;
        let entry = trial.entry("lasting");
        let replaced = trial.replaced(&version, &entry).await;
        if let Some(version) = unless_late(harness, brief.deadline, replaced)? {
            Trial::wait_for_expiry(harness).await;
            return trial.holds(&version, &entry).await;
        }
    }
    trial.fail(TOO_LATE)
}

/// A replace may shorten an entry's life: it expires at the new deadline.
pub async fn replace_may_bring_the_deadline_nearer(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::REPLACE_EARLIER, harness).await;
    for _ in 0..ATTEMPTS {
        let trial = trial.at_another_key();
        let version = trial.created(&trial.entry("lasting")).await?;
        let entry = trial.brief_entry(harness, "brief");
        let version = trial.replaced(&version, &entry).await?;
        let held = trial.holds(&version, &entry).await;
        if unless_late(harness, entry.deadline, held)?.is_some() {
            Trial::wait_for_expiry(harness).await;
            return trial.is_absent().await;
        }
    }
    trial.fail(TOO_LATE)
}
