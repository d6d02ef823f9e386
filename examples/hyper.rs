//! Counts each visitor's visits without axum: with hyper, tower and the session layer between them.
//!
//! ```text
//! cargo run --example hyper --no-default-features    # then open http://localhost:3000
//! ```

use std::convert::Infallible;

use cloakroom::{Field, Key, KeyRing, LazySession, SessionError, SessionLayer, store::MemoryStore};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceBuilder;

const VISITS: Field<u32> = Field::new("visits");

async fn visit(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, SessionError> {
    // There are no extractors here, so the handler finds the session in the request's extensions.
    let session = request.extensions().get::<LazySession>().ok_or(SessionError::MissingLayer)?;
    let visits = session.load().await?.update(VISITS, |visits| {
        *visits += 1;
        *visits
    })?;
    Ok(Response::new(format!("Visit number {visits}.\n").into()))
}

/// Turns an error into a response. An `Err` would make hyper close the connection without an answer.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(visit(request).await.unwrap_or_else(SessionError::into_empty_response))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys: KeyRing = match std::env::var("SESSION_KEYS") {
        Ok(keys) => keys.parse()?,
        Err(_) => Key::generate()?.into(),
    };
    let sessions = SessionLayer::new(MemoryStore::new(), keys)
        .on_error(|error, _| Response::new(format!("{}\n", error.status()).into()));
    let service = ServiceBuilder::new().layer(sessions).service_fn(answer);

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://localhost:{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                eprintln!("connection: {error}");
            }
        });
    }
}
