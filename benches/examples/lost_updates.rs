//! Counts what overlapping requests lose, under this library and under the crate that most axum apps use:
//! the table at the top of the README.
//!
//! ```sh
//! cargo run -p cloakroom-benches --example lost_updates
//! ```

use cloakroom_benches::races;

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    print!("{}", races::table(&runtime.block_on(races::run())));
    Ok(())
}
