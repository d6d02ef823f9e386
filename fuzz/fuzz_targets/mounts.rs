//! The kernel's list of mounted file systems.
#![no_main]

use arbitrary::Arbitrary;
use cloakroom::fuzzing::mount;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Line<'a> {
    Mounted { major: u32, minor: u32, kind: &'a str, source: &'a str, options: &'a str },
    Text(&'a str),
}

fuzz_target!(|input: (Vec<Line<'_>>, u32, u32)| {
    let (lines, major, minor) = input;
    let text = |line: &Line<'_>| match line {
        Line::Mounted { major, minor, kind, source, options } => {
            format!("22 1 {major}:{minor} / / rw,relatime shared:1 - {kind} {source} {options}\n")
        }
        Line::Text(text) => (*text).to_owned(),
    };
    let found = mount(&lines.iter().map(text).collect::<String>(), (major, minor));
    // The first line of the device is the answer, where no field of it breaks the line.
    if let Some(Line::Mounted { major: its_major, minor: its_minor, kind, source, options }) =
        lines.first()
        && (*its_major, *its_minor) == (major, minor)
        && ![kind, source, options]
            .iter()
            .any(|field| field.is_empty() || field.contains([' ', '\n', '\r']))
    {
        assert_eq!(found, Some(((*kind).to_owned(), (*options).to_owned())));
    }
});
