//! The error codes that prove that a statement was not applied.

use crate::error::StoreErrorKind::{self, Denied, Misconfigured, TooLarge, Unavailable};

/// The kind of error that a code becomes, and the text that the error shows.
///
/// The server's own text is never shown: it may contain the key of a row ("Duplicate entry '…'"), a piece
/// of the statement, or the name of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: StoreErrorKind,
    pub(super) text: &'static str,
}

/// Codes of MySQL and MariaDB. Not 9001 of ProxySQL, which says that it reached no server: it may have sent the
/// statement to another server before.
///
/// Only codes that are raised before a statement commits, or that undo it, are in the list. Every other
/// code counts as a lost answer, which is always safe: the library then looks whether the write was
/// applied. Left out on purpose are those of a commit that failed half-way (1180, 3100), those of a
/// connection that was killed (1053, 1927, 3169, 4031), which proxies send also when they have lost their
/// own connection to the server, and the client's codes from 2000 on, which ProxySQL sends then.
const REFUSALS: [(u16, StoreErrorKind, &str); 61] = [
    (1020, Unavailable, "another transaction changed the row first"),
    (1021, Unavailable, "the server's disk is full"),
    (1037, Unavailable, "the server has no memory left"),
    (1038, Unavailable, "the server has no memory left for sorting"),
    (1040, Unavailable, "the server has too many connections"),
    (1041, Unavailable, "the server has no memory left"),
    (1043, Unavailable, "the handshake failed"),
    (1044, Denied, "the user may not use this database"),
    (1045, Denied, "the server does not accept the user or the password"),
    (1046, Misconfigured, "no database is chosen"),
    (1047, Unavailable, "the server is not ready, as a node that joins a Galera cluster"),
    (1048, Misconfigured, "the table is not the one that the guide describes"),
    (1049, Misconfigured, "the database does not exist"),
    (1054, Misconfigured, "the table lacks a column"),
    (1062, Misconfigured, "the table has a second unique key"),
    (1064, Misconfigured, "the server does not understand the statement"),
    (1099, Unavailable, "the table is locked"),
    (1114, Unavailable, "the table is full, or the server's disk"),
    (1118, TooLarge, "the row is too large"),
    (1129, Unavailable, "the server has blocked this host after too many errors"),
    (1130, Denied, "the server does not accept this host"),
    (1135, Unavailable, "the server cannot start another thread"),
    (1142, Denied, "the user may not run this statement on the table"),
    (1143, Denied, "the user may not use a column of the table"),
    (1146, Misconfigured, "the table does not exist"),
    (1153, TooLarge, "the statement is larger than the server's `max_allowed_packet`"),
    (1193, Misconfigured, "the server lacks a setting that InnoDB has"),
    (1203, Unavailable, "the user has too many connections"),
    (1205, Unavailable, "the row stayed locked for too long"),
    (1206, Unavailable, "the server's table of locks is full"),
    (1213, Unavailable, "the server resolved a deadlock"),
    (1223, Unavailable, "the server is locked for reading"),
    (1226, Unavailable, "the user has used up a limit of the account"),
    (1227, Denied, "the user lacks a privilege"),
    (1243, Unavailable, "the connection has lost its prepared statement"),
    (1264, Misconfigured, "a column of the table is too small"),
    (1265, Misconfigured, "a column of the table has another type"),
    (1286, Misconfigured, "the server lacks the storage engine"),
    (1288, Misconfigured, "the table is a view"),
    (1290, Unavailable, "the server is read only"),
    (1317, Unavailable, "the statement was interrupted"),
    (1364, Misconfigured, "the table has a column that is not known"),
    (1366, Misconfigured, "a column of the table has another type"),
    (1406, TooLarge, "a column of the table is too small"),
    (1412, Unavailable, "the table was changed a moment ago"),
    (1461, Unavailable, "the server has too many prepared statements"),
    (1471, Misconfigured, "the table is a view"),
    (1615, Unavailable, "the table was changed while the statement was prepared"),
    (1637, Unavailable, "the server has too many transactions"),
    (1698, Denied, "the server does not accept the user or the password"),
    (1792, Unavailable, "the transaction is read only"),
    (1820, Denied, "the password has to be changed first"),
    (1836, Unavailable, "the server is read only"),
    (1862, Denied, "the password has expired"),
    (1969, Unavailable, "the statement took longer than the server allows"),
    (3024, Unavailable, "the statement took longer than the server allows"),
    (3101, Unavailable, "the group of servers rolled the statement back"),
    (3118, Denied, "the account is locked"),
    (3159, Misconfigured, "the server demands TLS"),
    (3572, Unavailable, "the row was locked"),
    (4151, Denied, "the account is locked"),
];

/// Returns what a code proves, or `None` where it leaves doubt.
pub(super) fn refusal(code: u16) -> Option<Refusal> {
    let at = REFUSALS.binary_search_by_key(&code, |(code, ..)| *code).ok()?;
    let (_, kind, text) = REFUSALS[at];
    Some(Refusal { kind, text })
}

/// Returns whether the server that sends this code is, or has become, a replica.
pub(super) fn is_read_only(code: u16) -> bool {
    matches!(code, 1290 | 1792 | 1836)
}

/// Returns whether the code means that the server, or the user, has no connection left.
pub(super) fn is_out_of_connections(code: u16) -> bool {
    matches!(code, 1040 | 1203 | 1226)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_sorted_so_that_each_is_found() {
        assert!(REFUSALS.is_sorted_by(|(one, ..), (next, ..)| one < next));
        for (code, kind, text) in REFUSALS {
            assert_eq!(refusal(code), Some(Refusal { kind, text }), "{code}");
        }
    }

    #[test]
    fn a_commit_that_failed_half_way_and_a_lost_connection_leave_doubt() {
        for code in [0, 1026, 1053, 1105, 1180, 1598, 1927, 2006, 2013, 3100, 3169, 4031, 65_535] {
            assert_eq!(refusal(code), None, "{code}");
        }
    }
}
