use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{self, Names};
use crate::clock::Timestamp;
use crate::store::Version;

/// What has to hold of the item that is there for a write to be applied.
pub(super) struct Condition {
    pub(super) expression: &'static str,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Condition {
    /// That no session is there. What is not an item of ours has no deadline and stays.
    pub(super) fn none_is_live(names: &Names, now: Timestamp) -> Self {
        Self {
            expression: "attribute_not_exists(#id) OR #e <= :now",
            names: aliases([("#id", &names.id), ("#e", &names.deadline)]),
            values: values([(":now", item::millis(now))]),
        }
    }

    /// That the session is there, live and in this version. The data's type is asked for so that an
    /// item which has lost its data is not taken for whole.
    pub(super) fn is_expected(names: &Names, expected: &Version, now: Timestamp) -> Self {
        Self {
            expression: "#v = :v AND #e > :now AND attribute_type(#d, :b)",
            names: aliases([("#v", &names.version), ("#e", &names.deadline), ("#d", &names.data)]),
            values: values([
                (":v", item::binary(expected.as_bytes())),
                (":now", item::millis(now)),
                (":b", AttributeValue::S("B".to_owned())),
            ]),
        }
    }

    /// That it would, besides, end before `deadline`; sets the update's aliases as well.
    pub(super) fn ends_earlier(
        names: &Names,
        expected: &Version,
        now: Timestamp,
        deadline: Timestamp,
    ) -> Self {
        let mut condition = Self::is_expected(names, expected, now);
        condition.expression = "#v = :v AND #e > :now AND #e < :e AND attribute_type(#d, :b)";
        condition.names.extend(aliases([("#ttl", &names.ttl)]));
        condition
            .values
            .extend(values([(":e", item::millis(deadline)), (":ttl", item::seconds(deadline))]));
        condition
    }
}

fn aliases<const N: usize>(names: [(&str, &String); N]) -> HashMap<String, String> {
    names.map(|(alias, name)| (alias.to_owned(), name.clone())).into()
}

fn values<const N: usize>(values: [(&str, AttributeValue); N]) -> HashMap<String, AttributeValue> {
    values.map(|(alias, value)| (alias.to_owned(), value)).into()
}
