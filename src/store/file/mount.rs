//! What kind of file system the folder is on, as far as Linux tells.

use std::fs;

/// Of kernels' own file systems: nobody else changes them, and a name is what it is at once. What is
/// not among them is taken for one that other hosts change too.
const LOCAL: [&str; 10] =
    ["ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "zfs", "tmpfs", "overlay"];

#[derive(PartialEq, Eq, Debug)]
pub(super) struct Mount {
    kind: String,
    options: String,
}

/// The mount of a device number. Elsewhere than on Linux, and of some file systems there, nothing is
/// known.
pub(super) fn of(device: u64) -> Option<Mount> {
    find(&fs::read_to_string("/proc/self/mountinfo").ok()?, device)
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS … - KIND SOURCE OPTIONS`, a line each.
fn find(mounts: &str, device: u64) -> Option<Mount> {
    let major = (device >> 32) & 0xffff_f000 | (device >> 8) & 0xfff;
    let minor = (device >> 12) & 0xffff_ff00 | device & 0xff;
    let device = format!("{major}:{minor}");
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&device))?;
    let mut of_the_file_system = line.split_once(" - ")?.1.split(' ');
    let kind = of_the_file_system.next()?.to_owned();
    Some(Mount { kind, options: of_the_file_system.nth(1)?.to_owned() })
}

impl Mount {
    pub(super) fn is_local(&self) -> bool {
        LOCAL.contains(&&*self.kind)
    }

    /// Why hosts that mount a file system like this would lose each other's updates.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let has = |option: &str| self.options.split(',').any(|given| given == option);
        if !self.kind.starts_with("nfs") {
            None
        } else if ["local_lock=flock", "local_lock=all", "nolock"].into_iter().any(has) {
            Some("is mounted with `local_lock` or `nolock`: locks would hold on this host only")
        } else if has("nocto") {
            Some("is mounted with `nocto`: hosts would not see each other's writes")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:45 / /mnt/efs rw,relatime - nfs4 10.98.0.1:/ rw,vers=4.1,hard,local_lock=none
31 22 0:46 / /mnt/local rw - nfs4 10.98.0.1:/ rw,vers=4.1,local_lock=flock,addr=10.98.0.1
32 22 0:47 / /mnt/stale rw - nfs4 10.98.0.1:/ rw,nocto,local_lock=none
33 22 1048577:258 / /mnt/far rw - tmpfs tmpfs rw,nocto
broken
";

    fn mount(device: u64) -> Option<Mount> {
        find(MOUNTS, device)
    }

    #[test]
    fn the_line_of_a_device_says_what_it_is() {
        let root = mount(0xfe00).unwrap();
        assert_eq!((root.is_local(), root.problem()), (true, None));
        let efs = mount(45).unwrap();
        assert_eq!((efs.is_local(), efs.problem()), (false, None));
        assert!(mount(46).unwrap().problem().unwrap().contains("this host only"));
        assert!(mount(47).unwrap().problem().unwrap().contains("nocto"));
        // Major 1048577, minor 258: each number is in two pieces.
        let far = mount(0x0010_0000_0010_0102).unwrap();
        assert_eq!((far.is_local(), far.problem()), (true, None));
        assert_eq!(mount(99), None);
    }
}
