//! Measures the bytes of a session on the server's disk. The figures of the guide come from here:
//!
//! ```text
//! cargo test --all-features --test mysql sizes -- --ignored --nocapture
//! ```

use cloakroom::store::MysqlStore;
use cloakroom_testing::mariadb::Server;

const GUIDE: &str = include_str!("../../docs/mysql.md");
/// The beginning of the statements that fill the table.
const INSERT: &str = "INSERT INTO cloakroom SELECT";

/// Returns the numbers of the guide's row that begins so.
fn row(begin: &str) -> Vec<u64> {
    let row = GUIDE.lines().find_map(|line| line.strip_prefix(begin)).unwrap();
    let cells = row.trim_matches(['|', ' ']).split('|');
    cells.map(|cell| cell.trim().parse().unwrap()).collect()
}

/// Returns the guide's statements for sessions of 500 bytes.
fn statements() -> String {
    let (_, rest) = GUIDE.split_once(INSERT).unwrap();
    let (statements, _) = rest.split_once("```").unwrap();
    format!("{INSERT}{statements}")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_session_takes_as_much_room_as_the_guide_says() {
    let server = Server::start();
    let sql = MysqlStore::builder().migration();
    let lengths = row("| bytes of a session |");
    let said = row("| bytes of the table's file for each session |");
    assert_eq!((lengths.len(), said.len()), (3, 3), "the guide's table");
    for (length, said) in lengths.into_iter().zip(said) {
        server.sql(&format!("DROP TABLE IF EXISTS cloakroom; {sql}"));
        let statements =
            statements().replace("REPEAT('x', 500)", &format!("REPEAT('x', {length})"));
        let found: f64 = server.sql(&statements).parse().unwrap();
        println!("{length}: {found}");
        // The keys are random, and so is how full the pages are.
        let share = found / said as f64;
        assert!((0.9..1.1).contains(&share), "{length} bytes: {found}, the guide says {said}");
    }
}
