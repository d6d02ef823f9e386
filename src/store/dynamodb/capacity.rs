//! Counts the capacity that requests consume.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// The capacity that a store's commands have consumed, in DynamoDB's units. See
/// [`DynamoDbStoreBuilder::count_capacity`](super::DynamoDbStoreBuilder::count_capacity).
///
/// ```
/// use cloakroom::store::DynamoDbCapacity;
///
/// let nothing = DynamoDbCapacity::default();
/// assert_eq!((nothing.read_units, nothing.write_units), (0.0, 0.0));
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct DynamoDbCapacity {
    /// Read units: one for each 4 KB that is read strongly consistently, half of one otherwise.
    pub read_units: f64,
    /// Write units: one for each KB of the item, before or after the write, whichever is larger.
    pub write_units: f64,
}

/// Sums in halves of a unit, the least that DynamoDB counts. An atomic number of floating point does
/// not exist, and a lock would be one more thing that all requests meet in.
#[derive(Debug, Default)]
pub(super) struct CapacityCounters {
    read_halves: AtomicU64,
    write_halves: AtomicU64,
}

impl CapacityCounters {
    pub(super) fn add_read(&self, consumed: Option<&ConsumedCapacity>) {
        self.read_halves.fetch_add(halves(consumed), Ordering::Relaxed);
    }

    pub(super) fn add_write(&self, consumed: Option<&ConsumedCapacity>) {
        self.write_halves.fetch_add(halves(consumed), Ordering::Relaxed);
    }

    pub(super) fn sum(&self) -> DynamoDbCapacity {
        let units = |halves: &AtomicU64| halves.load(Ordering::Relaxed) as f64 / 2.0;
        DynamoDbCapacity {
            read_units: units(&self.read_halves),
            write_units: units(&self.write_halves),
        }
    }
}

fn halves(consumed: Option<&ConsumedCapacity>) -> u64 {
    let units = consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or_default();
    (units * 2.0).round() as u64
}
