//! Counts panics on the threads of one test, background tasks included.

use std::collections::HashMap;
use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use tokio::runtime::Builder;

static PANICS: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);

fn counted() -> MutexGuard<'static, Option<HashMap<String, u32>>> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count_from_now_on() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let name = thread::current().name().unwrap_or_default().to_owned();
            *counted().get_or_insert_default().entry(name).or_default() += 1;
            print(info);
        }));
    });
}

/// Runs a test, and fails if one of its tasks panics. They run on threads that have the test's name; the
/// assertions of the test itself do not.
pub(super) fn without_panics(name: &str, test: impl Future<Output = ()>) {
    count_from_now_on();
    cloakroom_testing::lag::watch();
    let threads = format!("fault: {name}");
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).thread_name(&threads).enable_all().build().unwrap();
    runtime.block_on(test);
    drop(runtime);
    let panics = counted().as_ref().and_then(|counted| counted.get(&threads).copied());
    assert_eq!(panics.unwrap_or_default(), 0, "panics in tasks");
}
