//! The keys that the handler has read: a list while it is short, with an index when it has grown.

use std::collections::BTreeMap;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::record::Text;

/// Keys and operations that are looked through one by one. From this number on an index is cheaper,
/// and the work no longer grows with the square of the number of keys.
pub(super) const FEW: usize = 16;

/// The bytes of a key when the handler last read it; `None` is the absent key.
pub(super) type ReadValue = Option<Bytes>;

/// The keys that the handler has read, each with the value it knows. Most requests read one.
#[derive(Clone, Default)]
pub(super) struct Reads {
    few: SmallVec<[(Text, ReadValue); 1]>,
    /// All of them, once there are more than a few.
    many: Option<BTreeMap<Text, ReadValue>>,
}

impl Reads {
    /// Returns what the handler knows of a key; `None` if it has never read it.
    pub(super) fn last(&self, key: &Text) -> Option<&ReadValue> {
        let few = self.few.iter().find(|(read, _)| read == key).map(|(_, value)| value);
        few.or_else(|| self.many.as_ref()?.get(key))
    }

    pub(super) fn note(&mut self, key: Text, value: ReadValue) {
        if let Some((_, last)) = self.few.iter_mut().find(|(read, _)| *read == key) {
            *last = value;
        } else if self.many.is_none() && self.few.len() < FEW {
            self.few.push((key, value));
        } else {
            let many = self.many.get_or_insert_default();
            many.extend(self.few.drain(..));
            many.insert(key, value);
        }
    }

    /// Every key that was read is known to be absent now.
    pub(super) fn clear_values(&mut self) {
        let few = self.few.iter_mut().map(|(_, value)| value);
        few.chain(self.many.iter_mut().flat_map(|many| many.values_mut()))
            .for_each(|value| *value = None);
    }

    /// Changes what is known of a key, if anything is. `None` makes it unknown.
    pub(super) fn correct(&mut self, key: &Text, known: Option<&ReadValue>) {
        match known {
            _ if self.last(key).is_none() => {}
            Some(known) => self.note(key.clone(), known.clone()),
            None => {
                self.few.retain(|(read, _)| read != key);
                self.many.iter_mut().for_each(|many| drop(many.remove(key)));
            }
        }
    }

    /// Knows of each key what `earlier` knew.
    pub(super) fn go_back_to(&mut self, earlier: &Self) {
        let few = self.few.iter().map(|(key, _)| key);
        let keys: Vec<_> =
            few.chain(self.many.iter().flat_map(|many| many.keys())).cloned().collect();
        keys.iter().for_each(|key| self.correct(key, earlier.last(key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_reads_are_known_as_few_are() {
        let mut reads = Reads::default();
        for n in 0..50_u8 {
            let key = Text::new(&format!("k{n:02}")).unwrap();
            assert_eq!(reads.last(&key), None);
            reads.note(key.clone(), None);
            reads.note(key, Some(Bytes::from(vec![n])));
        }
        let known = |n: u8| Text::new(&format!("k{n:02}")).unwrap();
        assert!((0..50).all(|n| reads.last(&known(n)) == Some(&Some(Bytes::from(vec![n])))));
        reads.clear_values();
        assert!((0..50).all(|n| reads.last(&known(n)) == Some(&None)));
        assert_eq!(reads.last(&known(51)), None);
    }
}
