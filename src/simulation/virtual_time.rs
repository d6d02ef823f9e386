//! A runtime whose time passes only while nobody has anything to do.

use std::cell::Cell;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::Instant;

thread_local! {
    /// The runtime's time at the start of this thread's run.
    static EPOCH: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Plays a run to its end. Whenever time has passed, `set_clocks` is given all that has passed so far.
pub(super) fn play(
    set_clocks: impl Fn(Duration) + Send + Sync + 'static,
    run: impl Future<Output = ()>,
) {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        // Virtual time moves only while the runtime has nothing else to do.
        .on_thread_unpark(move || {
            if let Some(epoch) = EPOCH.get() {
                set_clocks(epoch.elapsed());
            }
        })
        .build()
        .expect("a runtime without input and output needs nothing from the system");
    runtime.block_on(async {
        EPOCH.set(Some(Instant::now()));
        run.await;
    });
    drop(runtime);
    EPOCH.set(None);
}
