//! What a memcached server sends.
#![no_main]

use cloakroom::fuzzing::{memcached_line, memcached_value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, [u8; 8], &[u8])| {
    let (unique, run_id, bytes) = input;
    memcached_line(bytes);
    memcached_value(bytes, unique, run_id);
});
