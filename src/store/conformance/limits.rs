//! The law about the store's size limit.

use super::harness::Harness;
use super::sentences;
use super::trial::Trial;
use super::violation::{Verdict, Violation};
use crate::error::{StoreError, StoreErrorKind};

/// The bytes that a store without a limit has to take: more than any session should ever have.
const WITHOUT_A_LIMIT: usize = 4 << 20;

/// An entry at the limit is kept whole; one byte more is refused, and what is there stays.
///
/// A store without a limit must keep 4 MiB whole.
pub async fn the_limit_is_exact_and_nothing_is_cut(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::LIMIT, harness).await;
    let limit = harness.max_entry_bytes();
    let largest = trial.entry(vec![b'x'; limit.unwrap_or(WITHOUT_A_LIMIT)]);
    let version = trial.created(&largest).await?;
    trial.holds(&version, &largest).await?;
    let Some(limit) = limit else { return Ok(()) };

    let too_large = trial.entry(vec![b'y'; limit + 1]);
    let refused = trial.store.replace(&trial.key, &version, &too_large).await;
    is_too_large(&trial, "replace", refused)?;
    trial.holds(&version, &largest).await?;

    let trial = trial.at_another_key();
    is_too_large(&trial, "create", trial.store.create(&trial.key, &too_large).await)?;
    trial.is_absent().await
}

fn is_too_large<T>(
    trial: &Trial,
    command: &str,
    answer: Result<T, StoreError>,
) -> Result<(), Violation> {
    let kind = answer.err().map(|error| error.kind());
    trial.check(
        kind == Some(StoreErrorKind::TooLarge),
        format_args!("{command} over the limit answered {kind:?}, not TooLarge (None is success)"),
    )
}
