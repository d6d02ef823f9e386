//! A correct store and deliberately wrong ones, with the faces of the examples in this process: the check finds
//! nothing in the histories of the one, and the fault of each of the others.

mod carts;
mod logins;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use cloakroom::store::SessionStore;
use cloakroom::{Key, SessionLayer};
use cloakroom_testing::histories::{Kind, Random, Scene, Violation};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::planted::{Planted, Wrong};

/// An example over a store with a fault. The function makes the example for a layer.
struct Example<F> {
    wrong: Wrong,
    app: F,
}

impl<F: Fn(SessionLayer) -> Router> Example<F> {
    /// Opens three nodes over a new store. Dropping the tasks ends them.
    async fn open(&self) -> (Vec<String>, JoinSet<()>) {
        let store: Arc<dyn SessionStore> = Arc::new(Planted::new(self.wrong));
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let (mut urls, mut serving) = (Vec::new(), JoinSet::new());
        for _ in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            urls.push(format!("http://{}", listener.local_addr().unwrap()));
            let app = (self.app)(SessionLayer::new(store.clone(), key.clone()));
            serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        }
        (urls, serving)
    }

    /// Has clients call new nodes for a moment. Returns the number of calls, and what is wrong with their history.
    async fn violations<S: Scene>(&self, seed: u64) -> (usize, Vec<Violation<S::Call>>) {
        let (urls, _serving) = self.open().await;
        let mut random = Random::new(seed);
        let scene = Arc::new(S::at(urls));
        let crowd = scene.enter(&mut random);
        sleep(Duration::from_millis(500)).await;
        let tickets = crowd.leave().await;
        scene.look_again(&tickets, &mut random).await;
        let history = scene.recorder().history();
        (history.len(), S::check(&history))
    }

    /// Has clients call until this many calls were made. None has a wrong answer.
    async fn hold<S: Scene>(&self, calls: usize) {
        let mut made = 0;
        for seed in 0.. {
            let (more, violations) = self.violations::<S>(seed).await;
            assert!(violations.is_empty(), "{}", violations[0]);
            made += more;
            if made > calls {
                break;
            }
        }
    }

    /// Has clients call until violations of all these kinds were found.
    async fn find<S: Scene>(&self, expected: &[Kind]) {
        let (mut calls, mut found) = (0, BTreeSet::new());
        for seed in 0.. {
            let (more, violations) = self.violations::<S>(seed).await;
            calls += more;
            found.extend(violations.iter().map(|violation| violation.kind));
            if expected.iter().all(|kind| found.contains(kind)) {
                println!("{expected:?}: {found:?} in {calls} calls");
                return;
            }
            assert!(calls < 60_000, "{expected:?}: only {found:?} in {calls} calls");
        }
    }
}
