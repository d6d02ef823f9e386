//! Doors for the targets in `fuzz/`.

use bytes::Bytes;

use super::format::{Form, fence};
use crate::clock::Timestamp;
use crate::id::CommitId;
use crate::store::entry::{Entry, Version};

/// Reads bytes as one of two stores returns them during a move. What a move has written has one encoding.
pub(crate) fn moving_form(bytes: &Bytes) {
    let commit = CommitId::from_bytes([7; 8]);
    let entry = Entry::new(Version::from(commit), Timestamp::from_millis(7), bytes.clone());
    match Form::read(&entry) {
        Ok(Form::Fence(to)) => assert_eq!(fence(to.as_ref()), bytes),
        Ok(Form::Tent(tent)) => assert_eq!(tent.encode(commit).bytes, bytes),
        Ok(Form::Plain) | Err(_) => {}
    }
}
