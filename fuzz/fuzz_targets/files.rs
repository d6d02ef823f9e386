//! A session's file with one change, and the names of files.
#![no_main]

use arbitrary::Arbitrary;
use cloakroom::fuzzing::{file, file_name};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    File {
        version: [u8; 8],
        deadline: u64,
        bytes: &'a [u8],
        at: u16,
        by: u8,
        len: u16,
    },
    /// Pieces of names, so that whole ones come up.
    Name(Vec<Piece<'a>>),
}

#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Dot,
    Key(u8),
    Tag(u8),
    Time(u64),
    New,
    Next,
    Probe,
    Marker,
    Text(&'a str),
}

fuzz_target!(|input: Input<'_>| match input {
    Input::File { version, deadline, bytes, at, by, len } => {
        file(version, deadline, bytes, (at.into(), by), len.into());
    }
    Input::Name(pieces) => {
        let text = |piece: &Piece<'_>| match piece {
            Piece::Dot => ".".to_owned(),
            Piece::Key(byte) => format!("{byte:02x}").repeat(32),
            Piece::Tag(byte) => format!("{byte:02x}").repeat(8),
            Piece::Time(time) => time.to_string(),
            Piece::New => "new".to_owned(),
            Piece::Next => "next".to_owned(),
            Piece::Probe => "probe".to_owned(),
            Piece::Marker => "cloakroom-store".to_owned(),
            Piece::Text(text) => (*text).to_owned(),
        };
        file_name(&pieces.iter().map(text).collect::<String>());
    }
});
