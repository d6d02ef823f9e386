//! Several open handles of one session: changes, saves that are dropped or parked, renewals and logouts, in
//! any order and with a moving clock, against what was promised so far.
#![no_main]

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arbitrary::Arbitrary;
use cloakroom::store::{
    Created, Entry, MemoryStore, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched,
    Version, async_trait,
};
use cloakroom::{Key, LazySession, ManualClock, Session, SessionError, SessionLayer, Timestamp};
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use libfuzzer_sys::fuzz_target;
use tokio::task::yield_now;
use tower::{Layer, ServiceExt, service_fn};

const IDLE: u64 = 30 * 60_000;
const LIFETIME: u64 = 12 * 3_600_000;
const MOST_HANDLES: usize = 4;

#[derive(Arbitrary, Debug)]
enum Step {
    Open,
    Look,
    Renew,
    Insert(u8),
    Save(u8),
    DropSave(u8, u8),
    ParkSave(u8, u8),
    Unpark(u8),
    Touch(u8),
    Reload(u8),
    Destroy(u8),
    Advance(u16),
}

/// Answers only when it is asked again, before and after each command.
#[derive(Debug)]
struct Slow(MemoryStore);

#[async_trait]
impl SessionStore for Slow {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        yield_now().await;
        self.0.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        yield_now().await;
        let created = self.0.create(key, entry).await;
        yield_now().await;
        created
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        yield_now().await;
        let replaced = self.0.replace(key, expected, entry).await;
        yield_now().await;
        replaced
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        yield_now().await;
        self.0.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        yield_now().await;
        self.0.delete(key).await
    }
}

type Saving = std::pin::Pin<Box<dyn Future<Output = Result<(), SessionError>>>>;

struct Handle {
    session: Session,
    /// It writes numbers that grow, under a key of its own.
    key: String,
    inserted: u32,
    stored: u32,
    /// The largest that a save which was left may have stored.
    tried: u32,
    /// A save that was left may be under way: it may also store what is inserted meanwhile.
    is_saving: bool,
    unsaved: bool,
    parked: Option<Saving>,
    /// The renewals before it was opened.
    renewals: u32,
    is_gone: bool,
    has_ended: bool,
}

impl Handle {
    /// Returns the largest number that a save which was left may have stored.
    fn most_tried(&self) -> u32 {
        if self.is_saving { self.inserted } else { self.tried }
    }
}

struct World {
    layer: SessionLayer,
    clock: ManualClock,
    now: u64,
    cookie: Option<String>,
    handles: Vec<Handle>,
    renewals: u32,
    born: u64,
    surely_used: u64,
    perhaps_used: u64,
    is_over: bool,
    logout_asked: bool,
}

impl World {
    fn new() -> Option<Self> {
        let now = 1_700_000_000_000;
        let clock = ManualClock::at(Timestamp::from_millis(now));
        let store = Slow(MemoryStore::builder().clock(clock.clone()).build());
        let key = Key::from_bytes(&[7; 32]).ok()?;
        let layer = SessionLayer::new(store, key).clock(clock.clone());
        Some(Self {
            layer,
            clock,
            now,
            cookie: None,
            handles: Vec::new(),
            renewals: 0,
            born: now,
            surely_used: now,
            perhaps_used: now,
            is_over: false,
            logout_asked: false,
        })
    }

    /// Sends a request, whose handler calls `with`, and returns its handle.
    async fn ask(&mut self, with: fn(&Session) -> Result<(), SessionError>) -> Option<Session> {
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let handler = service_fn(move |request: Request<()>| {
            let (keep, lazy) =
                (Arc::clone(&keep), request.extensions().get::<LazySession>().cloned());
            async move {
                if let Some(lazy) = lazy {
                    let session = lazy.load().await?;
                    with(&session)?;
                    *keep.lock().unwrap() = Some(session);
                }
                Ok::<_, SessionError>(Response::new(()))
            }
        });
        let mut request = Request::new(());
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
        }
        let response = self.layer.layer(handler).oneshot(request).await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        if let Some(set) = response.headers().get(SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            self.cookie = Some(pair.to_owned());
        }
        kept.lock().unwrap().take()
    }

    fn surely_lives(&self) -> bool {
        !self.is_over
            && !self.logout_asked
            && self.now < self.surely_used + IDLE
            && self.now < self.born + LIFETIME
    }

    fn tell_time(&mut self) {
        self.is_over |= self.now >= self.perhaps_used + IDLE || self.now >= self.born + LIFETIME;
        if !self.is_over {
            self.perhaps_used = self.now;
        }
    }

    /// Checks a new request's session against all that was promised.
    fn check(&self, session: &Session) {
        let lives = !session.is_new();
        assert!(!(lives && self.is_over), "a session that is over is back");
        assert!(lives || !self.surely_lives(), "a session is lost");
        for handle in self.handles.iter().filter(|_| lives) {
            let stored = session.get::<u32>(&handle.key).unwrap().unwrap_or_default();
            let most = handle.stored.max(handle.most_tried());
            assert!((handle.stored..=most).contains(&stored), "{stored} {}..{most}", handle.stored);
        }
    }

    /// Checks the answer of a handle that asks for its session.
    fn hear(&mut self, at: usize, answer: &Result<(), SessionError>) {
        let lives = self.surely_lives();
        let handle = &mut self.handles[at];
        if handle.has_ended {
            return;
        }
        let is_over = self.is_over || handle.is_gone || handle.renewals < self.renewals;
        let in_doubt = handle.most_tried() > handle.stored;
        match answer {
            Ok(()) => assert!(!is_over, "a handle whose session is over goes on"),
            Err(SessionError::Gone) => assert!(is_over || !lives, "a live session is gone"),
            // A renewal hides what became of the write as an end does.
            Err(SessionError::Unconfirmed(_)) => {
                assert!(in_doubt && (is_over || !lives), "unconfirmed");
            }
            Err(error) => panic!("{error:?}"),
        }
        handle.is_gone |= matches!(answer, Err(SessionError::Gone));
    }

    async fn save(&mut self, at: usize) -> Result<(), SessionError> {
        let answer = self.handles[at].session.save().await;
        if self.handles[at].has_ended {
            return answer;
        }
        self.hear(at, &answer);
        let handle = &mut self.handles[at];
        if answer.is_ok() {
            // A save that was left may have stored it earlier; then this one has nothing to write.
            if handle.unsaved && !handle.is_saving {
                self.surely_used = self.now;
            }
            (handle.stored, handle.tried, handle.unsaved) = (handle.inserted, 0, false);
        }
        answer
    }

    /// Begins a save and polls it a few times.
    fn begin_save(&mut self, at: usize, polls: u8) -> Option<Saving> {
        let handle = &mut self.handles[at];
        let session = handle.session.clone();
        handle.tried = handle.tried.max(handle.inserted);
        let mut saving: Saving = Box::pin(async move { session.save().await });
        for _ in 0..polls % 6 {
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(_) = saving.as_mut().poll(&mut context) {
                return None;
            }
        }
        self.handles[at].is_saving = true;
        Some(saving)
    }

    async fn take(&mut self, step: Step) {
        let count = self.handles.len().max(1);
        let at = |handle: u8| usize::from(handle) % count;
        match step {
            Step::Advance(seconds) => {
                let millis = u64::from(seconds % 3_000) * 1_000;
                self.now += millis;
                self.clock.advance(Duration::from_millis(millis));
            }
            Step::Open if self.handles.len() < MOST_HANDLES => self.open().await,
            Step::Open | Step::Look => {
                let session = self.ask(|_| Ok(())).await.unwrap();
                self.check(&session);
            }
            Step::Renew => {
                let lived = self.ask(|session| session.renew()).await.unwrap().is_new();
                if !lived {
                    self.renewals += 1;
                    self.born = self.now;
                    self.surely_used = self.now;
                }
            }
            Step::Insert(handle) if !self.handles.is_empty() => {
                let handle = &mut self.handles[at(handle)];
                handle.inserted += 1;
                handle.unsaved = true;
                handle.session.insert(&handle.key, &handle.inserted).unwrap();
            }
            Step::Save(handle) if !self.handles.is_empty() => drop(self.save(at(handle)).await),
            Step::DropSave(handle, polls) if !self.handles.is_empty() => {
                drop(self.begin_save(at(handle), polls));
            }
            Step::ParkSave(handle, polls) if !self.handles.is_empty() => {
                let at = at(handle);
                self.handles[at].parked = self.begin_save(at, polls);
            }
            Step::Unpark(handle) if !self.handles.is_empty() => {
                if let Some(saving) = self.handles[at(handle)].parked.take() {
                    let _ = saving.await;
                }
            }
            Step::Touch(handle) if !self.handles.is_empty() => self.touch(at(handle)).await,
            Step::Reload(handle) if !self.handles.is_empty() => {
                let at = at(handle);
                let answer = self.handles[at].session.reload().await;
                self.hear(at, &answer);
            }
            Step::Destroy(handle) if !self.handles.is_empty() => self.destroy(at(handle)).await,
            _ => {}
        }
    }

    async fn open(&mut self) {
        let session = self.ask(|_| Ok(())).await.unwrap();
        self.check(&session);
        if session.is_new() {
            return;
        }
        let key = format!("handle {}", self.handles.len());
        let renewals = self.renewals;
        self.handles.push(Handle {
            session,
            key,
            inserted: 0,
            stored: 0,
            tried: 0,
            is_saving: false,
            unsaved: false,
            parked: None,
            renewals,
            is_gone: false,
            has_ended: false,
        });
    }

    /// All questions have the same answer.
    async fn touch(&mut self, at: usize) {
        let answer = self.handles[at].session.touch().await;
        self.hear(at, &answer);
        let handle = &self.handles[at];
        if answer.is_ok() && !handle.has_ended {
            self.surely_used = self.now;
        }
        if !handle.unsaved && handle.tried <= handle.stored {
            let session = handle.session.clone();
            for again in [session.save().await, session.reload().await] {
                let same = std::mem::discriminant(&again) == std::mem::discriminant(&answer);
                assert!(same, "touch: {answer:?}, then: {again:?}");
            }
        }
    }

    async fn destroy(&mut self, at: usize) {
        self.logout_asked = true;
        let ended = self.handles[at].session.destroy().await;
        let handle = &mut self.handles[at];
        (handle.unsaved, handle.has_ended) = (false, true);
        if ended.is_ok() {
            self.is_over = true;
        }
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new().unwrap();
        world.ask(|session| session.insert("here", &true)).await;
        for step in steps.into_iter().take(60) {
            world.tell_time();
            world.take(step).await;
        }
        world.tell_time();
        let session = world.ask(|_| Ok(())).await.unwrap();
        world.check(&session);
    });
});
