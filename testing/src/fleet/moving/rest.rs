//! Moves by `Moving::advance`, key by key, the entries that nobody has changed since the second step.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use cloakroom::Clock;
use cloakroom::store::{Moving, SessionStore, StoreError, StoreKey};
use tokio::time::sleep;

use super::ledger::Check;
use crate::redis::Node;

/// The longest that the rest may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// `advance` leaves marks of logouts where they are, and everything else that ends so soon.
const SOON: Duration = Duration::from_secs(120);

/// Moves what is left in the old store, until nothing is left but what ends within two minutes. That are
/// the marks of logouts: every session of this test lasts longer, and finding no mark means no session too.
///
/// The guide lets an operator wait for an hour after that: for commands that arrive late, and because clocks
/// differ. Here is one clock, and no command is under way as long as that.
pub async fn move_the_rest<F, T>(old: F, new: T, keys: impl Fn() -> Vec<StoreKey>) -> Check
where
    F: SessionStore + Clone,
    T: SessionStore,
{
    let store = Moving::new_first(old.clone(), new);
    let (begun, mut why) = (Instant::now(), String::new());
    while begun.elapsed() < PATIENCE {
        let mut left = 0;
        for key in keys() {
            // After an error the entry counts in one store or the other, so a busy store is asked again.
            let is_done = is_moved(&store, &old, &key).await.unwrap_or_else(|error| {
                why = format!("{error:?}");
                false
            });
            left += usize::from(!is_done);
        }
        if left == 0 {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Err(format!("not all sessions can be moved: {why}"))
}

async fn is_moved<F, T>(store: &Moving<F, T>, old: &F, key: &StoreKey) -> Result<bool, StoreError>
where
    F: SessionStore,
    T: SessionStore,
{
    Ok(store.advance(key).await? || !stays_long(old, key).await?)
}

async fn stays_long(old: &impl SessionStore, key: &StoreKey) -> Result<bool, StoreError> {
    let soon = Clock::system().now().saturating_add(SOON);
    let entry = old.load(key).await?;
    Ok(entry.is_some_and(|entry| entry.deadline >= soon))
}

/// Lists the keys of a file store, by the names of its files.
pub fn keys_of_files(root: &Path) -> Vec<StoreKey> {
    let shards = fs::read_dir(root.join("sessions")).unwrap().flatten();
    let files = shards.flat_map(|shard| fs::read_dir(shard.path()).unwrap().flatten());
    // The others are being written.
    files.filter_map(|file| key(file.file_name().to_str()?)).collect()
}

/// Lists the keys of a store on this Redis server, by its own command for it.
pub fn keys_of_redis(server: &Node) -> Vec<StoreKey> {
    let names = server.ask(&["KEYS", "cloakroom:*"]);
    names.list().iter().filter_map(|name| key(name.text().strip_prefix("cloakroom:")?)).collect()
}

/// Reads a key from its 64 hexadecimal digits.
fn key(name: &str) -> Option<StoreKey> {
    let digits = name.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = digits
        .0
        .iter()
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let bytes = <[u8; 32]>::try_from(bytes?).ok()?;
    (name.len() == 64).then(|| StoreKey::from_bytes(bytes))
}
