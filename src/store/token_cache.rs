//! Remembers the current tokens of entries that were touched.
//!
//! In memcached and in a bucket a touch writes the entry again. Its version stays, and has the token in it
//! that the entry was written under, which the server no longer knows. A replace that does not find the
//! current token here costs a request or two more, and nothing else: a slot that is empty or out of date
//! never makes a replace succeed that should fail.

use std::sync::Mutex;

use super::entry::Version;
use crate::id::StoreKey;
use crate::poison::IgnorePoison;

/// The number of slots. All of them together take about 100 kB.
const SLOTS: usize = 1_024;

type Slot<Token> = Option<(Version, Token)>;

/// A fixed number of slots. A later entry takes the slot of an earlier one whose key has the same
/// end.
// A map with eviction would hit more often, but the worst case here is two requests more, which is
// not worth its locks and its memory per session.
pub(super) struct TokenCache<Token>(Mutex<Box<[Slot<Token>]>>);

impl<Token: Clone> Default for TokenCache<Token> {
    fn default() -> Self {
        Self(Mutex::new(vec![None; SLOTS].into()))
    }
}

impl<Token: Clone> TokenCache<Token> {
    pub(super) fn insert(&self, key: &StoreKey, version: Version, token: Token) {
        self.0.lock().ignore_poison()[slot(key)] = Some((version, token));
    }

    pub(super) fn get(&self, key: &StoreKey, version: &Version) -> Option<Token> {
        let slots = self.0.lock().ignore_poison();
        let known = slots[slot(key)].as_ref().filter(|(known, _)| known == version);
        known.map(|(_, token)| token.clone())
    }
}

/// Chooses the slot by the end of the key, because its beginning chooses the server.
fn slot(key: &StoreKey) -> usize {
    let [.., high, low] = key.as_bytes();
    usize::from(u16::from_be_bytes([*high, *low])) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_under_its_own_version_only() {
        let cache = TokenCache::default();
        let (key, same_slot) = (StoreKey::from_bytes([1; 32]), {
            let mut bytes = [2; 32];
            bytes[30..].fill(1);
            StoreKey::from_bytes(bytes)
        });
        let versions: Vec<_> = [b"a", b"b"].iter().filter_map(|name| Version::new(*name)).collect();
        cache.insert(&key, versions[0], 5);
        assert_eq!(cache.get(&key, &versions[0]), Some(5));
        assert_eq!(cache.get(&key, &versions[1]), None);
        cache.insert(&same_slot, versions[1], 6);
        assert_eq!(cache.get(&key, &versions[0]), None);
        assert_eq!(cache.get(&same_slot, &versions[1]), Some(6));
    }
}
