//! Compares the PostgreSQL store with the driver alone: one task, and 64 that share the store's default number
//! of connections.
//!
//! A server is started for the run, which synchronises its log at each commit. Both sides move the same bytes
//! and take turns in short rounds. The second number is the same share by the CPU time of this process only.
//!
//! The driver prepares its statements too, and has ten connections for either kind of command; the store has two
//! for reads and eight for writes. It runs the store's own statements in one column and plain ones in the other,
//! which shows what the statements themselves cost: the store's read also asks whether the server is read-only,
//! and its write locks the row before it compares the version, so that a loser is answered with the row that won.
//!
//! `--million` fills a table with a million expired sessions instead, and prints how long 64 writers wait beside
//! the sweep and without it.

use cloakroom_benches::crew;
use cloakroom_benches::postgres_jobs::{Ours, Raw, Texts, pool, server, store};
use cloakroom_benches::postgres_sweep::million;
use cloakroom_benches::sessions::record_with;
use cloakroom_benches::sql_table::print_shares;
use cloakroom_benches::sweeping::is_million;
use tokio::runtime::Builder;

/// The store's default.
const WRITES: usize = 8;
const READS: usize = 2;

fn main() {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if is_million() {
        return million(&runtime, WRITES);
    }
    let server = server(&[]);
    let texts = [runtime.block_on(Texts::of_store(&server)), Texts::plain()];
    print_shares(&runtime, |tasks, writes| {
        let record = record_with(512);
        let store = runtime.block_on(store(&server, WRITES));
        let pool = pool(&server, READS + WRITES);
        let ours = crew(&runtime, tasks, async || Ours::new(&store, &record, writes).await);
        let raw = texts.each_ref().map(|texts| {
            crew(&runtime, tasks, async || Raw::new(&pool, texts, &record, writes).await)
        });
        (ours, raw)
    });
}
