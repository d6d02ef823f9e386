//! The texts of the statements.
//!
//! The time is always the caller's, a parameter; the server's clock is never asked. A row is ours if its
//! version has eight bytes and its deadline can be one: every condition on the deadline stands beside one
//! on the version, so that no statement changes a row of a newer format.

use std::sync::Arc;

use super::row::{LATEST, VERSION_LEN};

/// One text for each kind of statement, with the table's name in it. A connection prepares each once.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) load: Arc<str>,
    pub(super) create: Arc<str>,
    pub(super) replace: Arc<str>,
    pub(super) touch: Arc<str>,
    pub(super) delete: Arc<str>,
    /// Reads keys and deadlines behind a key, in the order of the keys.
    pub(super) walk: Arc<str>,
    /// Deletes those of [`SWEPT_AT_ONCE`] keys whose deadline has passed.
    pub(super) sweep: Arc<str>,
}

/// The numbers that `create` leaves in the answer's *last insert id*: what it found under the key.
/// 0 means that there was nothing.
pub(super) const FOUND_EXPIRED: u64 = 1;
pub(super) const FOUND_LIVE: u64 = 2;
pub(super) const FOUND_FOREIGN: u64 = 3;

/// Keys in one statement of the sweeper. Few, so that it holds its locks for a short time.
pub(super) const SWEPT_AT_ONCE: usize = 32;
/// Rows that one step of the sweeper reads.
pub(super) const WALKED_AT_ONCE: usize = 256;

impl Statements {
    /// Makes the texts for a table whose name was [checked](is_table_name).
    pub(super) fn new(table: &str) -> Self {
        let ours = format!("LENGTH(version) = {VERSION_LEN}");
        // Assignments run from left to right, and each sees what those before it have set. So the
        // deadline, which all of them ask for, is the last. The first says what it found: the number of
        // rows that the server counts as affected is not enough, because it depends on a flag of the
        // connection (`CLIENT_FOUND_ROWS`), which a proxy may set. With the flag on, a live row that was
        // left alone counts 1, as a new row does.
        let create = format!(
            "INSERT INTO `{table}` (`key`, version, deadline, bytes) VALUES (?, ?, ?, ?) \
             ON DUPLICATE KEY UPDATE \
             bytes = IF(LAST_INSERT_ID(IF({ours} AND deadline BETWEEN 0 AND {LATEST}, \
             IF(deadline > ?, {FOUND_LIVE}, {FOUND_EXPIRED}), {FOUND_FOREIGN})) = {FOUND_EXPIRED}, \
             VALUES(bytes), bytes), \
             version = IF({ours} AND deadline BETWEEN 0 AND ?, VALUES(version), version), \
             deadline = IF({ours} AND deadline BETWEEN 0 AND ?, VALUES(deadline), deadline)"
        );
        let keys = vec!["?"; SWEPT_AT_ONCE].join(", ");
        let texts = [
            load(table),
            create,
            format!(
                "UPDATE `{table}` SET version = ?, deadline = ?, bytes = ? \
                 WHERE `key` = ? AND version = ? AND deadline > ? AND deadline <= {LATEST}"
            ),
            format!(
                "UPDATE `{table}` SET deadline = ? \
                 WHERE `key` = ? AND version = ? AND deadline > ? AND deadline < ?"
            ),
            format!(
                "DELETE FROM `{table}` WHERE `key` = ? AND NOT (LENGTH(version) > {VERSION_LEN} AND version >= x'02')"
            ),
            format!(
                "SELECT `key`, deadline, LENGTH(version) FROM `{table}` WHERE `key` > ? \
                 ORDER BY `key` LIMIT {WALKED_AT_ONCE}"
            ),
            format!(
                "DELETE FROM `{table}` WHERE `key` IN ({keys}) AND {ours} \
                 AND deadline BETWEEN 0 AND ?"
            ),
        ];
        let [load, create, replace, touch, delete, walk, sweep] = texts.map(Arc::from);
        Self { load, create, replace, touch, delete, walk, sweep }
    }
}

/// The second row, in which nothing is, says that the server is read-only. Such a server is not the primary, or
/// will not be for long: its rows may be older than what was acknowledged, and a session that has ended elsewhere
/// would still be live here. A variable is a number, or a word in later versions of MariaDB.
fn load(table: &str) -> String {
    let is_on = |variable: &str| format!("CONCAT(@@global.{variable}) NOT IN ('0', 'OFF')");
    let (read_only, innodb_read_only) = (is_on("read_only"), is_on("innodb_read_only"));
    format!(
        "SELECT version, deadline, bytes FROM `{table}` WHERE `key` = ? \
         UNION ALL SELECT NULL, NULL, NULL FROM DUAL WHERE {read_only} OR {innodb_read_only}"
    )
}

/// Returns the statement that creates the table, as the guide shows it.
pub(super) fn create_table(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS `{table}` (\n  \
         `key` binary(32) NOT NULL PRIMARY KEY,\n  \
         version varbinary(32) NOT NULL,\n  \
         deadline bigint NOT NULL,\n  \
         bytes mediumblob NOT NULL\n\
         ) ENGINE = InnoDB"
    )
}

/// Returns whether a text can be the name of a table. It stands between backticks in the statements, so no other
/// character may be in it.
pub(super) fn is_table_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$';
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_end_the_quotes_is_refused() {
        for name in ["cloakroom", "a", "Shop_1$", &"x".repeat(64)] {
            assert!(is_table_name(name), "{name}");
        }
        for name in ["", "a b", "a`b", "db.table", "täble", "a;b", &"x".repeat(65)] {
            assert!(!is_table_name(name), "{name}");
        }
    }

    #[test]
    fn the_deadline_is_assigned_last() {
        let create = Statements::new("t").create;
        let places = [" bytes = ", " version = ", " deadline = IF"].map(|text| create.find(text));
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");
    }

    #[test]
    fn a_version_of_another_length_is_never_ours() {
        let statements = Statements::new("t");
        for text in [&statements.create, &statements.sweep, &statements.delete] {
            assert!(text.contains("LENGTH(version)"), "{text}");
        }
    }
}
