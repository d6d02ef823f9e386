//! P9: neither the store nor a log gets a secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::error::Error;
use std::fmt::{Debug, Write};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use cloakroom::store::{CommitId, MemoryStore, NewEntry, Replaced, StoreErrorKind, StoreKey};
use cloakroom::{
    Backend, Clock, CookieOptions, CookieSessions, Field, Key, KeyRing, LazySession, Roster,
    Session, SessionError, SessionLayer,
};
use cloakroom_testing::Command::{Create, Load, Replace, Touch};
use cloakroom_testing::{
    Answer, COOKIE, Fault, HOUR, House, MINUTE, Recorder, Trace, Visitor, reply,
};
use sha2::{Digest, Sha256};

/// A secret in every encoding in which it might appear.
struct Secret {
    name: &'static str,
    shapes: Vec<String>,
}

impl Secret {
    fn new(name: &'static str, bytes: &[u8]) -> Self {
        let hex: String = bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let list = format!("{bytes:?}");
        let shapes = vec![
            BASE64URL.encode(bytes),
            BASE64_STANDARD_NO_PAD.encode(bytes),
            hex.to_uppercase(),
            hex,
            format!("{:?}", String::from_utf8_lossy(bytes)).trim_matches('"').to_owned(),
            list.trim_matches(['[', ']']).to_owned(),
        ];
        Self { name, shapes }
    }

    fn text(name: &'static str, text: &str) -> Self {
        let mut secret = Self::new(name, text.as_bytes());
        secret.shapes.push(text.to_owned());
        secret
    }

    #[track_caller]
    fn is_not_in(&self, text: &str) {
        for shape in &self.shapes {
            assert!(!text.contains(shape), "{} leaks as {shape:?} in: {text}", self.name);
        }
    }
}

fn id(ticket: &str) -> Vec<u8> {
    BASE64URL.decode(ticket).unwrap()[11..31].to_vec()
}

/// Returns all secrets of a ticket.
fn secrets(ticket: &str) -> Vec<Secret> {
    let raw = BASE64URL.decode(ticket).unwrap();
    let id = id(ticket);
    vec![
        Secret::text("ticket", ticket),
        Secret::new("ticket bytes", &raw),
        Secret::new("signature", &raw[31..]),
        Secret::new("id", &id),
        Secret::new("store key", &Sha256::digest(&id)),
    ]
}

fn key_secret() -> Secret {
    Secret::new("signing key", &[7; 32])
}

#[test]
fn p9_the_search_finds_what_it_looks_for() {
    let secret = Secret::new("bytes", &[1, 2, 255]);
    for text in ["AQL_", "AQL/", "0102ff", "0102FF", "[0, 1, 2, 255]"] {
        let found = std::panic::catch_unwind(|| secret.is_not_in(text));
        assert!(found.is_err(), "{text}");
    }
}

#[tokio::test]
async fn p9_the_store_sees_the_hash_of_the_id_and_never_the_id() {
    let house = House::open();
    let guest = house.guest().await;
    let id = id(&guest.ticket());
    assert_eq!(house.counting.last_key().as_bytes()[..], Sha256::digest(&id)[..]);
    guest.visit(async |session| session.insert("name", "Ada")).await.is_ok();
    let bytes = house.entry().await.bytes;
    assert!(!bytes.windows(id.len()).any(|window| window == id));
    let raw = BASE64URL.decode(guest.ticket()).unwrap();
    assert!(!bytes.windows(32).any(|window| window == &raw[31..]));
}

/// Appends both `Debug` forms of a value.
fn shown(text: &mut String, value: &dyn Debug) {
    write!(text, "{value:?} {value:#?} ").unwrap();
}

fn show_session(text: &mut String, lazy: &LazySession, session: &Session) {
    shown(text, lazy);
    shown(text, session);
    shown(text, &session.clone());
}

fn show_layer(text: &mut String, house: &House) {
    let ring = KeyRing::new(house.key.clone()).verify_also(Key::generate().unwrap()).unwrap();
    shown(text, &house.layer);
    shown(text, &house.key);
    shown(text, &ring);
    shown(text, house.memory());
    shown(text, &Backend::from(house.memory().clone()));
    shown(text, &Clock::from(house.clock.clone()));
    shown(text, &CookieOptions::default());
    shown(text, &CookieOptions::builder());
    shown(text, &MemoryStore::builder());
    shown(text, &Field::<u8>::new("k"));
    write!(text, "{}", house.layer).unwrap();
}

#[tokio::test]
async fn p9_no_public_type_shows_a_secret() {
    let house = House::open();
    let guest = house.guest().await;
    let mut text = String::new();
    guest
        .ask(async |lazy| {
            shown(&mut text, &lazy);
            let session = lazy.load().await.unwrap();
            show_session(&mut text, &lazy, &session);
            session.insert("k", &2).unwrap();
            session.renew().unwrap();
            session.save().await.unwrap();
            show_session(&mut text, &lazy, &session);
            reply(http::StatusCode::OK)
        })
        .await
        .is_ok();
    show_layer(&mut text, &house);
    let key = house.counting.last_key();
    shown(&mut text, &key);
    write!(text, "{key}").unwrap();

    let entry = house.entry().await;
    shown(&mut text, &entry.version);
    key_secret().is_not_in(&text);
    secrets(&guest.ticket()).iter().for_each(|secret| secret.is_not_in(&text));
}

#[tokio::test]
async fn p9_a_moved_mark_shows_no_store_key() {
    let house = House::open();
    let guest = house.guest().await;
    let renewal = guest.visit(async |session| {
        session.renew().unwrap();
        Ok(())
    });
    renewal.await.is_ok();
    // The mark holds the new record's key. The store knows it, but a log must not show it.
    let mark = house.entry().await;
    let new = NewEntry::new(CommitId::from_bytes([1; 8]), mark.deadline, mark.bytes.clone());
    let mut text = String::new();
    shown(&mut text, &Replaced::Conflict(mark.clone()));
    shown(&mut text, &mark);
    shown(&mut text, &new);
    secrets(&guest.ticket()).iter().for_each(|secret| secret.is_not_in(&text));
}

#[test]
fn p9_a_store_key_prints_a_fingerprint_alone() {
    let key = StoreKey::from_bytes(std::array::from_fn(|at| u8::try_from(at).unwrap()));
    assert_eq!(key.to_string(), "00010203");
    assert_eq!(format!("{key:?}"), "StoreKey(00010203..)");
}

/// Appends an error with all its sources, in `Display` and `Debug`.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, " {error} {error:?} {error:#?}").unwrap();
        source = error.source();
    }
    text
}

async fn write(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.insert("k", &2)).await
}

/// The errors and all tickets of a run.
#[derive(Default)]
struct Findings {
    errors: Vec<SessionError>,
    tickets: Vec<String>,
}

impl Findings {
    fn note(&mut self, answer: Answer) {
        self.errors.extend(answer.error);
    }

    /// Lets a request meet every fault of a store.
    async fn of_failures(&mut self, house: &House) {
        let guest = house.guest().await;
        self.tickets.push(guest.ticket());
        house.clock.advance(10 * MINUTE);
        house.faulty.next(Touch, Fault::Fail(StoreErrorKind::Denied));
        self.note(guest.visit(async |session| session.get::<String>("k")).await);
        for kind in [
            StoreErrorKind::Unavailable,
            StoreErrorKind::TooLarge,
            StoreErrorKind::Corrupt,
            StoreErrorKind::Denied,
            StoreErrorKind::Misconfigured,
        ] {
            house.faulty.next(Replace, Fault::Fail(kind));
            self.note(write(&guest).await);
            house.faulty.next(Load, Fault::Fail(kind));
            self.note(write(&guest).await);
        }
        house.faulty.next(Replace, Fault::LoseReply);
        self.note(write(&guest).await);
        house.faulty.next(Replace, Fault::LoseRequest);
        house.faulty.next(Load, Fault::Pass);
        house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
        self.note(guest.visit(async |session| session.insert("k", &3)).await);
        house.faulty.always(Create, || Fault::LoseReply);
        self.note(write(&house.visitor()).await);
        house.faulty.clear_faults();
    }

    /// Lets requests meet each other's writes, logouts and renewals.
    async fn of_races(&mut self, house: &House) {
        let guest = house.guest().await;
        self.tickets.push(guest.ticket());
        let tab = guest.copy();
        let conflict = tab.visit(async |session| {
            session.get::<u32>("k")?;
            guest.visit(async |other| other.insert("k", &77)).await.is_ok();
            session.insert("k", &78)
        });
        self.note(conflict.await);
        let gone = tab.visit(async |session| {
            let login = guest.visit(async |other| other.log_in("quetzal").await);
            login.await.is_ok();
            session.insert("k", &79)
        });
        self.note(gone.await);
        self.tickets.push(guest.ticket());
        house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
        self.note(guest.ask(async |lazy| cloakroom_testing::respond(lazy.destroy().await)).await);
        self.note(guest.visit(async |session| session.destroy().await).await);
    }

    /// Lets a request meet every kind of damaged bytes.
    async fn of_bad_bytes(&mut self, house: &House) {
        let guest = house.guest().await;
        self.tickets.push(guest.ticket());
        let good = house.entry().await.bytes;
        house.overwrite("nonsense").await;
        self.note(write(&guest).await);
        house.overwrite([&[0xC1, 9], &good[2..]].concat()).await;
        self.note(write(&guest).await);
        let forger = house.visitor();
        forger.set_cookie(
            cloakroom_testing::COOKIE,
            &guest.ticket().replace(&guest.ticket()[80..], "AAAA"),
        );
        self.note(write(&forger).await);
        self.tickets.push(forger.ticket());
        house.clock.advance(12 * HOUR);
        self.note(write(&guest).await);
        self.tickets.push(guest.ticket());
    }
}

#[tokio::test(start_paused = true)]
async fn p9_r68_no_error_and_no_trace_of_anything_shows_a_secret() {
    let house = House::open();
    let trace = Trace::listen();
    let mut findings = Findings::default();
    findings.of_failures(&house).await;
    findings.of_races(&house).await;
    findings.of_bad_bytes(&house).await;
    let Findings { errors, tickets } = findings;
    assert!(errors.len() >= 15, "only {} errors came up", errors.len());
    let mut text: String = errors.iter().map(|error| told(error)).collect();
    let lines = trace.lines();
    for expected in ["session created", "session changed", "session renewed", "session ended"] {
        assert!(
            lines.iter().any(|line| line.contains(expected)),
            "no `{expected}` among {lines:?}"
        );
    }
    lines.iter().for_each(|line| text.push_str(line));
    key_secret().is_not_in(&text);
    for ticket in &tickets {
        secrets(ticket).iter().for_each(|secret| secret.is_not_in(&text));
    }
    assert!(!text.contains("quetzal"), "nor who it is");
}

#[tokio::test(start_paused = true)]
async fn p9_no_event_of_anything_shows_a_secret() {
    let told = Recorder::default();
    let house = House::open().with(|layer| layer.roster(Roster::default()));
    let house = house.with(|layer| layer.observer(told.clone()));
    let mut findings = Findings::default();
    findings.of_failures(&house).await;
    findings.of_races(&house).await;
    findings.of_bad_bytes(&house).await;
    let guest = house.guest().await;
    findings.tickets.push(guest.ticket());
    let merged = guest.visit(async |session| {
        guest.visit(async |other| other.insert("other", &77)).await.is_ok();
        session.insert("k", &78)
    });
    merged.await.is_ok();
    house.clock.advance(HOUR);
    write(&guest).await.is_ok();
    let in_cookies = House::in_cookies(CookieSessions::signed());
    let in_cookies = in_cookies.with(|layer| layer.observer(told.clone()));
    let guest = in_cookies.guest().await;
    guest.visit(async |session| session.log_in("quetzal").await).await.is_ok();
    let sealed = Secret::text("cookie", &guest.ticket());
    guest.visit(async |session| session.destroy().await).await.is_ok();
    let text = told.shown();
    for expected in [
        "Created",
        "Loaded",
        "FoundExpired",
        "Changed",
        "Renewed",
        "LoggedIn",
        "Ended(Visitor)",
        "CookieRefused",
        "Merged",
        "Refused",
        "StoreCommand",
        "Begun",
        "Over",
    ] {
        assert!(text.contains(expected), "no `{expected}`");
    }
    key_secret().is_not_in(&text);
    sealed.is_not_in(&text);
    for ticket in &findings.tickets {
        secrets(ticket).iter().for_each(|secret| secret.is_not_in(&text));
    }
    assert!(!text.contains("quetzal"), "nor who it is");
}

#[tokio::test]
async fn p9_neither_an_error_nor_its_source_nor_the_log_shows_a_value() {
    let trace = Trace::listen();
    let house = House::open();
    let guest = house.visitor();
    let diary = "quetzal\r\n\u{1b}[31mquetzal";
    guest.visit(async |session| session.insert("diary", diary)).await.is_ok();
    let misread = guest.visit(async |session| session.get::<u32>("diary")).await;
    let error = misread.error.unwrap();
    assert!(matches!(error, SessionError::Decode { .. }), "{error}");
    assert!(told(&error).contains("another type"), "it says what is wrong");
    // An update that meets another type when it commits is reported by the layer itself.
    let rerun = guest.visit(async |session| {
        session.update("diary", |diary: &mut String| diary.clear())?;
        guest.visit(async |other| other.insert("diary", &7_355_608)).await.is_ok();
        Ok(())
    });
    let rerun = rerun.await.error.unwrap();
    assert!(matches!(rerun, SessionError::Decode { .. }), "{rerun}");
    let text = told(&error) + &told(&rerun) + &trace.lines().concat();
    assert!(!text.contains("quetzal") && !text.contains("7355608"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn p9_no_error_of_keys_or_urls_shows_what_was_given() {
    let short = Key::from_base64url("c2VjcmV0LXNlY3JldA").unwrap_err();
    let odd = Key::from_base64url("s3cret!!").unwrap_err();
    let text = told(&short) + &told(&odd);
    assert!(!text.contains("s3cret") && !text.contains("c2Vj") && !text.contains("secret-"));
}

#[tokio::test]
async fn p9_the_log_says_why_a_cookie_was_refused_and_shows_nothing_of_it() {
    let houses = || [House::open(), House::in_cookies(CookieSessions::signed())];
    let foreign = Key::from_bytes(&[9; 32]).unwrap();
    let foreign = [
        SessionLayer::new(MemoryStore::new(), foreign.clone()),
        SessionLayer::new(CookieSessions::signed(), foreign),
    ];
    for (house, foreign) in houses().into_iter().zip(foreign) {
        let guest = house.guest().await;
        let elsewhere = Visitor::new(foreign.clock(house.clock.clone()));
        write(&elsewhere).await.is_ok();
        let good = guest.ticket();
        let (before, after) = good.split_at(good.len() - 10);
        let other = if after.starts_with('A') { "B" } else { "A" };
        let forged = format!("{before}{other}{}", &after[1..]);
        for (cookie, passes, why) in [
            ("quetzal", 0, "malformed"),
            (&elsewhere.ticket(), 0, "a key that is not on the ring"),
            (&forged, 0, "its signature does not hold"),
            (&good, 13, "expired"),
        ] {
            house.clock.advance(passes * HOUR);
            let visitor = house.visitor();
            visitor.set_cookie(COOKIE, cookie);
            let trace = Trace::listen();
            visitor.visit(async |session| session.get::<u32>("k")).await.is_ok();
            let lines = trace.lines();
            let refused = lines.iter().find(|line| line.contains("session cookie refused"));
            let refused = refused.unwrap_or_else(|| panic!("{why}: {lines:?}"));
            assert!(refused.contains(why) && refused.starts_with("DEBUG"), "{refused}");
            assert!(!lines.concat().contains(&cookie[..7]), "{lines:?}");
        }
    }
}

#[tokio::test]
async fn p9_no_error_of_connect_shows_a_password() {
    for url in ["redis://user:hunter2@host", "memory:hunter2", "hunter2", "nowhere://hunter2"] {
        let text = told(&cloakroom::connect(url).await.unwrap_err());
        assert!(!text.contains("hunter2"), "{text}");
    }
}
