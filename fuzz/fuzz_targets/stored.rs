//! Bytes that a store returns: records, marks, rosters, lists of revocations, the notes of a move; and the record of a
//! cookie.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| cloakroom::fuzzing::stored(bytes));
