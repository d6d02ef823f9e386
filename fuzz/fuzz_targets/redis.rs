//! Reads any bytes as the answers of a Redis server: values, lists of them, and errors.
//!
//! An input is one answer in the server's protocol, with a line in front of it: how many commands were gathered, and
//! the code on which the client gives up the connection.
#![no_main]

use cloakroom::Timestamp;
use cloakroom::fuzzing::{redis_answer, redis_refusal};
use libfuzzer_sys::fuzz_target;

/// The words by which a server says that it has not applied a command.
const PROOFS: [&str; 22] = [
    "BUSY",
    "CROSSSLOT",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "THROTTLED",
    "TRYAGAIN",
    "WRONGPASS",
    "WRONGTYPE",
    "ERR unknown command",
    "ERR wrong number of arguments",
    "ERR syntax error",
    "ERR DB index is out of range",
    "ERR invalid expire time",
    "The user executing the script can't",
    "ERR ACL failure in script:",
];

/// Somewhere among the deadlines of the kept inputs.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (head, answer) = input.split_at(end);
    let answer = answer.strip_prefix(b"\n").unwrap_or(answer);
    let count = head.first().map_or(2, |digit| usize::from(digit.wrapping_sub(b'0') % 34));
    let fatal = std::str::from_utf8(head.get(1..).unwrap_or_default()).unwrap_or_default();

    redis_answer(answer, NOW, count);
    let text = String::from_utf8_lossy(answer.strip_prefix(b"-").unwrap_or(answer));
    let text = text.trim_end_matches("\r\n");
    if redis_refusal(text, fatal.trim()).is_some() {
        assert!(PROOFS.iter().any(|proof| text.contains(proof)), "{text:?} proves nothing");
    }
    // A refusal of permission to a script may have another code in front of it.
    if !text.contains("script")
        && let Some((code, _)) = text.split_once(' ')
        && let Some(proof) = PROOFS.iter().find(|proof| **proof == code)
    {
        // Given to every command under way, a refusal says nothing of any of them.
        let is_proof = *proof == "NOSCRIPT" || fatal.trim() != *proof;
        assert_eq!(redis_refusal(text, fatal.trim()).is_some(), is_proof, "{text:?}");
    }
});
