//! Mounts and folders with the wrong options, without space, restored from a copy, or frozen.

use std::time::Duration;

use cloakroom::Clock;
use cloakroom::store::{Replaced, SessionStore, StoreErrorKind, Version};
use cloakroom_nfs::{Command, LIMIT};
use tokio::time::timeout;

use crate::hosts::{Hosts, OPTIONS, counter, created, entry, key, total};
use crate::sharing::count;

/// Replaces the folder by a copy on the server, which makes all handles of the clients stale.
async fn restore_from_copy(hosts: &Hosts, root: &str) {
    let root = root.replace("/mnt/efs", "/mnt/exported");
    let commands = format!("cp -a {root} {root}.copy && rm -rf {root} && mv {root}.copy {root}");
    hosts.server.run(&commands).await;
}

/// Both hosts still have the old lock files open; a process that starts now opens the new ones.
pub(crate) async fn a_folder_restored_from_a_copy_works_without_a_restart(hosts: Hosts) {
    let root = hosts.folder().await;
    let now = Clock::system().now();
    let (a, b) = (hosts.a.open(&root, now).await, hosts.b.open(&root, now).await);
    counter(&a, &key(1)).await;
    assert_eq!(count(&[&a, &b], 1, 3).await, (6, 0));
    restore_from_copy(&hosts, &root).await;
    let neighbour = hosts.neighbour(&hosts.b, "10.98.0.3:7001").await;
    let fresh = neighbour.actor.open(&root, now).await;
    assert_eq!(count(&[&a, &b, &fresh], 2, 40).await, (240, 0));
    assert_eq!((total(&a, &key(1)).await, total(&b, &key(1)).await), (246, 246));
    neighbour.kill().await;
}

/// The server's disk has a quota, so writes fail with EDQUOT.
pub(crate) async fn an_exceeded_quota_refuses_writes_and_loses_nothing(hosts: Hosts) {
    hosts.server.run(QUOTA).await;
    let mount =
        format!("mkdir -p /mnt/quota && mount -t nfs4 -o {OPTIONS} 10.98.0.1:/quota /mnt/quota");
    hosts.a.run(&mount).await;
    let store = hosts.a.open("/mnt/quota", Clock::system().now()).await;
    let coat = entry(1, b"a coat");
    created(&store, &key(1), &coat).await;
    let fill = "dd if=/dev/zero of=/mnt/quota/damaged/filler bs=1k count=8192 2>&1; true";
    let filled = hosts.a.run(fill).await;
    assert!(filled.contains("quota exceeded"), "{filled}");

    let (large, version) = (entry(2, &[0; LIMIT - 100]), Version::from(coat.commit));
    let errors = [
        store.create(&key(2), &large).await.map(drop).unwrap_err(),
        store.replace(&key(1), &version, &large).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("quota exceeded"), "{source}");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    assert_eq!(store.load(&key(1)).await.unwrap().unwrap().bytes, "a coat");

    hosts.a.run("rm /mnt/quota/damaged/filler").await;
    let replaced = store.replace(&key(1), &version, &large).await.unwrap();
    assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");
    let names = hosts.a.run("ls -A /mnt/quota/sessions/02").await;
    assert_eq!(names, "", "the part that was written is removed");
    hosts.a.ask(&Command::Close(store.store)).await;
}

/// Makes a disk of 24 MB on which the user `nobody` may have 4, and exports it with all clients mapped
/// to that user.
const QUOTA: &str = r#"
set -e
modprobe -d "$MODULES" loop
modprobe -d "$MODULES" quota_v2
truncate -s 24M /run/disk
mkfs.ext4 -q -O quota -E quotatype=usrquota /run/disk
mkdir /mnt/exported/quota
mount -t ext4 -o loop,usrquota /run/disk /mnt/exported/quota
rmdir /mnt/exported/quota/lost+found
chown 65534:65534 /mnt/exported/quota
python3 - <<'SET_LIMIT'
import ctypes, struct, subprocess
device = subprocess.check_output(["findmnt", "-no", "SOURCE", "/mnt/exported/quota"]).strip()
limits = struct.pack("=8QI4x", 4096, 4096, 0, 0, 0, 0, 0, 0, 1)
set_user_quota = ctypes.c_int(0x800008 << 8 | 0 & 0xffffffff)
libc = ctypes.CDLL(None, use_errno=True)
if libc.quotactl(set_user_quota, device, 65534, limits):
    raise OSError(ctypes.get_errno(), "quotactl")
SET_LIMIT
exportfs -o rw,insecure,all_squash,anonuid=65534,anongid=65534,fsid=7,no_subtree_check,sync '*:/mnt/exported/quota'
"#;

/// With `nocto` the hosts would not see each other's writes.
pub(crate) async fn a_mount_that_would_lose_updates_is_refused(hosts: Hosts) {
    hosts
        .a
        .run(&format!(
            "mkdir -p /mnt/nocto && mount -t nfs4 -o {OPTIONS},nocto 10.98.0.1:/ /mnt/nocto"
        ))
        .await;
    let folder = hosts.folder().await.replace("/mnt/efs", "/mnt/nocto");
    let refused = hosts.a.try_open(&folder, Clock::system().now(), None).await.unwrap_err();
    assert!(refused.contains("nocto"), "{refused}");
    hosts.a.run("umount /mnt/nocto").await;
}

/// Closing a file waits for the server, so it must not happen on a thread of the runtime.
pub(crate) async fn closing_a_store_on_a_frozen_mount_blocks_no_other_work(hosts: Hosts) {
    let root = hosts.folder().await;
    let store = hosts.a.open(&root, Clock::system().now()).await;
    for number in 0..64 {
        // Each command opens another lock file.
        store.delete(&key(number)).await.unwrap();
    }
    let frozen = hosts.freeze_server();
    let closed = timeout(Duration::from_secs(60), hosts.a.ask(&Command::Close(store.store))).await;
    let pinged = timeout(Duration::from_secs(60), hosts.a.ask(&Command::Ping)).await;
    drop(frozen);
    assert!(closed.is_ok() && pinged.is_ok(), "the runtime is stuck");
    hosts.a.open(&root, Clock::system().now()).await.delete(&key(1)).await.unwrap();
}
