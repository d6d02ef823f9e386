//! Compares the MySQL store with the driver alone: one task, and 64 that share the store's default number of
//! connections.
//!
//! A MariaDB server is started for the run. Both sides move the same bytes and take turns in short rounds.
//! The second number is the same share by the CPU time of this process only. The driver runs the store's own
//! statements in one column and plain ones in the other: the store's read also asks whether the server is
//! read-only.
//!
//! `--million` fills a table with a million expired sessions instead, and prints how long 64 writers wait beside
//! the sweep and without it.

use cloakroom_benches::crew;
use cloakroom_benches::mysql_jobs::{Ours, Raw, Texts, pool, store};
use cloakroom_benches::mysql_sweep::million;
use cloakroom_benches::sessions::record_with;
use cloakroom_benches::sql_table::print_shares;
use cloakroom_benches::sweeping::is_million;
use cloakroom_testing::mariadb::Server;
use tokio::runtime::Builder;

const CONNECTIONS: usize = 16;

fn main() {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if is_million() {
        return million(&runtime, CONNECTIONS);
    }
    let server = Server::start();
    let texts = [runtime.block_on(Texts::of_store(&server)), Texts::plain()];
    print_shares(&runtime, |tasks, writes| {
        let record = record_with(512);
        let store = runtime.block_on(store(&server, CONNECTIONS));
        let pool = pool(&server, CONNECTIONS);
        let ours = crew(&runtime, tasks, async || Ours::new(&store, &record, writes).await);
        let raw = texts.each_ref().map(|texts| {
            crew(&runtime, tasks, async || Raw::new(&pool, texts, &record, writes).await)
        });
        (ours, raw)
    });
}
