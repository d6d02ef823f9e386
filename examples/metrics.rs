//! Counts each visitor's visits, and shows what happens to the sessions as metrics for Prometheus. Run it, then
//! open the address that it prints, and `/metrics` below it.

use axum::{Router, routing::get};
use cloakroom::{Key, MetricsObserver, Session, SessionError, SessionLayer, store::MemoryStore};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

async fn visit(session: Session) -> Result<String, SessionError> {
    let visits = session.update("visits", |visits: &mut u32| {
        *visits += 1;
        *visits
    })?;
    Ok(format!("Visit number {visits}.\n"))
}

async fn log_in(session: Session) -> Result<&'static str, SessionError> {
    session.log_in("ada").await?; // after the password was checked
    Ok("Welcome, Ada.\n")
}

async fn log_out(session: Session) -> Result<&'static str, SessionError> {
    session.destroy().await?;
    Ok("Good bye.\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // First the exporter, so that nothing is counted before it is there. This one renders text when it is asked;
    // it has no server of its own, because the app has one already.
    let times = Matcher::Full("cloakroom_store_seconds".to_owned());
    let exporter = PrometheusBuilder::new()
        .set_buckets_for_metric(times, &MetricsObserver::SECONDS)?
        .install_recorder()?;

    // A real app reads its key from where it keeps passwords; see the quickstart.
    let sessions =
        SessionLayer::new(MemoryStore::new(), Key::generate()?).observer(MetricsObserver::new());
    let app = Router::new()
        .route("/", get(visit))
        // With a form and POST in a real app.
        .route("/login", get(log_in))
        .route("/logout", get(log_out))
        .layer(sessions)
        // Below the layer, so that whoever scrapes it has no session. Keep it from the public in a real app.
        .route("/metrics", get(async move || exporter.render()));

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://localhost:{}", listener.local_addr()?.port());
    Ok(axum::serve(listener, app).await?)
}
