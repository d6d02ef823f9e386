//! Laws about commands that are dropped half-way: after one poll, after two, and so on until they
//! finish.

use std::pin::pin;
use std::task::Poll;

use super::harness::Harness;
use super::sentences;
use super::trial::{AN_HOUR, Excerpt, Trial};
use super::violation::{Verdict, Violation};
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Version};

/// The most polls after which a command is dropped.
const MOST_POLLS: usize = 64;
/// The most replaces in a row that may conflict: a cancelled write may land between a load and the
/// replace after it.
const MOST_TRIES: usize = 8;

/// A cancelled create leaves nothing or the whole entry, and the key usable.
pub async fn a_cancelled_create_is_all_or_nothing(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::CANCELLED, harness).await;
    for polls in 0..MOST_POLLS {
        let trial = trial.at_another_key();
        let entry = trial.entry(long(b'n'));
        let cut = poll_times(polls, trial.create(&entry)).await;
        if let Some(found) = trial.load().await? {
            is_whole(&trial, &found, &[&entry])?;
        }
        if let Created::Done(version) = trial.create(&trial.entry(long(b'l'))).await? {
            can_be_replaced(&trial, version).await?;
        } else {
            can_be_replaced(&trial, trial.live().await?.version).await?;
        }
        if cut.is_some() {
            break;
        }
    }
    Ok(())
}

/// A cancelled replace leaves the old entry or the new one, and the entry changeable.
pub async fn a_cancelled_replace_is_all_or_nothing(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::CANCELLED, harness).await;
    for polls in 0..MOST_POLLS {
        let trial = trial.at_another_key();
        let (old, new) = (trial.entry(long(b'o')), trial.entry(long(b'n')));
        let version = trial.created(&old).await?;
        let cut = poll_times(polls, trial.replace(&version, &new)).await;
        let found = trial.live().await?;
        is_whole(&trial, &found, &[&old, &new])?;
        trial.check(
            (found.version == version) == (found.bytes == old.bytes),
            "the bytes of one write were found under the version of another",
        )?;
        can_be_replaced(&trial, found.version).await?;
        if cut.is_some() {
            break;
        }
    }
    Ok(())
}

/// A cancelled touch leaves the old deadline or the new one, and data and version in any case.
pub async fn a_cancelled_touch_changes_no_data(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::CANCELLED, harness).await;
    let later = trial.deadline(2 * AN_HOUR);
    for polls in 0..MOST_POLLS {
        let trial = trial.at_another_key();
        let old = trial.entry(long(b'o'));
        let version = trial.created(&old).await?;
        let cut = poll_times(polls, trial.touch(&version, later)).await;
        let found = trial.live().await?;
        let moved = NewEntry { deadline: later, ..old.clone() };
        is_whole(&trial, &found, &[&old, &moved])?;
        trial.check(found.version == version, "the version is another")?;
        can_be_replaced(&trial, version).await?;
        if cut.is_some() {
            break;
        }
    }
    Ok(())
}

/// A cancelled delete leaves the old entry or none, and can be repeated.
pub async fn a_cancelled_delete_is_all_or_nothing(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::CANCELLED, harness).await;
    for polls in 0..MOST_POLLS {
        let trial = trial.at_another_key();
        let old = trial.entry(long(b'o'));
        trial.created(&old).await?;
        let cut = poll_times(polls, trial.delete()).await;
        if let Some(found) = trial.load().await? {
            is_whole(&trial, &found, &[&old])?;
        }
        trial.delete().await?;
        trial.is_absent().await?;
        if cut.is_some() {
            break;
        }
    }
    Ok(())
}

/// Returns a value that is long enough that no store writes it in one piece by accident.
fn long(byte: u8) -> Vec<u8> {
    vec![byte; 2_000]
}

/// Checks that `found` is one of `written`, in bytes and deadline.
fn is_whole(trial: &Trial, found: &Entry, written: &[&NewEntry]) -> Verdict {
    let is = |entry: &&&NewEntry| {
        entry.bytes == found.bytes && trial.has_deadline(found, entry.deadline).is_ok()
    };
    trial.check(
        written.iter().any(|entry| is(&entry)),
        format_args!(
            "{} with a deadline of {} was found, which nobody wrote",
            Excerpt(&found.bytes),
            found.deadline.as_millis()
        ),
    )
}

/// Checks that the entry can still be changed. The cancelled write may still arrive and cost a
/// conflict, but what the store has acknowledged after that must stay.
async fn can_be_replaced(trial: &Trial, mut version: Version) -> Result<(), Violation> {
    let last = trial.entry(long(b'z'));
    for _ in 0..MOST_TRIES {
        match trial.replace(&version, &last).await? {
            Replaced::Done(done) => return trial.holds(&done, &last).await,
            Replaced::Conflict(entry) => version = entry.version,
            Replaced::Gone => return trial.fail("the entry is gone after a cancelled command"),
        }
    }
    trial.fail(format_args!("{MOST_TRIES} replaces in a row conflicted with one cancelled command"))
}

/// Polls the command this many times, as a runtime does, and then drops it. Returns `Some` if it
/// finished.
async fn poll_times<T>(times: usize, command: impl Future<Output = T>) -> Option<T> {
    let mut command = pin!(command);
    let mut polls = 0;
    std::future::poll_fn(|context| {
        if polls == times {
            return Poll::Ready(None);
        }
        polls += 1;
        match command.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
