use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// The capacity that a store's commands have consumed, in DynamoDB's units. See
/// [`DynamoDbStoreBuilder::count_capacity`](super::DynamoDbStoreBuilder::count_capacity).
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct DynamoDbCapacity {
    /// Read units: one for each 4 KB that is read strongly consistently, half of one otherwise.
    pub read_units: f64,
    /// Write units: one for each KB of the item, before or after the write, whichever is larger.
    pub write_units: f64,
}

/// Sums. In halves of a unit, the least that DynamoDB counts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Counters {
    pub(super) fn add_read(&self, consumed: Option<&ConsumedCapacity>) {
        self.reads.fetch_add(halves(consumed), Ordering::Relaxed);
    }

    pub(super) fn add_write(&self, consumed: Option<&ConsumedCapacity>) {
        self.writes.fetch_add(halves(consumed), Ordering::Relaxed);
    }

    pub(super) fn sum(&self) -> DynamoDbCapacity {
        let units = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64 / 2.0;
        DynamoDbCapacity { read_units: units(&self.reads), write_units: units(&self.writes) }
    }
}

fn halves(consumed: Option<&ConsumedCapacity>) -> u64 {
    let units = consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or_default();
    (units * 2.0).round() as u64
}
