//! A `Cookie` header with real tickets and sealed sessions in it, whole or changed.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use cloakroom::fuzzing::Cookies;
use libfuzzer_sys::fuzz_target;

static COOKIES: LazyLock<Option<Cookies>> = LazyLock::new(Cookies::new);

#[derive(Arbitrary, Debug)]
enum Part {
    Raw(Vec<u8>),
    /// `; id`, `; id.1` and so on.
    Name(u8),
    Ticket {
        id: [u8; 20],
        expires: u16,
        change: Option<Change>,
    },
    Sealed {
        encrypted: bool,
        cookies: u8,
        bytes: Vec<u8>,
        pieces: u8,
        change: Option<Change>,
    },
}

#[derive(Arbitrary, Debug)]
enum Change {
    Flip(u16, u8),
    Cut(u16),
    Add(u8),
}

fn push(header: &mut Vec<u8>, mut text: Vec<u8>, change: Option<Change>) {
    match change {
        Some(Change::Flip(at, by)) if !text.is_empty() => {
            let at = usize::from(at) % text.len();
            text[at] ^= by;
        }
        Some(Change::Cut(at)) => text.truncate(usize::from(at)),
        Some(Change::Add(byte)) => text.push(byte),
        _ => {}
    }
    header.extend(text);
}

fn name(header: &mut Vec<u8>, piece: u8) {
    match piece % 4 {
        0 => header.extend(b"; id="),
        n => header.extend(format!("; id.{n}=").bytes()),
    }
}

fuzz_target!(|parts: Vec<Part>| {
    let Some(cookies) = &*COOKIES else { return };
    let mut header = Vec::new();
    for part in parts.into_iter().take(40) {
        match part {
            Part::Raw(bytes) => header.extend(bytes),
            Part::Name(piece) => name(&mut header, piece),
            Part::Ticket { id, expires, change } => {
                name(&mut header, 0);
                push(&mut header, cookies.ticket(id, expires.into()).into_bytes(), change);
            }
            Part::Sealed { encrypted, cookies: count, bytes, pieces, change } => {
                let text = cookies.sealed(encrypted, count % 6, &bytes).into_bytes();
                let pieces = pieces % 5 + 1;
                let room = text.len().div_ceil(usize::from(pieces)).max(8);
                let mut change = change;
                for (at, piece) in (0..).zip(text.chunks(room)) {
                    name(&mut header, at);
                    push(&mut header, piece.to_vec(), change.take());
                }
            }
        }
    }
    cookies.header(&header);
});
