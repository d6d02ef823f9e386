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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::header::COOKIE;
    use http::{HeaderMap, HeaderValue};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;
    use crate::cookie::seal::SIGNED;
    use crate::entropy;
    use crate::keys::Key;

    /// The most characters of text in the cookies `id`, `id.1`, `id.2` and `id.3`.
    const ROOMS: [usize; 4] = [4094, 4092, 4092, 4092];

    fn options() -> CookieOptions {
        CookieOptions::builder().name("id").build().unwrap()
    }

    fn pieces() -> Pieces {
        Pieces::new("id")
    }

    fn request(cookies: &str) -> Presented {
        let cookie = HeaderValue::from_str(cookies).unwrap();
        Presented::hold(&HeaderMap::from_iter([(COOKIE, cookie)]))
    }

    /// A text that says that it is spread over this many cookies.
    fn text(cookies: u8, len: usize) -> String {
        let sealer = Sealer::new(SIGNED, &Key::from_bytes(&[1; 32]).unwrap().into(), "id");
        sealer.seal(cookies, &vec![7; len], entropy::operating_system).unwrap()
    }

    fn texts(cookies: &str) -> Vec<String> {
        let (pieces, request) = (pieces(), request(cookies));
        let texts = pieces.texts(&request);
        texts.map(|text| String::from_utf8(text.into_owned()).unwrap()).collect()
    }

    #[test]
    fn a_text_takes_as_few_cookies_as_hold_it() {
        let (mut room, mut count) = (0, 0);
        for next in ROOMS {
            room += next;
            count += 1;
            assert_eq!(pieces().count(room, 4).unwrap(), count);
            assert_eq!(pieces().count(room - next + 1, 4).unwrap(), count);
        }
    }

    #[test]
    fn a_text_that_the_cookies_do_not_hold_is_refused_with_its_size() {
        for (most, names) in [(1, 2), (2, 6), (4, 14)] {
            let room: usize = ROOMS[..most].iter().sum();
            let refused = pieces().count(room + 1, most).unwrap_err();
            let SessionError::TooLarge { size, limit } = refused else { panic!("{refused:?}") };
            assert_eq!((size, limit), (room + 1 + names, most * 4096));
        }
    }

    #[test]
    fn what_was_sent_in_pieces_is_read_whole() {
        for (cookies, len) in [(1, 1), (1, 1000), (2, 4000), (3, 7000), (4, 12_000)] {
            let text = text(cookies, len);
            let sent = pieces().live(&options(), &text, None, &request("")).unwrap();
            assert_eq!(sent.len(), usize::from(cookies));
            assert!(sent.iter().all(|header| header.is_sensitive()));
            let pair = |header: &HeaderValue| {
                header.to_str().unwrap().split(';').next().unwrap().to_owned()
            };
            let pairs: Vec<String> = sent.iter().map(pair).collect();
            assert!(pairs.iter().all(|pair| pair.len() <= 4097), "name, value and `=`");
            assert_eq!(texts(&pairs.join("; ")), [&*text]);
            let reversed: Vec<_> = pairs.iter().rev().cloned().collect();
            assert_eq!(texts(&reversed.join("; ")), [&*text]);
            // A cookie of a longer text that is still there changes nothing, and one that is missing loses it.
            assert_eq!(texts(&format!("{}; id.{cookies}=rest", pairs.join("; "))), [&*text]);
            assert!(cookies == 1 || texts(&pairs[..pairs.len() - 1].join("; ")).is_empty());
        }
    }

    #[test]
    fn of_several_cookies_of_a_name_each_goes_with_its_own_continuation() {
        let [one, two] = [text(2, 30), text(2, 31)];
        let ((a, b), (c, d)) = (one.split_at(20), two.split_at(20));
        let single = text(1, 5);
        let both = format!("id={a}; id.1={b}; id={single}; id=broken; id={c}; id.1={d}");
        assert_eq!(texts(&both), [one, single, two]);
    }

    #[test]
    fn a_piece_whose_beginning_is_incomplete_is_not_given_to_the_next() {
        let [three, two] = [text(3, 60), text(2, 31)];
        let ((a, rest), (c, d)) = (three.split_at(20), two.split_at(20));
        // The first text lacks its third piece; its second one must not continue the other text.
        assert_eq!(texts(&format!("id={a}; id.1={rest}; id={c}; id.1={d}")), [two]);
    }

    #[test]
    fn a_text_cannot_claim_more_cookies_than_there_are() {
        assert!(texts(&format!("id={}; id.1=a; id.2=b; id.3=c", text(5, 30))).is_empty());
        assert!(texts(&format!("id={}", text(0, 30))).is_empty());
    }

    #[test]
    fn pieces_that_are_left_over_are_removed_and_others_are_not_named() {
        let removed = |cookies: &str, text: &str| {
            let sent = pieces().live(&options(), text, None, &request(cookies)).unwrap_or_default();
            let removed = sent.iter().filter(|header| header.as_bytes().ends_with(b"; Max-Age=0"));
            let name = |header: &HeaderValue| {
                header.to_str().unwrap().split('=').next().unwrap().to_owned()
            };
            removed.map(name).collect::<Vec<_>>()
        };
        assert_eq!(removed("id=a; id.1=b; id.2=c", &text(1, 9)), ["id.1", "id.2"]);
        assert_eq!(removed("id=a; id.3=", ""), ["id", "id.3"]);
        assert!(removed("id.1x=a; other=b", "").is_empty());
        assert!(pieces().removal(&options(), &request("other=b")).is_none());
        assert_eq!(pieces().removal(&options(), &request("id=a; id.1=b")).unwrap().len(), 2);
    }

    /// Counts events of the level `WARN`.
    struct Warnings(Arc<AtomicUsize>);

    impl Subscriber for Warnings {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == Level::WARN
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn cookies_that_are_longer_than_a_usual_header_line_are_warned_about() {
        // `Cookie: id=…; id.1=…; ` without the text.
        let room = 8190 - 8 - 5 - 7;
        for (len, expected) in [(1, 0), (5000, 0), (room, 0), (room + 1, 1), (room + 100, 1)] {
            let warnings = (0..5).map(|_| warnings_of(len)).max();
            assert_eq!(warnings, Some(expected), "{len}");
        }
    }

    /// Returns how often a cookie with this many bytes is warned about. A warning may be missed: if another test is just
    /// meeting the call site, in a thread where nobody listens, `tracing` notes for all threads that nobody does.
    fn warnings_of(len: usize) -> usize {
        let warnings = Arc::new(AtomicUsize::new(0));
        tracing::subscriber::with_default(Warnings(warnings.clone()), || {
            tracing::callsite::rebuild_interest_cache();
            pieces().live(&options(), &"v".repeat(len), None, &request("")).unwrap();
        });
        warnings.load(Ordering::SeqCst)
    }

    #[test]
    fn only_a_cookie_of_the_name_itself_counts_as_ours() {
        assert!(pieces().any(&request("id=broken")));
        assert!(!pieces().any(&request("id.1=a; idx=b")));
    }
}
