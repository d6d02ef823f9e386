//! Bytes that travel in a cookie and come back unchanged, or not at all.
//!
//! ```text
//! base64url( form 1 | cookies 1 | key hint 4 | nonce | bytes | tag )
//! ```
//!
//! The form says how the bytes are protected. Each form has keys of its own, derived from the ring's
//! for this form and this cookie name alone, so nothing sealed for one passes under another. The
//! head has six bytes, which are eight characters, and is protected with the rest. It says over how
//! many cookies the text is spread: if a piece is missing or of another text, nothing is opened.

mod form;
#[cfg(feature = "private")]
mod private;
mod signed;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use super::refusal::Refusal;
use crate::entropy::{Entropy, EntropyError};
use crate::keys::{Key, KeyRing};

pub(crate) use form::Form;
use form::{HEAD_LEN, Protect};

#[cfg(feature = "private")]
pub(crate) use private::PRIVATE;
pub(crate) use signed::SIGNED;

struct Keyed {
    hint: [u8; 4],
    /// Boxed. A type parameter instead would reach the type of the layer, and an app could not choose
    /// the form at run time, as `connect` does.
    key: Box<dyn Protect>,
}

/// Seals and opens the cookies of one name.
#[derive(Clone)]
pub(crate) struct Sealer {
    form: &'static Form,
    /// The first one seals, all of them open.
    keys: Arc<[Keyed]>,
}

impl Sealer {
    pub(crate) fn new(form: &'static Form, ring: &KeyRing, cookie_name: &str) -> Self {
        let keyed = |key: &Key| Keyed { hint: key.hint(), key: (form.key)(key, cookie_name) };
        Self { form, keys: ring.keys().map(keyed).collect() }
    }

    /// Returns how many characters the text of `len` bytes has.
    pub(crate) fn text_len(&self, len: usize) -> usize {
        (HEAD_LEN + self.form.nonce + len + self.form.tag).saturating_mul(4).div_ceil(3)
    }

    /// Seals `bytes` into a text, to be spread over `cookies` cookies.
    pub(crate) fn seal(
        &self,
        cookies: u8,
        bytes: &[u8],
        entropy: Entropy,
    ) -> Result<String, EntropyError> {
        let Keyed { hint, key } = &self.keys[0];
        let start = self.body(0).start;
        let mut raw = Vec::with_capacity(start + bytes.len() + self.form.tag);
        raw.extend([self.form.number, cookies]);
        raw.extend(hint);
        raw.resize(start, 0);
        entropy(&mut raw[HEAD_LEN..])?;
        raw.extend(bytes);
        key.seal(&mut raw);
        Ok(URL_SAFE_NO_PAD.encode(raw))
    }

    /// Returns a text that one of the keys may have sealed, by its hint. Nothing is verified yet, so this
    /// costs little.
    pub(crate) fn recognize(&self, text: &[u8]) -> Result<Sealed<'_>, Refusal> {
        let raw = URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Malformed)?;
        let body = self.body(raw.len());
        if body.is_empty() || raw[0] != self.form.number {
            return Err(Refusal::Malformed);
        }
        let keyed = self.keys.iter().find(|keyed| raw[2..HEAD_LEN] == keyed.hint);
        let key = &*keyed.ok_or(Refusal::ForeignKey)?.key;
        Ok(Sealed { raw, body, key })
    }

    /// Returns over how many cookies a text with this beginning claims to be spread. The claim is
    /// verified only by [`Sealed::open`].
    pub(crate) fn announced(piece: &[u8]) -> Option<usize> {
        let head = URL_SAFE_NO_PAD.decode(piece.get(..8)?).ok()?;
        Some(usize::from(head[1]))
    }

    /// Returns where the bytes are in a raw text of this length.
    fn body(&self, raw: usize) -> Range<usize> {
        HEAD_LEN + self.form.nonce..raw.saturating_sub(self.form.tag)
    }
}

/// A text that one of the keys may have sealed.
pub(crate) struct Sealed<'a> {
    raw: Vec<u8>,
    body: Range<usize>,
    key: &'a dyn Protect,
}

impl Sealed<'_> {
    /// Returns the bytes, if the key sealed exactly this text.
    pub(crate) fn open(mut self) -> Result<Bytes, Refusal> {
        tracing::trace!("session cookie verified");
        match self.key.open(&mut self.raw) {
            true => Ok(Bytes::from(self.raw).slice(self.body)),
            false => Err(Refusal::Forged),
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer(form {}, {} keys)", self.form.number, self.keys.len())
    }
}

#[cfg(all(test, feature = "private"))]
mod tests;
