//! Doors for the targets in `fuzz/`.

use bytes::Bytes;

use super::entry::{self, RunId};
use super::protocol::ReplyHeader;

/// Reads the first line of a reply.
pub fn memcached_line(line: &[u8]) {
    if let Ok(header) = ReplyHeader::parse(line, 7) {
        let _ = header.into_reply(Bytes::new());
    }
}

/// Reads a value that a server holds. It is the same entry after a touch.
pub fn memcached_value(value: &[u8], unique: u64, run_id: RunId) {
    let Ok(stored) = entry::decode(&Bytes::copy_from_slice(value), unique, run_id) else { return };
    let touched = entry::encode_touched(&stored, stored.entry.deadline);
    let again = entry::decode(&touched, unique, run_id).map(|again| again.entry);
    assert_eq!(again, Ok(stored.entry));
    assert!(entry::entry_bytes(value) <= value.len());
}
