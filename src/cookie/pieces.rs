//! One text over several cookies: `name`, `name.1`, `name.2`, `name.3`.
//!
//! The text says, protected with the rest, how many cookies it has. So it is read whole or not at
//! all, and a cookie that a longer text left behind is never taken for a part of a shorter one.

use std::borrow::Cow;
use std::time::Duration;

use super::attributes::{CookieOptions, MAX_COOKIE_BYTES, SetCookies};
use super::find::{CookieFinder, Presented};
use super::seal::Sealer;
use crate::error::SessionError;

/// The most cookies that a text is spread over.
pub(crate) const MOST_PIECES: usize = SUFFIXES.len();

const SUFFIXES: [&str; 4] = ["", ".1", ".2", ".3"];

/// The longest header line that Apache takes by default; nginx takes two bytes more.
const USUAL_HEADER_LINE: usize = 8190;

/// The cookies of one name and those that continue them.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    name_len: usize,
    finders: [CookieFinder; MOST_PIECES],
}

impl Pieces {
    pub(crate) fn new(cookie_name: &str) -> Self {
        let finder = |suffix| CookieFinder::new(&format!("{cookie_name}{suffix}"));
        Self { name_len: cookie_name.len(), finders: SUFFIXES.map(finder) }
    }

    /// Returns every text that the request's cookies make up.
    ///
    /// If several cookies have one name, the first that claims to continue goes with the first
    /// continuation, the second with the second, because browsers send all names in one order. Trying
    /// every combination instead would let a client with many cookies ask for a lot of work; this way
    /// each cookie is looked at once.
    pub(crate) fn texts<'a>(
        &'a self,
        presented: &'a Presented,
    ) -> impl Iterator<Item = Cow<'a, [u8]>> {
        let values = self.finders.each_ref().map(|finder| presented.values(finder));
        let [firsts, mut more @ ..] = values;
        firsts.filter_map(move |first| {
            let mut text = Some(Cow::Borrowed(first));
            let continued = Sealer::announced(first)?.checked_sub(1)?;
            for pieces in more.get_mut(..continued)? {
                // The piece is consumed even if one before it is missing: no other text owns it.
                match (pieces.next(), &mut text) {
                    (Some(piece), Some(text)) => text.to_mut().extend(piece),
                    _ => text = None,
                }
            }
            text
        })
    }

    /// Returns whether the client sent any cookie of our name, however broken.
    pub(crate) fn any(&self, presented: &Presented) -> bool {
        self.is_presented(0, presented)
    }

    /// Returns over how many cookies a text of this length has to be spread.
    ///
    /// # Errors
    ///
    /// [`SessionError::TooLarge`] when `most` do not hold it.
    pub(crate) fn count(&self, text_len: usize, most: usize) -> Result<u8, SessionError> {
        let mut left = text_len;
        for count in 1..=most as u8 {
            let room = self.room(usize::from(count) - 1);
            if left <= room {
                return Ok(count);
            }
            left -= room;
        }
        let names = SUFFIXES[..most].iter().map(|suffix| self.name_len + suffix.len());
        let size = text_len + names.sum::<usize>();
        Err(SessionError::TooLarge { size, limit: most * MAX_COOKIE_BYTES })
    }

    /// Renders the `Set-Cookie` headers that put the text in place of the cookies in the request.
    /// Pieces that the text no longer needs are removed. Returns `None` if there is nothing to send.
    pub(crate) fn live(
        &self,
        options: &CookieOptions,
        mut text: &str,
        max_age: Option<Duration>,
        presented: &Presented,
    ) -> Option<SetCookies> {
        let mut line = "Cookie: ".len();
        let mut cookies = SetCookies::new();
        for (at, suffix) in SUFFIXES.iter().enumerate() {
            let (piece, rest) = text.split_at(text.len().min(self.room(at)));
            text = rest;
            if !piece.is_empty() {
                line += self.name_len + suffix.len() + "=; ".len() + piece.len();
                cookies.push(options.header(suffix, piece, max_age));
            } else if self.is_presented(at, presented) {
                cookies.push(options.header(suffix, "", Some(Duration::ZERO)));
            }
        }
        // A warning and not an error: the limit is a setting of the servers in front, unknown here.
        if line > USUAL_HEADER_LINE {
            tracing::warn!(
                bytes = line,
                "the session's cookies are longer than the 8 KB that many servers take as a header"
            );
        }
        (!cookies.is_empty()).then_some(cookies)
    }

    /// Renders the `Set-Cookie` headers that make the browser forget the cookies in the request.
    pub(crate) fn removal(
        &self,
        options: &CookieOptions,
        presented: &Presented,
    ) -> Option<SetCookies> {
        self.live(options, "", None, presented)
    }

    /// Returns whether the request has a cookie with this suffix.
    fn is_presented(&self, at: usize, presented: &Presented) -> bool {
        presented.values(&self.finders[at]).next().is_some()
    }

    /// Returns how many characters fit into the cookie with this suffix.
    fn room(&self, at: usize) -> usize {
        MAX_COOKIE_BYTES.saturating_sub(self.name_len + SUFFIXES[at].len())
    }
}
