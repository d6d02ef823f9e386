//! The kinds of commands that can be gathered.

use bytes::Bytes;

use super::wire::{Answer, Answers, Reply, Wire};
use super::write::Write;

/// A kind of command that can be gathered.
pub(super) trait Gatherable: Send + Sync + Sized + 'static {
    /// Whether several of these may be one command only if all keys are on one server.
    const NEEDS_ONE_SERVER: bool;

    fn key(&self) -> &Bytes;

    /// The bytes that it sends besides names.
    fn size(&self) -> usize;

    fn send_alone(&self, wire: &Wire) -> impl Future<Output = Answer> + Send;

    /// Sends all of these as one command.
    fn send_all<'a>(
        wire: &'a Wire,
        commands: impl ExactSizeIterator<Item = &'a Self> + Clone + Send,
    ) -> impl Future<Output = Answers> + Send;

    /// Whether a part of the answer says less than the answer to the command alone.
    fn is_unclear(part: &Answer) -> bool;
}

/// The load of the value under this key.
pub(super) struct Load(pub(super) Bytes);

impl Gatherable for Load {
    /// A proxy that divides keys among servers divides an `MGET`, too.
    const NEEDS_ONE_SERVER: bool = false;

    fn key(&self) -> &Bytes {
        &self.0
    }

    fn size(&self) -> usize {
        0
    }

    async fn send_alone(&self, wire: &Wire) -> Answer {
        wire.load(&self.0).await
    }

    async fn send_all<'a>(
        wire: &'a Wire,
        commands: impl ExactSizeIterator<Item = &'a Self> + Clone + Send,
    ) -> Answers {
        wire.load_all(commands.map(|Self(key)| key)).await
    }

    /// `MGET` has the same answer for nothing and for what is not a string.
    fn is_unclear(part: &Answer) -> bool {
        matches!(part, Ok(Reply::Nil))
    }
}

impl Gatherable for Write {
    const NEEDS_ONE_SERVER: bool = true;

    fn key(&self) -> &Bytes {
        &self.key
    }

    fn size(&self) -> usize {
        self.value.len()
    }

    async fn send_alone(&self, wire: &Wire) -> Answer {
        wire.write(self).await
    }

    async fn send_all<'a>(
        wire: &'a Wire,
        commands: impl ExactSizeIterator<Item = &'a Self> + Clone + Send,
    ) -> Answers {
        wire.write_all(commands).await
    }

    fn is_unclear(_: &Answer) -> bool {
        false
    }
}
