//! The allocations that a session costs, compared with the smallest possible layer, which puts one
//! `Arc` into the request's extensions. The numbers are exact, so a single further allocation fails
//! a test.
//!
//! Counting allocations needs a global allocator, and that needs the only `unsafe` code in this
//! project.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use cloakroom::store::MemoryStore;
use cloakroom::{CookieOptions, Key, LazySession, ManualClock, SameSite, SessionLayer, Timestamp};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, Response};
use serde::Serialize;
use tower::{Layer, Service, service_fn};

struct Counter;

thread_local! {
    /// Counts this thread's allocations only, because the test harness has other threads.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
}

// SAFETY: hands everything on to the system's allocator; the counter neither allocates nor panics.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counter = Counter;

fn counted<T>(act: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.with(Cell::get);
    let result = act();
    (ALLOCATIONS.with(Cell::get) - before, result)
}

/// The smallest possible layer: it puts one `Arc` into the extensions.
#[derive(Clone)]
struct Least<S>(S);

#[derive(Clone)]
struct Handle(#[expect(dead_code, reason = "only its allocation counts")] Arc<u64>);

impl<S: Service<Request<()>>> Service<Request<()>> for Least<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<()>) -> S::Future {
        let handle = Handle(Arc::new(0));
        request.extensions_mut().insert(handle.clone());
        self.0.call(request)
    }
}

type Handled = Result<Response<()>, Infallible>;

fn lazy(request: &Request<()>) -> LazySession {
    request.extensions().get::<LazySession>().unwrap().clone()
}

async fn untouched(_: Request<()>) -> Handled {
    Ok(Response::new(()))
}

async fn read(request: Request<()>) -> Handled {
    let session = lazy(&request).load().await.unwrap();
    assert!(session.get::<u32>("n").unwrap().is_some());
    Ok(Response::new(()))
}

/// Every value differs from the last one and takes five bytes of MessagePack.
async fn write(request: Request<()>) -> Handled {
    let session = lazy(&request).load().await.unwrap();
    session.insert("n", &next()).unwrap();
    Ok(Response::new(()))
}

fn next() -> u32 {
    thread_local!(static LAST: Cell<u32> = const { Cell::new(1 << 20) });
    LAST.with(|last| {
        last.set(last.get() + 1);
        last.get()
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Returns the allocations of one request, after some others, so that one-time allocations do not
/// count.
fn cost<S>(mut service: S, cookie: Option<&HeaderValue>) -> usize
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let runtime = runtime();
    let mut requests: Vec<_> = (0..100)
        .map(|_| {
            let mut request = Request::new(());
            if let Some(cookie) = cookie {
                request.headers_mut().insert(COOKIE, cookie.clone());
            }
            request
        })
        .collect();
    let mut serve = |request| {
        let (count, result) = counted(|| runtime.block_on(service.call(request)));
        assert!(result.unwrap().status().is_success());
        count
    };
    let last = requests.pop().unwrap();
    for request in requests {
        serve(request);
    }
    serve(last)
}

struct Costs {
    layer: SessionLayer,
    cookie: HeaderValue,
}

impl Costs {
    fn new() -> Self {
        Self::of(|layer| layer)
    }

    fn of(options: impl FnOnce(SessionLayer) -> SessionLayer) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
        let store = MemoryStore::builder().clock(clock.clone()).build();
        let layer = SessionLayer::new(store, Key::generate().unwrap()).clock(clock);
        let layer = options(layer);
        let first = layer.layer(service_fn(async |request: Request<()>| {
            lazy(&request).load().await.unwrap().insert("n", &next()).unwrap();
            Ok::<_, Infallible>(Response::new(()))
        }));
        let mut first = first;
        let response = runtime().block_on(first.call(Request::new(()))).unwrap();
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        let pair = cookie.split(';').next().unwrap().to_owned();
        Self { layer, cookie: HeaderValue::try_from(pair).unwrap() }
    }

    /// Returns the allocations beyond those of the smallest layer with the same request.
    fn over_least<F>(&self, handler: fn(Request<()>) -> F, cookie: Option<&HeaderValue>) -> usize
    where
        F: Future<Output = Handled>,
    {
        let least = cost(Least(service_fn(untouched)), cookie);
        assert!(least > 0, "the counter counts");
        cost(self.layer.layer(service_fn(handler)), cookie) - least
    }
}

/// Returns the allocations that encoding the app's value needs without any layer.
fn encoding_a_u32() -> usize {
    let value = next();
    let (count, bytes) = counted(|| {
        let mut out = Vec::new();
        let mut serializer = rmp_serde::Serializer::new(&mut out).with_struct_map();
        value.serialize(&mut serializer).unwrap();
        Bytes::from(out)
    });
    assert_eq!(bytes.len(), 5);
    count
}

#[test]
fn p2_an_untouched_request_without_a_cookie_allocates_nothing() {
    let extra = Costs::new().over_least(untouched, None);
    println!("untouched, no cookie: {extra}");
    assert_eq!(extra, 0);
}

#[test]
fn p2_an_untouched_request_with_a_cookie_allocates_nothing() {
    let costs = Costs::new();
    let owned = costs.over_least(untouched, Some(&costs.cookie));
    let ticket = Box::leak(costs.cookie.to_str().unwrap().to_owned().into_boxed_str());
    let from_static = costs.over_least(untouched, Some(&HeaderValue::from_static(ticket)));
    println!("untouched, cookie: {owned}, from a static header: {from_static}");
    assert_eq!((owned, from_static), (0, 0));
}

/// A rule is asked about every request, and the request is taken apart for it.
#[test]
fn p2_a_rule_for_the_cookies_attributes_allocates_nothing() {
    let Costs { layer, cookie } = Costs::new();
    let options = CookieOptions::builder().same_site(SameSite::Strict).build().unwrap();
    for applies in [false, true] {
        let layer = layer.clone().cookie_when(options.clone(), move |_| applies).unwrap();
        let costs = Costs { layer, cookie: cookie.clone() };
        assert_eq!(costs.over_least(untouched, Some(&costs.cookie)), 0);
        assert_eq!(costs.over_least(read, Some(&costs.cookie)), READ);
    }
}

#[test]
fn p3_a_read_allocates_no_more_than_four_times() {
    let costs = Costs::new();
    let extra = costs.over_least(read, Some(&costs.cookie));
    println!("read: {extra}");
    assert_eq!(extra, READ);
}

#[test]
fn p4_a_write_allocates_no_more_than_twelve_times() {
    let costs = Costs::new();
    let value = encoding_a_u32();
    let all = costs.over_least(write, Some(&costs.cookie));
    println!("write: {all}, of which the value's own encoding: {value}");
    assert_eq!(all - value, WRITE);
}

/// The key, the copy that is decrypted, and the owner of that buffer. Encrypting needs no more than encoding does.
#[cfg(feature = "sealed")]
#[test]
fn a_sealed_session_allocates_three_times_more_for_a_read_and_for_a_write() {
    let costs = Costs::of(|layer| layer.sealed(cloakroom::Sealing::Only));
    let extra = costs.over_least(read, Some(&costs.cookie));
    println!("sealed read: {extra}");
    assert_eq!(extra, READ + 3);
    let all = costs.over_least(write, Some(&costs.cookie));
    println!("sealed write: {}", all - encoding_a_u32());
    assert_eq!(all - encoding_a_u32(), WRITE + 3);
    assert_eq!(costs.over_least(untouched, Some(&costs.cookie)), 0);
}

const READ: usize = 4;
const WRITE: usize = 12;
