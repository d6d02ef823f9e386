//! A primary and a standby that follows it.

use std::ffi::OsString;

use super::programs::run;
use super::server::{DATABASE, PASSWORD, Server, USER, make_folder};
use crate::processes::{Folder, wait_until};

#[derive(Debug)]
pub struct Pair {
    pub primary: Server,
    pub standby: Server,
}

impl Pair {
    pub fn start() -> Self {
        let primary = Server::start();
        let folder = Folder::new();
        let data = folder.join("data");
        make_folder(&data);
        let port = primary.port.to_string();
        let words =
            ["-U", "postgres", "-p", &port, "-R", "-X", "stream", "-c", "fast", "--no-sync"];
        let words = words.iter().map(OsString::from);
        let host = ["-h".into(), primary.socket_folder().into(), "-D".into(), data.into()];
        run("pg_basebackup", words.chain(host));
        let standby = Server::on(folder, &[]);
        let pair = Self { primary, standby };
        pair.wait_until_in_step();
        pair
    }

    /// Waits until the standby has all that the primary has.
    pub fn wait_until_in_step(&self) {
        wait_until("a standby in step", || {
            let at = self.primary.sql("SELECT pg_current_wal_lsn()");
            let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{at}'");
            self.standby.sql(&replayed) == "t"
        });
    }

    /// Makes the standby a primary.
    pub fn promote(&self) {
        assert_eq!(self.standby.sql("SELECT pg_promote()"), "t");
        wait_until("a primary", || self.standby.sql("SELECT pg_is_in_recovery()") == "f");
    }

    /// Returns a URL with both hosts.
    pub fn url_of(&self, table: &str) -> String {
        let hosts = format!("127.0.0.1:{},127.0.0.1:{}", self.primary.port, self.standby.port);
        format!("postgres://{USER}:{PASSWORD}@{hosts}/{DATABASE}?table={table}&create=true")
    }
}
