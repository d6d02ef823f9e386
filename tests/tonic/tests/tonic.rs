//! The layer around a tonic server, over a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cloakroom::store::MemoryStore;
use cloakroom::{Key, LazySession, SessionError, SessionLayer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Counts a visitor's checks. The first one is answered with "serving", the others are not.
#[derive(Default)]
struct Counting;

fn status(error: SessionError) -> Status {
    match error.status().as_u16() {
        503 => Status::unavailable("try again"),
        409 => Status::aborted("changed meanwhile"),
        _ => Status::internal("no session"),
    }
}

async fn count(request: &Request<HealthCheckRequest>) -> Result<u32, SessionError> {
    let lazy = request.extensions().get::<LazySession>().ok_or(SessionError::MissingLayer)?;
    let session = lazy.load().await?;
    session.update("checks", |checks: &mut u32| {
        *checks += 1;
        *checks
    })
}

#[tonic::async_trait]
impl Health for Counting {
    type WatchStream = tonic::codegen::BoxStream<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let status = match request.get_ref().service.as_str() {
            "untouched" => ServingStatus::Unknown,
            "refused" => {
                count(&request).await.map_err(status)?;
                return Err(Status::failed_precondition("half way"));
            }
            _ => match count(&request).await.map_err(status)? {
                1 => ServingStatus::Serving,
                _ => ServingStatus::NotServing,
            },
        };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("nothing to watch"))
    }
}

struct Running {
    client: HealthClient<Channel>,
    store: MemoryStore,
    server: JoinHandle<()>,
}

impl Running {
    async fn new(store: MemoryStore) -> Self {
        let layer = SessionLayer::new(store.clone(), Key::generate().unwrap());
        Self::under(layer, store).await
    }

    async fn under(layer: SessionLayer, store: MemoryStore) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().layer(layer).add_service(HealthServer::new(Counting));
        let serving = server.serve_with_incoming(TcpIncoming::from(listener));
        let server = tokio::spawn(async move { serving.await.unwrap() });
        let channel = Channel::from_shared(format!("http://{address}")).unwrap();
        let client = HealthClient::new(channel.connect().await.unwrap());
        Self { client, store, server }
    }

    async fn check(
        &mut self,
        service: &str,
        cookie: Option<&str>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.check_with(service, cookie.map(|cookie| ("cookie", cookie))).await
    }

    async fn check_with(
        &mut self,
        service: &str,
        metadata: Option<(&'static str, &str)>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let mut request = Request::new(HealthCheckRequest { service: service.to_owned() });
        if let Some((name, value)) = metadata {
            request.metadata_mut().insert(name, value.parse().unwrap());
        }
        self.client.check(request).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn cookie(response: &Response<HealthCheckResponse>) -> Option<String> {
    let cookie = response.metadata().get("set-cookie")?.to_str().unwrap();
    Some(cookie.split(';').next().unwrap().to_owned())
}

#[tokio::test]
async fn a_session_lives_across_calls() {
    let mut running = Running::new(MemoryStore::new()).await;
    let first = running.check("", None).await.unwrap();
    assert_eq!(first.get_ref().status(), ServingStatus::Serving);
    let cookie = cookie(&first).expect("a ticket");
    let second = running.check("", Some(&cookie)).await.unwrap();
    assert_eq!(second.get_ref().status(), ServingStatus::NotServing);
    assert!(second.metadata().get("set-cookie").is_none());
    assert_eq!(running.store.len(), 1);
}

#[tokio::test]
async fn a_session_lives_across_calls_by_its_metadata() {
    let store = MemoryStore::new();
    let layer = SessionLayer::new(store.clone(), Key::generate().unwrap());
    let mut running = Running::under(layer.header("x-session").unwrap(), store).await;
    let first = running.check("", None).await.unwrap();
    assert_eq!(first.get_ref().status(), ServingStatus::Serving);
    assert!(first.metadata().get("set-cookie").is_none());
    let ticket = first.metadata().get("x-session").expect("a ticket").to_str().unwrap();
    let second = running.check_with("", Some(("x-session", ticket))).await.unwrap();
    assert_eq!(second.get_ref().status(), ServingStatus::NotServing);
    assert!(second.metadata().get("x-session").is_none());
    let as_cookie = format!("__Host-id={ticket}; x-session={ticket}");
    let stranger = running.check("", Some(&as_cookie)).await.unwrap();
    assert_eq!(stranger.get_ref().status(), ServingStatus::Serving, "a ticket in the wrong place");
    assert_eq!(running.store.len(), 2);
}

#[tokio::test]
async fn a_call_that_fails_half_way_sends_no_ticket_in_its_metadata() {
    let store = MemoryStore::new();
    let layer = SessionLayer::new(store.clone(), Key::generate().unwrap());
    let mut running = Running::under(layer.header("x-session").unwrap(), store).await;
    let refused = running.check("refused", None).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.metadata().get("x-session").is_none());
    assert!(running.store.is_empty());
}

#[tokio::test]
async fn an_untouched_call_is_left_alone() {
    let mut running = Running::new(MemoryStore::new()).await;
    let answer = running.check("untouched", None).await.unwrap();
    for name in ["set-cookie", "vary", "cache-control"] {
        assert!(answer.metadata().get(name).is_none(), "{name}");
    }
    assert!(running.store.is_empty());
}

#[tokio::test]
async fn a_call_that_fails_half_way_stores_nothing() {
    let mut running = Running::new(MemoryStore::new()).await;
    let refused = running.check("refused", None).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.metadata().get("set-cookie").is_none());
    assert!(running.store.is_empty());
}

#[tokio::test]
async fn a_commit_that_fails_is_unavailable_to_the_client() {
    let full = MemoryStore::builder().max_sessions(0).build();
    let mut running = Running::new(full).await;
    let refused = running.check("", None).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert!(refused.metadata().get("set-cookie").is_none());
}
