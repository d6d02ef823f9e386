//! `docs/checklist.md` lists every row of the security checklist once, and claims nothing that no test
//! proves. `docs/promises.md` names test files that exist. Below, the rows that need nothing but the
//! library's public face; the others are proved in `tests/standards.rs` and beside the parts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use cloakroom::store::{
    Created, Entry, MemoryStore, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched,
    Version, async_trait,
};
use cloakroom::{
    AuthLevel, CookieOptions, CookieSessions, Key, KeyError, LazySession, LoginRequired,
    ManualClock, Revocations, Revoke, Roster, Session, SessionError, SessionLayer, Timestamp,
};
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const ROWS: u32 = 77;
const MINUTE: Duration = Duration::from_secs(60);

/// A row of the page: its state, and the tests that it names.
struct Row {
    state: String,
    tests: Vec<String>,
}

fn page(name: &str) -> String {
    fs::read_to_string(format!("{ROOT}/docs/{name}")).unwrap()
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The rows by number; a number that stands there twice fails. A row is a list item: the requirement,
/// its source in parentheses, and the state.
fn rows() -> BTreeMap<u32, Row> {
    let mut rows = BTreeMap::new();
    for item in items(&page("checklist.md")) {
        let (number, text) = item.split_once(". ").unwrap();
        let number = number.parse().unwrap();
        let (requirement, state) = text.split_once(" **").expect("a state");
        assert!(requirement.ends_with(").") && requirement.contains(" ("), "a source: {item}");
        let tests = in_backticks(state).filter(|name| !numbers(name).is_empty());
        let tests = tests.map(str::to_owned).collect();
        let row = Row { state: format!("**{state}"), tests };
        assert!(rows.insert(number, row).is_none(), "row {number} is there twice");
    }
    rows
}

/// The items of the page's numbered lists, each as one line.
fn items(page: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut in_item = false;
    for line in page.lines() {
        let is_first =
            line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        if is_first {
            items.push(line.to_owned());
        } else if let (true, Some(more), Some(item)) =
            (in_item, line.strip_prefix(' '), items.last_mut())
        {
            item.push(' ');
            item.push_str(more.trim_start());
        }
        in_item = is_first || (in_item && line.starts_with(' '));
    }
    items
}

/// The rows that a test's name says it proves: `r11_r13_…` or `r38_to_r42_…`, behind a promise's
/// number if it has one (`p9_r68_…`).
fn numbers(test: &str) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let mut is_range = false;
    for word in test.split('_') {
        let digits = |letter| word.strip_prefix(letter).filter(|rest| !rest.is_empty());
        match (digits('r').map(str::parse), digits('p').map(str::parse::<u32>)) {
            (Some(Ok(number)), _) if is_range => found.extend(found[found.len() - 1] + 1..=number),
            (Some(Ok(number)), _) => found.push(number),
            (_, Some(Ok(_))) if found.is_empty() => {}
            _ if word == "to" && !found.is_empty() => {
                is_range = true;
                continue;
            }
            _ => break,
        }
        is_range = false;
    }
    found
}

/// Every test of a row in the sources of this package and of the packages beside it.
fn row_tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let mut folders: Vec<_> =
        ["src", "tests", "testing"].map(|name| Path::new(ROOT).join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                tests.extend(tests_in(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    tests
}

fn tests_in(source: &str) -> Vec<String> {
    let names = source.split("fn ").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        rest[..end.unwrap_or(rest.len())].to_owned()
    });
    names.filter(|name| !numbers(name).is_empty()).collect()
}

const STATES: [&str; 3] = ["**Proved** by ", "**The app** ", "**Not yet**"];

#[test]
fn every_row_is_there_exactly_once_and_has_a_state() {
    let rows = rows();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (1..=ROWS).collect::<Vec<_>>());
    for (number, row) in &rows {
        let has_state = STATES.iter().any(|state| row.state.starts_with(state));
        assert!(has_state, "row {number}: {}", row.state);
    }
    let [proved, the_app, not_yet] =
        STATES.map(|state| rows.values().filter(|row| row.state.starts_with(state)).count());
    let summary =
        format!("Of the {ROWS} rows: {proved} proved, {the_app} for the app, {not_yet} not yet.");
    assert!(page("checklist.md").contains(&summary), "{summary}");
}

#[test]
fn every_proved_row_names_tests_of_its_number_that_exist() {
    let exist = row_tests();
    for (number, row) in rows() {
        let proved = row.state.starts_with("**Proved**");
        assert_eq!(
            proved,
            !row.tests.is_empty(),
            "row {number}: a test and **Proved** go together"
        );
        for test in &row.tests {
            assert!(exist.contains(test), "row {number}: no test is named {test}");
            assert!(numbers(test).contains(&number), "row {number}: {test} is about another");
        }
    }
}

#[test]
fn every_test_of_a_row_is_listed_in_that_row() {
    let rows = rows();
    let exist = row_tests();
    assert!(exist.len() > 30, "only {} tests were found", exist.len());
    for test in exist {
        for number in numbers(&test) {
            assert!(rows[&number].tests.contains(&test), "row {number} does not name {test}");
        }
    }
}

#[test]
fn a_tests_name_says_which_rows_it_is_about() {
    assert_eq!(numbers("r04_r77_the_ticket"), [4, 77]);
    assert_eq!(numbers("r38_to_r42_the_defaults"), [38, 39, 40, 41, 42]);
    assert_eq!(numbers("p9_r68_no_error"), [68]);
    for other in ["p9_no_error", "renewal_r12", "r_04", "read", "real_time"] {
        assert_eq!(numbers(other), [0; 0], "{other}");
    }
}

#[test]
fn every_file_that_the_promises_name_exists_and_each_promise_names_one() {
    let text = page("promises.md");
    let sections: Vec<_> = text.split("\n## P").skip(1).collect();
    assert_eq!(sections.len(), 12);
    for (at, section) in sections.iter().enumerate() {
        assert!(section.starts_with(&format!("{}. ", at + 1)), "{section}");
        assert!(section.contains("\n*Where it ends.*"), "{section}");
        let (_, proofs) = section.split_once("\n*Proved by*").expect("the proofs");
        let files: Vec<_> = in_backticks(proofs).filter(|name| name.ends_with(".rs")).collect();
        assert!(!files.is_empty(), "{section}");
        for file in files {
            assert!(Path::new(ROOT).join(file).is_file(), "{file}");
        }
    }
}

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(1_700_000_000_000))
}

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).unwrap()
}

/// One request with this `Cookie` header, none if it is empty. An error becomes its status.
async fn visit(
    layer: &SessionLayer,
    cookie: &str,
    handler: impl AsyncFn(&Session) -> Result<String, SessionError>,
) -> Response<String> {
    let mut request = Request::new(());
    if !cookie.is_empty() {
        request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
    }
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        let answer = match lazy.load().await {
            Ok(session) => handler(&session).await,
            Err(error) => Err(error),
        };
        let (status, body) = match answer {
            Ok(body) => (StatusCode::OK, body),
            Err(error) => (error.status(), String::new()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Ok::<_, Infallible>(response)
    }));
    let Ok(response) = service.oneshot(request).await;
    response
}

/// Begins a session that holds `k`, and returns its `Set-Cookie`.
async fn begin(layer: &SessionLayer) -> String {
    let begun = visit(layer, "", async |session| {
        session.insert("k", "value")?;
        Ok(String::new())
    });
    set_cookie(&begun.await)
}

fn set_cookie(response: &Response<String>) -> String {
    assert_eq!(response.status(), StatusCode::OK);
    response.headers()[SET_COOKIE].to_str().unwrap().to_owned()
}

/// The cookie that the browser sends back.
fn pair(set_cookie: &str) -> &str {
    set_cookie.split(';').next().unwrap()
}

/// Whether a request with this cookie finds a session.
async fn finds(layer: &SessionLayer, cookie: &str) -> bool {
    let found =
        visit(layer, cookie, async |session| Ok(session.get::<String>("k")?.unwrap_or_default()));
    found.await.into_body() == "value"
}

fn ticket(cookie: &str) -> Vec<u8> {
    BASE64URL.decode(cookie.split_once('=').unwrap().1).unwrap()
}

/// A memory store that counts what it is asked, and whose first create finds the id taken.
#[derive(Clone, Debug, Default)]
struct Watched {
    entries: MemoryStore,
    loads: Arc<AtomicUsize>,
    created: Arc<Mutex<Vec<StoreKey>>>,
    refuses_first: bool,
}

#[async_trait]
impl SessionStore for Watched {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.entries.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        let before = {
            let mut created = self.created.lock().unwrap();
            created.push(*key);
            created.len() - 1
        };
        match (self.refuses_first, before) {
            (true, 0) => Ok(Created::Exists),
            _ => self.entries.create(key, entry).await,
        }
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.entries.replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.entries.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.entries.delete(key).await
    }
}

impl Watched {
    fn loads(&self) -> usize {
        self.loads.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn r01_r10_every_session_gets_an_id_of_160_random_bits() {
    let layer = SessionLayer::new(MemoryStore::new(), key(1));
    let mut ids = BTreeSet::new();
    for _ in 0..256 {
        let raw = ticket(pair(&begin(&layer).await));
        ids.insert(<[u8; 20]>::try_from(&raw[11..31]).unwrap());
    }
    assert_eq!(ids.len(), 256);
    for bit in 0..160 {
        let ones = ids.iter().filter(|id| id[bit / 8] >> (bit % 8) & 1 == 1).count();
        // Eight standard deviations: no bit is fixed.
        assert!((64..=192).contains(&ones), "bit {bit} is 1 in {ones} of 256 ids");
    }
}

#[tokio::test]
async fn r03_an_id_that_is_taken_is_never_used_for_another_session() {
    let store = Watched { refuses_first: true, ..Watched::default() };
    let layer = SessionLayer::new(store.clone(), key(1));
    let cookie = begin(&layer).await;
    assert!(finds(&layer, pair(&cookie)).await);
    let created = store.created.lock().unwrap().clone();
    assert_eq!(created.len(), 2);
    assert_ne!(created[0], created[1]);
}

#[tokio::test]
async fn r09_r66_only_the_keys_that_the_app_was_given_make_a_ticket_good() {
    let store = Watched::default();
    let layer = SessionLayer::new(store.clone(), key(1));
    let foreign = begin(&SessionLayer::new(store.clone(), key(2))).await;
    assert!(!finds(&layer, pair(&foreign)).await);
    assert_eq!(store.loads(), 0);
}

#[tokio::test]
async fn r12_a_renewal_gives_a_new_id_and_ends_the_old_one() {
    let layer = SessionLayer::new(MemoryStore::new(), key(1));
    let before = begin(&layer).await;
    let renewed = visit(&layer, pair(&before), async |session| {
        session.renew()?;
        Ok(String::new())
    });
    let after = set_cookie(&renewed.await);
    assert_ne!(pair(&before), pair(&after));
    assert!(!finds(&layer, pair(&before)).await);
    assert!(finds(&layer, pair(&after)).await);
}

#[tokio::test]
async fn r23_expired_sessions_are_freed_and_not_read_meanwhile() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = SessionLayer::new(store.clone(), key(1)).clock(clock.clone());
    let cookie = begin(&layer).await;
    clock.advance(30 * MINUTE);
    assert_eq!(store.len(), 1, "its bytes are still there");
    assert!(!finds(&layer, pair(&cookie)).await);
    store.purge_expired();
    assert!(store.is_empty());
}

/// Layers of both kinds whose sessions can be revoked.
fn revocable() -> [(SessionLayer, Revocations, ManualClock); 2] {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    [store.clone().into(), cloakroom::Backend::from(CookieSessions::signed())].map(|backend| {
        let revocations = Revocations::builder(store.clone()).clock(clock.clone()).build();
        let layer = SessionLayer::new(backend, key(1)).clock(clock.clone());
        (layer.revocations(revocations.clone()), revocations, clock.clone())
    })
}

/// Logs in and returns the cookie.
async fn login(layer: &SessionLayer, cookie: &str, principal: &'static str) -> String {
    let login = visit(layer, cookie, async move |session| {
        session.insert("k", "value")?;
        session.log_in(principal).await?;
        Ok(String::new())
    });
    set_cookie(&login.await)
}

#[tokio::test]
async fn r27_r29_the_sessions_of_one_user_or_of_all_can_be_ended() {
    for (layer, revocations, clock) in revocable() {
        let alice = [login(&layer, "", "alice").await, login(&layer, "", "alice").await];
        let bob = login(&layer, "", "bob").await;
        clock.advance(MINUTE);
        let now = || SystemTime::from(clock.now());
        revocations.revoke_before(Revoke::Principal("alice"), now()).await.unwrap();
        for cookie in &alice {
            assert!(!finds(&layer, pair(cookie)).await);
        }
        assert!(finds(&layer, pair(&bob)).await);
        revocations.revoke_before(Revoke::All, now()).await.unwrap();
        assert!(!finds(&layer, pair(&bob)).await);
    }
}

#[tokio::test]
async fn r28_all_other_sessions_of_a_user_can_be_ended() {
    let revocable = revocable().map(|(layer, _, clock)| (layer, clock));
    for (layer, clock) in revocable.into_iter().chain([rostered(Roster::default())]) {
        clock.advance(MINUTE); // two of the layers share their revocations
        let other = login(&layer, "", "alice").await;
        let mine = login(&layer, "", "alice").await;
        clock.advance(MINUTE);
        let users = layer.users();
        let changes_password = visit(&layer, pair(&mine), async move |session| {
            session.renew()?;
            users.end_others(session).await?;
            Ok(String::new())
        });
        let mine = set_cookie(&changes_password.await);
        assert!(finds(&layer, pair(&mine)).await);
        assert!(!finds(&layer, pair(&other)).await);
    }
}

/// Without a roster it goes on as a login that is made after the end, but it is no new proof of the user.
#[tokio::test]
async fn r34_r36_to_end_all_others_makes_a_login_neither_newer_nor_stronger() {
    const LEVEL: AuthLevel = AuthLevel::new(2);
    for (layer, _, clock) in revocable() {
        clock.advance(MINUTE); // two of the layers share their revocations
        let mine = login(&layer, "", "alice").await;
        let mine = visit(&layer, pair(&mine), async |session| {
            session.log_in_with_level("alice", LEVEL).await?;
            Ok(String::new())
        });
        let mine = set_cookie(&mine.await);
        let at = SystemTime::from(clock.now());
        clock.advance(10 * MINUTE);
        let users = layer.users();
        let ends = visit(&layer, pair(&mine), async move |session| {
            users.end_others(session).await?;
            Ok(String::new())
        });
        let mine = set_cookie(&ends.await);
        let checks = visit(&layer, pair(&mine), async move |session| {
            assert_eq!((session.auth_level(), session.authenticated_at()), (Some(LEVEL), Some(at)));
            session.require_login(LEVEL, 10 * MINUTE)?;
            let refused = session.require_login(LEVEL, 9 * MINUTE);
            assert!(matches!(refused, Err(SessionError::LoginRequired(LoginRequired::Newer))));
            Ok(String::new())
        });
        assert_eq!(checks.await.status(), StatusCode::OK);
    }
}

fn rostered(roster: Roster) -> (SessionLayer, ManualClock) {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    (SessionLayer::new(store, key(1)).clock(clock.clone()).roster(roster), clock)
}

#[tokio::test]
async fn r30_users_can_see_and_end_their_own_sessions() {
    let (layer, _) = rostered(Roster::default());
    let users = layer.users();
    let phone = login(&layer, "", "alice").await;
    let laptop = login(&layer, "", "alice").await;
    login(&layer, "", "bob").await;
    let answer = visit(&layer, pair(&laptop), async move |session| {
        for device in users.sessions_of("alice").await? {
            let handle = device.handle().expect("a login");
            if Some(handle) != session.handle() {
                assert!(users.end("alice", handle).await?);
            }
        }
        Ok(users.sessions_of("alice").await?.len().to_string())
    });
    assert_eq!(answer.await.body(), "1");
    assert!(finds(&layer, pair(&laptop)).await);
    assert!(!finds(&layer, pair(&phone)).await);
}

#[tokio::test]
async fn r31_the_number_of_sessions_of_a_user_can_be_limited() {
    let (layer, clock) = rostered(Roster::default().limit(1));
    let first = login(&layer, "", "alice").await;
    clock.advance(MINUTE);
    let second = login(&layer, "", "alice").await;
    assert!(!finds(&layer, pair(&first)).await);
    assert!(finds(&layer, pair(&second)).await);
}

#[tokio::test]
async fn r26_sessions_in_cookies_can_be_revoked() {
    let clock = clock();
    let revocations = Revocations::builder(MemoryStore::new()).clock(clock.clone()).build();
    let layer = SessionLayer::new(CookieSessions::signed(), key(1)).clock(clock.clone());
    let layer = layer.revocations(revocations.clone());
    let login = visit(&layer, "", async |session| {
        session.insert("k", "value")?;
        session.log_in("alice").await?;
        Ok(String::new())
    });
    let copy = set_cookie(&login.await);
    assert!(finds(&layer, pair(&copy)).await);
    clock.advance(MINUTE);
    let now = SystemTime::from(clock.now());
    revocations.revoke_before(Revoke::Principal("alice"), now).await.unwrap();
    assert!(!finds(&layer, pair(&copy)).await);
}

#[tokio::test]
async fn r36_using_a_session_never_carries_it_past_its_absolute_lifetime() {
    let clock = clock();
    let layer = SessionLayer::new(MemoryStore::builder().clock(clock.clone()).build(), key(1));
    let layer = layer.clock(clock.clone());
    let cookie = begin(&layer).await;
    for change in 1..=24 {
        clock.advance(29 * MINUTE);
        let changed = visit(&layer, pair(&cookie), async |session| {
            session.insert("change", &change)?;
            Ok(String::new())
        });
        assert_eq!(changed.await.status(), StatusCode::OK);
        assert!(finds(&layer, pair(&cookie)).await);
    }
    clock.advance(24 * MINUTE);
    assert!(!finds(&layer, pair(&cookie)).await, "12 hours are over");
}

#[tokio::test]
async fn r45_a_cookie_whose_name_differs_in_case_is_another_cookie() {
    let store = Watched::default();
    let layer = SessionLayer::new(store.clone(), key(1));
    let cookie = begin(&layer).await;
    for name in ["__host-id", "__HOST-ID", "__Host-ID"] {
        assert!(!finds(&layer, &pair(&cookie).replace("__Host-id", name)).await);
    }
    assert_eq!(store.loads(), 0);
}

#[tokio::test]
async fn r48_the_cookie_has_no_domain_unless_asked() {
    let layer = SessionLayer::new(MemoryStore::new(), key(1));
    let cookie = begin(&layer).await;
    assert!(!cookie.to_ascii_lowercase().contains("domain"), "{cookie}");
    let narrow = CookieOptions::builder().name("__Secure-id").path("/shop").build().unwrap();
    assert!(begin(&layer.cookie(narrow)).await.ends_with("; Path=/shop"));
}

#[tokio::test]
async fn r52_the_cookie_can_be_partitioned() {
    let options = CookieOptions::builder().partitioned(true).build().unwrap();
    let layer = SessionLayer::new(MemoryStore::new(), key(1)).cookie(options);
    assert!(begin(&layer).await.contains("; Partitioned"));
}

#[tokio::test]
async fn r54_the_cookie_is_a_small_part_of_what_headers_may_have() {
    let layer = SessionLayer::new(MemoryStore::new(), key(1));
    let cookie = begin(&layer).await;
    assert!(pair(&cookie).len() < 100 && cookie.len() < 200, "{cookie}");
}

#[tokio::test]
async fn r57_r58_nothing_in_a_ticket_is_believed_before_its_mac_and_its_format_is_fixed() {
    let store = Watched::default();
    let layer = SessionLayer::new(store.clone(), key(1));
    let good = ticket(pair(&begin(&layer).await));
    let name = "__Host-id=";
    let changed = (0..good.len()).map(|at| (at, good[at] ^ 1));
    let versions = (0..=u8::MAX).map(|version| (0, version)).filter(|&(_, v)| v != good[0]);
    for (at, byte) in changed.chain(versions) {
        let mut bad = good.clone();
        bad[at] = byte;
        assert!(!finds(&layer, &format!("{name}{}", BASE64URL.encode(bad))).await, "byte {at}");
    }
    assert_eq!(store.loads(), 0);
    assert!(finds(&layer, &format!("{name}{}", BASE64URL.encode(good))).await);
}

/// Names under which the sources keep bytes that nobody may find out by the time that a comparison takes.
const SECRETS: [&str; 9] =
    ["digest", "hmac", "mac", "macs", "nonce", "password", "plaintext", "secret", "signature"];

/// The lines of a source file that are code, without its tests and without what its texts say.
fn code(source: &str) -> impl Iterator<Item = String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| line.split('"').step_by(2).collect::<Vec<_>>().join("\"\""))
}

/// Returns whether a line compares something whose name says that it is secret.
fn compares_a_secret(line: &str) -> bool {
    let compares = ["==", "!=", ".eq(", ".ne(", ".cmp("].iter().any(|sign| line.contains(sign));
    let mut words = line.split(|c: char| !c.is_ascii_alphanumeric());
    compares && words.any(|word| SECRETS.contains(&word.to_ascii_lowercase().as_str()))
}

/// The sources of the library but for its tests.
fn sources() -> Vec<(String, String)> {
    let (mut sources, mut folders) = (Vec::new(), vec![Path::new(ROOT).join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !name.ends_with("simulation") {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                sources.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    sources
}

#[test]
fn r61_macs_are_compared_by_the_library_that_does_it_in_constant_time() {
    let mut verifies = BTreeSet::new();
    for (file, source) in sources() {
        for line in code(&source) {
            assert!(!compares_a_secret(&line), "{file}: {line}");
            if line.contains(".verify_slice(") || line.contains(".verify(") {
                verifies.insert(file.clone());
            }
        }
    }
    for file in
        ["src/keys.rs", "src/cookie/csrf.rs", "src/cookie/ticket.rs", "src/cookie/seal/signed.rs"]
    {
        assert!(verifies.contains(file), "{file} checks its MAC with the `hmac` crate");
    }
    for compared in ["if mac == expected {", "other_secret != theirs", "a.mac.eq(&b)"] {
        assert!(compares_a_secret(compared), "{compared}");
    }
    assert!(!compares_a_secret("let mac = theirs; // ==".split("//").next().unwrap()));
}

/// Types that hold a secret have no `==`. Only a key has one, and it compares MACs.
#[test]
fn r61_what_holds_a_secret_has_no_comparison() {
    let sources = sources();
    for name in
        ["SessionId", "Ticket", "TicketMint", "CsrfToken", "CsrfMint", "Sealer", "KeyRing", "Key"]
    {
        let head = format!("struct {name}");
        let is_it = |line: &&str| {
            let rest = line.split_once(&head).map(|(_, rest)| rest);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        let (file, source) =
            sources.iter().find(|(_, source)| source.lines().any(|l| is_it(&l))).unwrap();
        let lines: Vec<_> = source.lines().collect();
        let at = lines.iter().position(is_it).unwrap();
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        for attribute in above.filter(|attribute| !attribute.starts_with("#[cfg_attr(test, ")) {
            assert!(!attribute.contains("PartialEq"), "{file}: {name}");
        }
        let by_hand =
            sources.iter().any(|(_, s)| s.contains(&format!("impl PartialEq for {name} ")));
        assert_eq!(by_hand, name == "Key", "{file}: {name}");
    }
}

#[test]
fn r62_r63_no_weak_hash_is_a_dependency_and_no_short_key_is_taken() {
    let manifest = fs::read_to_string(format!("{ROOT}/Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("\n[dependencies]\n").unwrap();
    for weak in ["md4", "md5", "md-5", "sha1", "sha-1", "des", "rc4"] {
        let named = dependencies.lines().any(|line| line.starts_with(&format!("{weak} =")));
        assert!(!named, "{weak} is a dependency");
    }
    assert!(dependencies.contains("\nhmac =") && dependencies.contains("\nsha2 ="));
    assert_eq!(Key::from_bytes(&[1; 31]), Err(KeyError::TooShort { bytes: 31 }));
}

#[cfg(feature = "private")]
#[tokio::test]
async fn r64_encrypted_cookies_are_authenticated_and_never_the_same_twice() {
    let layer = SessionLayer::new(CookieSessions::encrypted(), key(1));
    let (one, other) = (begin(&layer).await, begin(&layer).await);
    assert_ne!(pair(&one), pair(&other), "a nonce of its own for each");
    let good = ticket(pair(&one));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let bad = format!("__Host-id={}", BASE64URL.encode(bad));
        assert!(!finds(&layer, &bad).await, "byte {at}");
    }
    assert!(finds(&layer, pair(&one)).await);
}

#[tokio::test]
async fn r67_a_session_in_a_cookie_withstands_changed_bytes_foreign_keys_and_late_replays() {
    let clock = clock();
    let layer = |byte| SessionLayer::new(CookieSessions::signed(), key(byte)).clock(clock.clone());
    let cookie = begin(&layer(1)).await;
    let cookie = pair(&cookie);
    assert!(finds(&layer(1), cookie).await);
    assert!(!finds(&layer(2), cookie).await, "another key");
    let tickets = SessionLayer::new(MemoryStore::new(), key(1)).clock(clock.clone());
    assert!(!finds(&tickets, cookie).await, "another form under the same key");
    let good = ticket(cookie);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let bad = format!("__Host-id={}", BASE64URL.encode(bad));
        assert!(!finds(&layer(1), &bad).await, "byte {at}");
    }
    clock.advance(30 * MINUTE);
    assert!(!finds(&layer(1), cookie).await, "a replay after its idle timeout");
}
