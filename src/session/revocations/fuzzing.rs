//! Doors for the targets in `fuzz/`.

use bytes::Bytes;

use super::list::List;

/// Reads a list of revocations. It has one encoding, and each of its principals is found.
pub(crate) fn revocations(bytes: &Bytes) {
    let Ok(list) = List::decode(bytes) else { return };
    assert_eq!(list.encode(), bytes);
    assert!(list.covers(&list, Default::default()));
    let mut twice = list.clone();
    twice.merge(&list, Default::default());
    assert!(twice.covers(&list, Default::default()));
}
