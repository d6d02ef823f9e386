//! Doors for the targets in `fuzz/`.

use std::path::PathBuf;

use super::format;
use super::layout::{FileName, Layout, is_staged_marker, parse_set_aside};
use crate::clock::Timestamp;
use crate::id::{CommitId, StoreKey};

/// Encodes a session's file, changes it at `at` by `change`, cuts it to `len`, and reads it. Only the file
/// as it was written is a session.
pub fn file(version: [u8; 8], deadline: u64, bytes: &[u8], change: (usize, u8), len: usize) {
    let key = StoreKey::from_bytes([7; 32]);
    let whole = format::encode(&key, &version, Timestamp::from_millis(deadline), bytes);
    let mut file = whole.clone();
    let at = change.0 % file.len();
    file[at] ^= change.1;
    file.truncate(len);
    let _ = format::decode_header(&file, len as u64);
    assert_eq!(format::decode(&key, file.clone()).is_ok(), file == whole);
}

/// Reads the name of a file. What is taken for one of the store's is a name that the store writes.
pub fn file_name(name: &str) {
    let layout = Layout::new(PathBuf::from("/r"));
    let tag = |at: usize| tag(name.get(at..at + 16).unwrap_or_default());
    let is = |path: PathBuf| path.file_name().is_some_and(|written| written == name);
    match FileName::parse(name) {
        FileName::Session(key) => assert!(is(layout.session_path(&key))),
        FileName::Successor(key) => assert!(is(layout.successor_path(&key))),
        FileName::Staged(key) if is(layout.staged_path(&key)) => {}
        FileName::Staged(key) => assert!(is(layout.new_session_path(&key, tag(66).as_bytes()))),
        FileName::Probe => assert!([1, 2].iter().any(|&n| is(layout.probe_path(&tag(7), n)))),
        FileName::Foreign => {}
    }
    if let Some(time) = parse_set_aside(name)
        && let FileName::Session(key) = FileName::parse(&name[..64])
    {
        assert!(is(layout.damaged_path(&key, time, &tag(name.len() - 16))));
    }
    if is_staged_marker(name) {
        assert!(is(layout.staged_marker_path(&tag(name.len() - 16))));
    }
}

fn tag(digits: &str) -> CommitId {
    CommitId::from_bytes(u64::from_str_radix(digits, 16).unwrap_or_default().to_be_bytes())
}
