//! The table's name, quoted so that any name can stand in a statement.

use std::fmt;

/// PostgreSQL cuts longer names without an error, and two tables could become one.
const MAX_NAME_BYTES: usize = 63;

/// The schema, if one was set, and the name of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableName {
    pub(super) schema: Option<String>,
    pub(super) table: String,
}

impl Default for TableName {
    fn default() -> Self {
        Self { schema: None, table: "cloakroom".to_owned() }
    }
}

impl TableName {
    /// Returns why this name cannot be used, if it cannot.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let is_wrong =
            |name: &str| name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains('\0');
        let is_one_wrong = is_wrong(&self.table) || self.schema.as_deref().is_some_and(is_wrong);
        is_one_wrong.then_some("the names of the table and its schema must have 1 to 63 bytes")
    }
}

/// Prints the name as it stands in a statement.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted(schema))?;
        }
        f.write_str(&quoted(&self.table))
    }
}

/// Quotes a name where it needs that: an unquoted name reads better in a migration.
fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && !RESERVED.contains(&name);
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The words that PostgreSQL takes for a part of the statement and not for a table, up to release 18.
const RESERVED: [&str; 102] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn named(schema: Option<&str>, table: &str) -> TableName {
        TableName { schema: schema.map(str::to_owned), table: table.to_owned() }
    }

    #[test]
    fn a_name_is_quoted_where_it_has_to_be() {
        for (name, text) in [
            (named(None, "cloakroom"), "cloakroom"),
            (named(Some("shop"), "sessions_2"), "shop.sessions_2"),
            (named(Some("My Shop"), "Sessions"), "\"My Shop\".\"Sessions\""),
            (named(None, "x\"; DROP TABLE y; --"), "\"x\"\"; DROP TABLE y; --\""),
            (named(None, "user"), "\"user\""),
            (named(None, "2"), "\"2\""),
            (named(None, "gäste"), "\"gäste\""),
        ] {
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn names_that_the_server_would_change_are_refused() {
        assert_eq!(named(Some("s"), &"x".repeat(63)).problem(), None);
        for name in ["", "a\0b", &"x".repeat(64)] {
            assert!(named(None, name).problem().is_some());
            assert!(named(Some(name), "t").problem().is_some());
        }
    }
}
