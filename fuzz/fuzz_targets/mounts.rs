//! The kernel's list of mounted file systems: an input is a device, `MAJOR:MINOR`, and under it the list.
#![no_main]

use cloakroom::fuzzing::mount;
use libfuzzer_sys::fuzz_target;

/// Returns the type and the options of a line by its fields, which single spaces separate: six and any number of
/// optional ones, a hyphen, three more.
fn fields(line: &str) -> Option<(String, String)> {
    let fields: Vec<_> = line.split(' ').collect();
    let hyphen = fields.iter().skip(1).position(|field| *field == "-")? + 1;
    Some(((*fields.get(hyphen + 1)?).to_owned(), (*fields.get(hyphen + 3)?).to_owned()))
}

fuzz_target!(|input: &str| {
    let Some((device, mounts)) = input.split_once('\n') else { return };
    let Some((major, minor)) = device.split_once(':') else { return };
    let (Ok(major), Ok(minor)) = (major.parse::<u32>(), minor.parse::<u32>()) else { return };
    let device = format!("{major}:{minor}");
    // The first line of the device counts.
    let mut lines = mounts.lines();
    let line = lines.find(|line| line.split(' ').nth(2) == Some(&device));
    assert_eq!(mount(mounts, (major, minor)), line.and_then(fields));
});
