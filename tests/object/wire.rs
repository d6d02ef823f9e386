//! Stands between the client and the server: counts the requests, and loses, delays, refuses or changes them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cloakroom::store::{Authorities, BucketHttp};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use tokio::sync::Notify;

/// The fate of a request.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Arrives,
    /// It is refused with this status and code, and not applied.
    Refused(u16, &'static str),
    /// It is applied, and the answer is this status and no more.
    Answered(u16),
    /// It is applied, and its answer never comes.
    ReplyLost,
    /// It is lost on the way, which looks the same.
    Lost,
    /// It is applied, and the answer has no ETag.
    Untagged,
    /// It never gets an answer; it is not applied.
    Hangs,
    /// Its conditions are ignored.
    Unconditional,
    /// It arrives when the test says so.
    Held(Arc<Notify>),
}

type Plan = Arc<dyn Fn(&str) -> Fate + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Wire {
    inner: BucketHttp,
    sent: Arc<Mutex<Vec<String>>>,
    plan: Arc<Mutex<Plan>>,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            inner: BucketHttp::new(Authorities::system().unwrap()),
            sent: Arc::default(),
            plan: Arc::new(Mutex::new(Arc::new(|_| Fate::Arrives))),
        }
    }

    /// Returns the operations that were sent since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    /// Sets the fate of each request from now on.
    pub(crate) fn plan(&self, plan: impl Fn(&str) -> Fate + Send + Sync + 'static) {
        *self.plan.lock().unwrap() = Arc::new(plan);
    }

    /// Sets the fate of all requests from now on.
    pub(crate) fn all(&self, fate: Fate) {
        self.plan(move |_| fate.clone());
    }

    /// Sets the fate of the next request of this operation, and of no other.
    pub(crate) fn once(&self, operation: &'static str, fate: Fate) {
        let left = Mutex::new(true);
        self.plan(move |sent| {
            let mut left = left.lock().unwrap();
            if sent == operation && std::mem::take(&mut *left) {
                fate.clone()
            } else {
                Fate::Arrives
            }
        });
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Link { wire: self.clone(), inner: self.inner.connect(options)? }))
    }
}

#[derive(Debug)]
struct Link {
    wire: Wire,
    inner: HttpClient,
}

#[async_trait]
impl HttpService for Link {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let operation = operation(&request).to_owned();
        let plan = self.wire.plan.lock().unwrap().clone();
        let fate = plan(&operation);
        self.wire.sent.lock().unwrap().push(operation);
        match fate {
            Fate::Arrives => self.inner.execute(request).await,
            Fate::Refused(status, code) => Ok(answer(
                status,
                format!("<Error><Code>{code}</Code><Message>no</Message></Error>"),
            )),
            Fate::Answered(status) => {
                self.inner.execute(request).await?;
                Ok(answer(status, String::new()))
            }
            Fate::ReplyLost => {
                self.inner.execute(request).await?;
                Err(broken())
            }
            Fate::Lost => Err(broken()),
            Fate::Untagged => {
                let mut answer = self.inner.execute(request).await?;
                answer.headers_mut().remove("etag");
                Ok(answer)
            }
            Fate::Hangs => std::future::pending().await,
            Fate::Unconditional => {
                // Signatures cover these headers, and ministack and moto check none.
                request.headers_mut().remove("if-match");
                request.headers_mut().remove("if-none-match");
                self.inner.execute(request).await
            }
            Fate::Held(until) => {
                until.notified().await;
                self.inner.execute(request).await
            }
        }
    }
}

/// Returns the method, or `LIST`. A client of Azure also deletes by a `POST` with a list.
fn operation(request: &HttpRequest) -> &str {
    let query = request.uri().query().unwrap_or_default();
    let has = |parameter: &str| query.split('&').any(|there| there == parameter);
    match request.method().as_str() {
        "GET" if has("list-type=2") || has("comp=list") => "LIST",
        "POST" if has("comp=batch") => "DELETE",
        method => method,
    }
}

fn answer(status: u16, body: String) -> HttpResponse {
    let mut answer = HttpResponse::new(HttpResponseBody::from(body));
    *answer.status_mut() = status.try_into().unwrap();
    answer
}

fn broken() -> HttpError {
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    HttpError::new(HttpErrorKind::Interrupted, reset)
}
