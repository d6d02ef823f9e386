//! The course of two logins on the server. Steps wait for each other, and none waits for time, so
//! that no test depends on the machine's speed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use cloakroom::{Session, SessionError, SessionLayer};
use tokio::sync::watch;

use crate::shop::shop;

/// What happens to the first login (0) or the second (1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    /// The handler has loaded the session.
    Load(usize),
    /// The handler logs in.
    LogIn(usize),
    /// The layer has stored the login.
    Store(usize),
    /// The answer leaves the server.
    Answer(usize),
    /// The server has answered, or has dropped the request because the browser cancelled it.
    End(usize),
    /// The browser has received one answer.
    Receive,
    /// Nothing ever does this: what waits for it waits until the browser hangs up.
    Never,
}

pub(crate) struct Course {
    /// Pairs of steps of which the first has to be done before the second.
    order: Vec<(Step, Step)>,
    done: watch::Sender<Vec<Step>>,
    arrived: AtomicUsize,
}

impl Course {
    pub(crate) fn new(order: impl Into<Vec<(Step, Step)>>) -> Arc<Self> {
        let done = watch::Sender::new(Vec::new());
        Arc::new(Self { order: order.into(), done, arrived: AtomicUsize::new(0) })
    }

    /// Returns how many logins have arrived.
    pub(crate) fn arrived(&self) -> usize {
        self.arrived.load(Ordering::SeqCst)
    }

    /// Waits until it is the turn of `step`, and notes that it is done.
    async fn take(&self, step: Step) {
        for (before, _) in self.order.iter().filter(|(_, after)| *after == step) {
            self.passed(*before).await;
        }
        self.note(step);
    }

    async fn passed(&self, step: Step) {
        self.done.subscribe().wait_for(|done| done.contains(&step)).await.unwrap();
    }

    fn note(&self, step: Step) {
        self.done.send_modify(|done| done.push(step));
    }

    /// Returns the shop with a login that follows this course, and with pages that tell a script how
    /// far it has come.
    pub(crate) fn shop(self: &Arc<Self>, layer: &SessionLayer) -> Router {
        let login = Router::new().route("/shop/login/ada", post(log_in));
        let login = login.with_state(self.clone()).layer(layer.clone());
        let login = login.layer(from_fn_with_state(self.clone(), follow));
        let course = Router::new()
            .route(
                "/course/loaded",
                get(async |course: Followed| course.passed(Step::Load(0)).await),
            )
            .route(
                "/course/stored",
                get(async |course: Followed| course.passed(Step::Store(0)).await),
            )
            .route("/course/received", get(async |course: Followed| course.note(Step::Receive)));
        shop().layer(layer.clone()).merge(login).merge(course.with_state(self.clone()))
    }
}

type Followed = State<Arc<Course>>;

/// The number of a login, among the extensions of its request.
#[derive(Clone, Copy)]
struct Number(usize);

async fn log_in(
    State(course): Followed,
    Extension(Number(number)): Extension<Number>,
    session: Session,
) -> Result<Redirect, SessionError> {
    course.take(Step::Load(number)).await;
    course.take(Step::LogIn(number)).await;
    session.log_in("ada").await?;
    Ok(Redirect::to("/shop/"))
}

/// Stands around the session layer.
async fn follow(State(course): Followed, mut request: Request, next: Next) -> Response {
    let number = course.arrived.fetch_add(1, Ordering::SeqCst);
    let _end = End(course.clone(), number);
    request.extensions_mut().insert(Number(number));
    let response = next.run(request).await;
    course.take(Step::Store(number)).await;
    course.take(Step::Answer(number)).await;
    response
}

/// Notes the end of a login when it is dropped.
struct End(Arc<Course>, usize);

impl Drop for End {
    fn drop(&mut self) {
        self.0.note(Step::End(self.1));
    }
}
