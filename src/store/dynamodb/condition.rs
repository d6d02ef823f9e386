//! The conditions of conditional writes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{self, AttributeNames};
use crate::clock::Timestamp;
use crate::store::entry::Version;

/// A condition on the item that is there. DynamoDB applies the write only if the condition holds.
///
/// Every condition demands that the item has no attribute of a newer format.
pub(super) struct Condition {
    pub(super) expression: &'static str,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Condition {
    /// No live session is there. Expired items count as absent, because DynamoDB removes them days
    /// late. An item that this library did not write has no deadline, so it stays.
    pub(super) fn no_live_item(names: &AttributeNames, now: Timestamp) -> Self {
        Self {
            expression: "attribute_not_exists(#id) OR (#e <= :now AND attribute_not_exists(#f))",
            names: aliases([("#id", &names.id), ("#e", &names.deadline), ("#f", item::FORMAT)]),
            values: values([(":now", item::millis(now))]),
        }
    }

    /// The item is readable, damaged or absent.
    pub(super) fn not_newer() -> Self {
        Self {
            expression: "attribute_not_exists(#f)",
            names: aliases([("#f", item::FORMAT)]),
            values: HashMap::new(),
        }
    }

    /// The session is live and has the version `expected`. The condition asks for the type of the
    /// data too: without that, an item which has lost its data would be written over as if it were
    /// whole, and the loss would never be noticed.
    pub(super) fn live_with_version(
        names: &AttributeNames,
        expected: &Version,
        now: Timestamp,
    ) -> Self {
        Self {
            expression: "#v = :v AND #e > :now AND attribute_type(#d, :b) AND attribute_not_exists(#f)",
            names: aliases([
                ("#v", &names.version),
                ("#e", &names.deadline),
                ("#d", &names.data),
                ("#f", item::FORMAT),
            ]),
            values: values([
                (":v", item::binary(expected.as_bytes())),
                (":now", item::millis(now)),
                (":b", AttributeValue::S("B".to_owned())),
            ]),
        }
    }

    /// The same, and the session ends before `deadline`. Defines the aliases of [`MOVE_DEADLINE`]
    /// too.
    pub(super) fn live_and_ending_before(
        names: &AttributeNames,
        expected: &Version,
        now: Timestamp,
        deadline: Timestamp,
    ) -> Self {
        let mut condition = Self::live_with_version(names, expected, now);
        condition.expression = "#v = :v AND #e > :now AND #e < :e AND attribute_type(#d, :b) \
            AND attribute_not_exists(#f)";
        condition.names.extend(aliases([("#ttl", &names.ttl)]));
        condition
            .values
            .extend(values([(":e", item::millis(deadline)), (":ttl", item::seconds(deadline))]));
        condition
    }
}

/// The update that goes with [`Condition::live_and_ending_before`].
pub(super) const MOVE_DEADLINE: &str = "SET #e = :e, #ttl = :ttl";

fn aliases<const N: usize>(names: [(&str, &str); N]) -> HashMap<String, String> {
    names.map(|(alias, name)| (alias.to_owned(), name.to_owned())).into()
}

fn values<const N: usize>(values: [(&str, AttributeValue); N]) -> HashMap<String, AttributeValue> {
    values.map(|(alias, value)| (alias.to_owned(), value)).into()
}
