//! Finds out which file system a folder is on, as far as Linux tells.

#![allow(dead_code, reason = "each store asks a part of the questions")]

use std::fs;

/// The kernel's own file systems: no other host changes them, and their names are never cached
/// stale. A file system that is not listed is taken for one that other hosts change too, because
/// the wrong guess then costs one request more and not a wrong answer.
const LOCAL: [&str; 10] =
    ["ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "zfs", "tmpfs", "overlay"];

/// File systems whose files other hosts may change at the same time. `fuse.` in front of a name is not
/// compared.
const NETWORK: [&str; 31] = [
    "9p",
    "afs",
    "beegfs",
    "blobfuse2",
    "ceph",
    "ceph-fuse",
    "cifs",
    "coda",
    "davfs",
    "gcsfuse",
    "gfs2",
    "glusterfs",
    "goofys",
    "gpfs",
    "juicefs",
    "lizardfs",
    "lustre",
    "moosefs",
    "mount-s3",
    "mountpoint-s3",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "rclone",
    "s3fs",
    "seaweedfs",
    "smb2",
    "smb3",
    "smbfs",
    "sshfs",
];

/// A mounted file system: its type and its own options.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Mount {
    kind: String,
    options: String,
}

impl Mount {
    /// Looks up the mount that has this device number.
    ///
    /// Returns `None` on other systems than Linux, and for the few file systems there whose files
    /// report another device than the mount table.
    pub(super) fn find(device: u64) -> Option<Self> {
        Self::find_in(&fs::read_to_string("/proc/self/mountinfo").ok()?, device)
    }

    /// Each line is `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS … - KIND SOURCE OPTIONS`.
    fn find_in(mounts: &str, device: u64) -> Option<Self> {
        let major = (device >> 32) & 0xffff_f000 | (device >> 8) & 0xfff;
        let minor = (device >> 12) & 0xffff_ff00 | device & 0xff;
        let device = format!("{major}:{minor}");
        let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&device))?;
        let mut file_system = line.split_once(" - ")?.1.split(' ');
        let kind = file_system.next()?.to_owned();
        Some(Self { kind, options: file_system.nth(1)?.to_owned() })
    }

    pub(super) fn is_local(&self) -> bool {
        LOCAL.contains(&&*self.kind)
    }

    /// Returns whether it is known to be a file system that several hosts share.
    pub(super) fn is_network(&self) -> bool {
        self.is_nfs() || NETWORK.contains(&self.kind.strip_prefix("fuse.").unwrap_or(&self.kind))
    }

    /// Returns its type, as the kernel calls it.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns whether it is NFS, where a server answers a rename when it is on stable storage.
    pub(super) fn is_nfs(&self) -> bool {
        self.kind.starts_with("nfs")
    }

    /// Returns why hosts that share this file system would lose each other's updates, if they would.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let has = |option: &str| self.options.split(',').any(|given| given == option);
        if !self.is_nfs() {
            None
        } else if ["local_lock=flock", "local_lock=all", "nolock"].into_iter().any(has) {
            Some(
                "its mount has `local_lock` or `nolock`, so locks would hold on this host only; \
                 mount it without that option",
            )
        } else if has("nocto") {
            Some(
                "its mount has `nocto`, so hosts would not see each other's writes; \
                 mount it without that option",
            )
        } else {
            None
        }
    }
}

/// A door for the target in `fuzz/`.
#[cfg(fuzzing)]
pub mod fuzzing {
    use super::Mount;

    /// Finds a device in any list of mounts. Returns the type of its file system and the options.
    pub fn mount(mounts: &str, (major, minor): (u32, u32)) -> Option<(String, String)> {
        let (high, low) = (u64::from(major), u64::from(minor));
        let high = (high & 0xffff_f000) << 32 | (high & 0xfff) << 8;
        let mount = Mount::find_in(mounts, high | (low & 0xffff_ff00) << 12 | low & 0xff)?;
        assert!(!(mount.is_local() && mount.is_network()));
        assert!(mount.problem().is_none() || mount.is_network());
        Some((mount.kind, mount.options))
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
        Mount::find_in(MOUNTS, device)
    }

    #[test]
    fn the_line_of_a_device_tells_its_file_system_and_options() {
        let root = mount(0xfe00).unwrap();
        assert_eq!((root.is_local(), root.is_nfs(), root.problem()), (true, false, None));
        let efs = mount(45).unwrap();
        assert_eq!((efs.is_local(), efs.is_nfs(), efs.problem()), (false, true, None));
        assert!(mount(46).unwrap().problem().unwrap().contains("this host only"));
        assert!(efs.is_network() && efs.kind() == "nfs4" && !root.is_network());
        let bucket = Mount::find_in("9 1 0:7 / /b rw - fuse.s3fs s3fs rw", 7).unwrap();
        assert!(bucket.is_network() && !bucket.is_local());
        let later = Mount::find_in("9 1 0:8 / /n rw - nfs5 nas:/ rw,nolock", 8).unwrap();
        assert!(later.is_network() && later.problem().is_some());
        assert!(mount(47).unwrap().problem().unwrap().contains("nocto"));
        // Major 1048577, minor 258: a device number holds each of them in two pieces.
        let far = mount(0x0010_0000_0010_0102).unwrap();
        assert_eq!((far.is_local(), far.problem()), (true, None));
        assert_eq!(mount(99), None);
    }
}
