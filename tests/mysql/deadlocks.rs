//! A command that the server undoes to end a deadlock is sent again.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use cloakroom::Clock;
use cloakroom::store::{CommitId, NewEntry};
use cloakroom_testing::HOUR;
use cloakroom_testing::mariadb::{Server, TABLE};
use cloakroom_testing::processes::wait_until;

use super::setup::{created, hex, key, store};

/// Another client, with a transaction of several statements.
struct Client(Child);

impl Client {
    fn of(server: &Server) -> Self {
        let mut client = server.client();
        client.arg("--unbuffered").stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(client.spawn().unwrap())
    }

    fn send(&mut self, statements: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{statements}").unwrap();
    }

    /// Waits for the answers to all statements.
    fn finish(&mut self) {
        self.send("SELECT 'done';");
        let mut lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "done"), "the client has ended");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The sweep has deleted the first row and waits for the second, while the other transaction has the second and
/// asks for the first. The server undoes the lighter of the two.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_sweep_that_meets_another_transaction_in_a_deadlock_is_repeated() {
    let server = Server::start();
    let store = store(&server).await;
    let past = Clock::system().now().saturating_sub(HOUR);
    for number in [1, 2] {
        let commit = CommitId::from_bytes([number; 8]);
        created(&store, &key(number), &NewEntry::new(commit, past, "bytes")).await;
    }
    let lock = |number| {
        format!("SELECT version FROM {TABLE} WHERE `key` = {} FOR UPDATE;", hex(&key(number)))
    };
    let mut other = Client::of(&server);
    other.send("BEGIN;");
    // They make its transaction the heavier one.
    other.send(&format!(
        "INSERT INTO {TABLE} SELECT UNHEX(SHA2(seq, 256)), x'0101010101010101', {}, '' FROM seq_1_to_200;",
        past.saturating_add(HOUR * 24).as_millis()
    ));
    other.send(&lock(2));
    other.finish();
    let sweep = tokio::spawn(async move { store.sweep().await });
    wait_until("a sweep that waits", || server.status("Innodb_row_lock_current_waits") == 1);
    other.send(&lock(1));
    other.send("COMMIT;");
    other.finish();
    assert_eq!(sweep.await.unwrap().unwrap(), 2);
    assert_eq!(server.status("Innodb_deadlocks"), 1, "there was no deadlock");
}
