//! The present tokens of entries that were touched.
//!
//! Such an entry's version has the token that it was written under, which the server no longer
//! knows. Without its present one a replace would cost two commands more. What is forgotten here, or
//! is out of date, costs that and nothing else.

use std::sync::Mutex;

use super::entry::Token;
use crate::id::StoreKey;
use crate::poison::IgnorePoison;
use crate::store::Version;

/// About 100 kB.
const SLOTS: usize = 1_024;

type Slot = Option<(Version, Token)>;

/// A later entry takes the place of an earlier one whose key ends alike.
pub(super) struct Recent(Mutex<Box<[Slot]>>);

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(vec![None; SLOTS].into()))
    }
}

impl Recent {
    pub(super) fn remember(&self, key: &StoreKey, version: Version, token: Token) {
        self.0.lock().ignore_poison()[slot(key)] = Some((version, token));
    }

    pub(super) fn token(&self, key: &StoreKey, version: &Version) -> Option<Token> {
        let slots = self.0.lock().ignore_poison();
        slots[slot(key)].filter(|(known, _)| known == version).map(|(_, token)| token)
    }
}

/// By the key's end: its beginning decides about the server.
fn slot(key: &StoreKey) -> usize {
    let [.., high, low] = key.as_bytes();
    usize::from(u16::from_be_bytes([*high, *low])) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_token_is_that_of_its_version_or_forgotten() {
        let recent = Recent::default();
        let token = |unique| Token { unique, process: [1; 8], deadline: Timestamp::MAX };
        let (key, alike) = (StoreKey::from_bytes([1; 32]), {
            let mut bytes = [2; 32];
            bytes[30..].fill(1);
            StoreKey::from_bytes(bytes)
        });
        let versions: Vec<_> = [b"a", b"b"].iter().filter_map(|name| Version::new(*name)).collect();
        recent.remember(&key, versions[0], token(5));
        assert_eq!(recent.token(&key, &versions[0]), Some(token(5)));
        assert_eq!(recent.token(&key, &versions[1]), None);
        recent.remember(&alike, versions[1], token(6));
        assert_eq!(recent.token(&key, &versions[0]), None);
        assert_eq!(recent.token(&alike, &versions[1]), Some(token(6)));
    }
}
