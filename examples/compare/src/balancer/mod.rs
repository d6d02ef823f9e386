//! The load balancer: an HTTP proxy that sends each request to a healthy node, in turn or as its
//! own cookie says.
//!
//! It runs within the comparison's own process. On two cores a process of its own would gain
//! nothing, and here it can say how many requests each node has answered. Every strategy goes
//! through it, so that the figures can be compared.
//!
//! It does what the comparison needs. A real one has TLS, HTTP/2, limits and draining.

mod health;
mod meter;
mod sticky;
mod targets;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::uri::Authority;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::Fallible;
use meter::{Meter, Metered};
pub(crate) use sticky::Stickiness;
use targets::Targets;

/// How long a node may take for an answer: longer than the library gives any store.
const NODE_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Routing {
    RoundRobin,
    Sticky(Stickiness),
}

type Body = Either<Incoming, Full<Bytes>>;

/// A running balancer. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    pub(crate) targets: Arc<Targets>,
    pub(crate) meter: Arc<Meter>,
    door: JoinHandle<()>,
    checks: JoinSet<()>,
}

struct Proxy {
    client: Client<HttpConnector, Incoming>,
    targets: Arc<Targets>,
    routing: Routing,
}

impl Balancer {
    pub(crate) async fn open(routing: Routing) -> Fallible<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (targets, meter) = (Arc::<Targets>::default(), Arc::<Meter>::default());
        let client =
            Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http();
        let proxy = Arc::new(Proxy { client, targets: Arc::clone(&targets), routing });
        let door = tokio::spawn(accept(listener, proxy, Arc::clone(&meter)));
        Ok(Self { address, targets, meter, door, checks: JoinSet::new() })
    }

    /// Adds a node. It gets requests once it has answered a health check.
    pub(crate) fn add(&mut self, name: &str, address: SocketAddr) -> Fallible<()> {
        self.targets.add(name, address.to_string().parse()?);
        self.checks.spawn(health::watch(Arc::clone(&self.targets), name.to_owned(), address));
        Ok(())
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.door.abort();
    }
}

async fn accept(listener: TcpListener, proxy: Arc<Proxy>, meter: Arc<Meter>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        connections.spawn(serve(stream, Arc::clone(&proxy), Arc::clone(&meter)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, proxy: Arc<Proxy>, meter: Arc<Meter>) {
    let forward = service_fn(move |request| {
        let proxy = Arc::clone(&proxy);
        async move { Ok::<_, Infallible>(proxy.forward(request).await) }
    });
    // A client that hangs up is not an error of the balancer.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(Metered::new(stream, meter)), forward)
        .await;
}

impl Proxy {
    /// Answers 502 for a node that does not answer. Another node is not asked instead: the first
    /// one may have carried the request out.
    async fn forward(&self, mut request: Request<Incoming>) -> Response<Body> {
        let now = SystemTime::now();
        let Some((name, authority)) = self.choose(&request, now) else {
            return refusal(StatusCode::SERVICE_UNAVAILABLE);
        };
        let Some(uri) = towards(authority, request.uri()) else {
            return refusal(StatusCode::BAD_REQUEST);
        };
        *request.uri_mut() = uri;
        match tokio::time::timeout(NODE_TIMEOUT, self.client.request(request)).await {
            Ok(Ok(response)) => {
                self.targets.served(&name);
                self.bind(response, &name, now)
            }
            Ok(Err(_)) => refusal(StatusCode::BAD_GATEWAY),
            Err(_) => refusal(StatusCode::GATEWAY_TIMEOUT),
        }
    }

    fn choose(&self, request: &Request<Incoming>, now: SystemTime) -> Option<(String, Authority)> {
        let bound = match self.routing {
            Routing::RoundRobin => None,
            Routing::Sticky(_) => sticky::bound_to(request.headers().get_all(COOKIE), now),
        };
        self.targets.choose(bound.as_deref())
    }

    /// Every answer renews the cookie, as ALB does.
    fn bind(&self, response: Response<Incoming>, name: &str, now: SystemTime) -> Response<Body> {
        let mut response = response.map(Either::Left);
        if let Routing::Sticky(stickiness) = self.routing
            && let Ok(cookie) = HeaderValue::from_str(&stickiness.cookie(name, now))
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

fn towards(authority: Authority, uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query()?.clone();
    Uri::builder().scheme("http").authority(authority).path_and_query(path).build().ok()
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::default()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::Router;
    use axum::routing::get;
    use tokio::net::TcpSocket;

    use super::*;
    use crate::shopper::{Answer, Client as Visitor, Jar, Question};

    struct Node(SocketAddr, JoinHandle<()>);

    impl Node {
        async fn start(name: &'static str) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let app = Router::new().route("/healthz", get(|| async { "ok" })).route(
                "/api/session",
                get(move || async move {
                    let items = BTreeMap::from([(name, 1)]);
                    axum::Json(serde_json::json!({ "user": null, "items": items }))
                }),
            );
            Self(address, tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
        }
    }

    async fn balancer(routing: Routing, nodes: &[(&str, SocketAddr)]) -> Balancer {
        let mut balancer = Balancer::open(routing).await.unwrap();
        for (name, address) in nodes {
            balancer.add(name, *address).unwrap();
        }
        until(&balancer, nodes.len()).await;
        balancer
    }

    async fn until(balancer: &Balancer, healthy: usize) {
        let reached = async {
            while balancer.targets.healthy() != healthy {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), reached).await.expect("healthy nodes");
    }

    async fn served_by(visitor: &Visitor, jar: &mut Jar) -> String {
        match visitor.ask(jar, &Question::Session).await {
            Answer::Acknowledged(Some(view)) => view.items.into_keys().next().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn in_turn_each_node_gets_its_share() {
        let (one, two) = (Node::start("one").await, Node::start("two").await);
        let balancer = balancer(Routing::RoundRobin, &[("one", one.0), ("two", two.0)]).await;
        let visitor = Visitor::to(balancer.address);
        let mut jar = Jar::default();
        for _ in 0..10 {
            served_by(&visitor, &mut jar).await;
        }
        let shares = balancer.targets.shares();
        assert_eq!((shares["one"], shares["two"]), (5, 5));
        assert!(jar.is_empty());
        let read = balancer.meter.read();
        assert!(read.received > 10 * 40 && read.sent > 10 * 60, "{read:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_cookie_binds_to_a_node() {
        let (one, two) = (Node::start("one").await, Node::start("two").await);
        let sticky = Routing::Sticky(Stickiness::seconds(60));
        let balancer = balancer(sticky, &[("one", one.0), ("two", two.0)]).await;
        let visitor = Visitor::to(balancer.address);
        let (mut jar, mut other) = (Jar::default(), Jar::default());
        let first = served_by(&visitor, &mut jar).await;
        assert_ne!(served_by(&visitor, &mut other).await, first, "newcomers go round");
        for _ in 0..10 {
            assert_eq!(served_by(&visitor, &mut jar).await, first);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_node_that_listens_no_more_gets_nothing() {
        let node = Node::start("one").await;
        // The port is bound, so that nobody else gets it, and nothing listens on it.
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let nobody = silent.local_addr().unwrap();
        let mut balancer = balancer(Routing::RoundRobin, &[("one", node.0)]).await;
        balancer.add("nobody", nobody).unwrap();
        let visitor = Visitor::to(balancer.address);
        for _ in 0..10 {
            assert_eq!(served_by(&visitor, &mut Jar::default()).await, "one");
        }
        node.1.abort();
        until(&balancer, 0).await;
        let answer = visitor.ask(&mut Jar::default(), &Question::Session).await;
        assert!(matches!(answer, Answer::Unavailable), "{answer:?}");
    }
}
