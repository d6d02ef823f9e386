//! A TCP proxy that breaks connections on demand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// The longest that a port may stay used after it was given up, on a busy machine.
const RELEASE: Duration = Duration::from_secs(60);

/// A fault that the proxy applies to all data from now on, on old and new connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Data pass unchanged.
    None,
    /// Every reply is delayed by this time.
    Delay(Duration),
    /// Data are kept until another fault is set, and delivered then. Connections are accepted.
    Stall,
    /// New connections are refused, and existing ones are reset.
    Refuse,
    /// Requests are dropped before they reach the server.
    SwallowRequests,
    /// Replies are dropped.
    SwallowReplies,
    /// A connection is cut after this many bytes of replies. With 0 the server has carried the
    /// request out, and the client gets no byte of the reply.
    CutReply(usize, Cut),
    /// The client's connection is cut as soon as its request is forwarded. The server gets the
    /// request nevertheless, perhaps after the client has connected again.
    CutAfterRequest(Cut),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// With FIN, as when a server shuts down.
    Fin,
    /// With RST, as when a server has died.
    Reset,
}

/// The bytes that a connection has carried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Traffic {
    pub from_client: u64,
    pub to_client: u64,
    pub is_open: bool,
}

/// A proxy. Dropping it ends it and all its connections.
#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    state: Arc<ProxyState>,
    listening: JoinHandle<()>,
}

#[derive(Debug)]
struct ProxyState {
    upstream: SocketAddr,
    orders: watch::Sender<Order>,
    cuts: AtomicU64,
    links: Mutex<Vec<Arc<Counters>>>,
}

/// One call of [`Proxy::set`]. The number makes two equal faults distinct.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Order {
    number: u64,
    fault: Fault,
    /// Whether the fault ends with the first connection that it cuts.
    once: bool,
}

#[derive(Debug)]
struct Counters {
    from_client: AtomicU64,
    to_client: AtomicU64,
    /// How often the client has sent something after a reply.
    round_trips: AtomicU64,
    is_answered: AtomicBool,
    is_open: AtomicBool,
}

impl Proxy {
    /// Listens on `port` and forwards to `server`, another port on this machine. Take the port from
    /// [`free_port`](crate::processes::free_port): while the proxy refuses connections it does not
    /// listen, and the kernel may give away any other port.
    pub async fn on(port: u16, server: u16) -> Self {
        let state = Arc::new(ProxyState {
            upstream: (Ipv4Addr::LOCALHOST, server).into(),
            orders: watch::Sender::new(Order { number: 0, fault: Fault::None, once: false }),
            cuts: AtomicU64::new(0),
            links: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let listening = tokio::spawn(listen(listener, port, state.clone()));
        Self { port, state, listening }
    }

    /// Sets the fault until the next call.
    pub fn set(&self, fault: Fault) {
        self.state.order(fault, false);
    }

    /// Sets a fault that cuts, until it has cut one connection.
    pub fn set_once(&self, fault: Fault) {
        self.state.order(fault, true);
    }

    /// Returns how many connections were cut by a fault.
    pub fn cuts(&self) -> u64 {
        self.state.cuts.load(Ordering::SeqCst)
    }

    /// Returns the traffic of all connections so far, oldest first.
    pub fn traffic(&self) -> Vec<Traffic> {
        self.state.links().iter().map(|link| link.traffic()).collect()
    }

    /// Returns how often a client has sent something and waited for a reply, on all connections so far.
    pub fn round_trips(&self) -> u64 {
        let links = self.state.links();
        links.iter().map(|link| link.round_trips.load(Ordering::SeqCst)).sum()
    }

    pub fn open_connections(&self) -> usize {
        self.traffic().iter().filter(|traffic| traffic.is_open).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl ProxyState {
    fn links(&self) -> MutexGuard<'_, Vec<Arc<Counters>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters {
            from_client: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
            is_answered: AtomicBool::new(true),
            is_open: AtomicBool::new(true),
        });
        self.links().push(counters.clone());
        counters
    }

    fn order(&self, fault: Fault, once: bool) {
        self.orders.send_modify(|order| *order = Order { number: order.number + 1, fault, once });
    }

    /// Returns whether a connection is to be cut now. An order for one cut goes to the first that
    /// asks.
    fn claim_cut(&self, claimed: Order) -> bool {
        let mut cut = false;
        self.orders.send_if_modified(|order| {
            cut = *order == claimed;
            if cut && order.once {
                order.fault = Fault::None;
            }
            cut && order.once
        });
        self.cuts.fetch_add(cut.into(), Ordering::SeqCst);
        cut
    }
}

impl Counters {
    fn requested(&self, bytes: usize) {
        self.from_client.fetch_add(bytes as u64, Ordering::SeqCst);
        if self.is_answered.swap(false, Ordering::SeqCst) {
            self.round_trips.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn close(&self) {
        self.is_open.store(false, Ordering::SeqCst);
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            from_client: self.from_client.load(Ordering::SeqCst),
            to_client: self.to_client.load(Ordering::SeqCst),
            is_open: self.is_open.load(Ordering::SeqCst),
        }
    }
}

/// Listens on a port that was given up a moment ago. A process that another thread has begun to start meanwhile
/// has a copy of the listener until its program begins, and so long the kernel takes the port for used.
async fn listen_again(port: u16) -> TcpListener {
    let begun = Instant::now();
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => return listener,
            Err(error) => assert!(begun.elapsed() < RELEASE, "port {port}: {error}"),
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Accepts connections. To refuse them it drops the listener, so that the kernel refuses them.
async fn listen(listener: TcpListener, port: u16, state: Arc<ProxyState>) {
    let mut listener = Some(listener);
    let mut orders = state.orders.subscribe();
    let mut links = JoinSet::new();
    loop {
        let fault = orders.borrow_and_update().fault;
        if fault == Fault::Refuse {
            listener = None;
            orders.changed().await.unwrap();
            continue;
        }
        let open = match &mut listener {
            Some(open) => open,
            none => none.insert(listen_again(port).await),
        };
        tokio::select! {
            accepted = open.accept() => {
                let (client, _) = accepted.unwrap();
                links.spawn(carry(client, state.clone()));
            }
            changed = orders.changed() => changed.unwrap(),
        }
    }
}

/// Carries one connection from its beginning to its end.
async fn carry(mut client: TcpStream, state: Arc<ProxyState>) {
    let counters = state.register();
    let Ok(mut server) = TcpStream::connect(state.upstream).await else {
        return counters.close();
    };
    let end = Link::between(&state, &counters).run(&mut client, &mut server).await;
    if end == End::Cut(Cut::Reset) {
        let _ = client.set_zero_linger();
    }
    drop(client);
    counters.close();
    // The server is to carry out what was forwarded; a reset might keep it from reading that.
    let _ = server.shutdown().await;
    let _ = tokio::io::copy(&mut server, &mut tokio::io::sink()).await;
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// The client or the server has closed it.
    Closed,
    Cut(Cut),
}

#[derive(Debug)]
struct Link<'a> {
    state: &'a ProxyState,
    counters: &'a Counters,
    orders: watch::Receiver<Order>,
    /// The number of the order under which data were dropped; 0 if none were.
    lost: AtomicU64,
}

impl<'a> Link<'a> {
    fn between(state: &'a ProxyState, counters: &'a Counters) -> Self {
        Self { state, counters, orders: state.orders.subscribe(), lost: AtomicU64::new(0) }
    }

    async fn run(&self, client: &mut TcpStream, server: &mut TcpStream) -> End {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            end = self.requests(from_client, to_server) => end.unwrap_or(End::Closed),
            end = self.replies(from_server, to_client) => end.unwrap_or(End::Closed),
            () = self.broken() => End::Cut(Cut::Reset),
        }
    }

    /// Returns whether the connection has to end: connections are refused, or it has lost data and the order is
    /// another one now. To go on in its middle would give later answers to earlier commands, which no network
    /// does.
    fn is_broken(&self, order: &Order) -> bool {
        let lost = self.lost.load(Ordering::SeqCst);
        order.fault == Fault::Refuse || (lost != 0 && lost != order.number)
    }

    async fn broken(&self) {
        let _ = self.orders.clone().wait_for(|order| self.is_broken(order)).await;
    }

    /// Returns the present order, once it is not [`Fault::Stall`]; `None` if the connection has to end. Whoever has
    /// data to pass asks this, because it may be asked before [`broken`](Self::broken) is.
    async fn order(&self) -> Option<Order> {
        let mut orders = self.orders.clone();
        let order = *orders.wait_for(|order| order.fault != Fault::Stall).await.unwrap();
        (!self.is_broken(&order)).then_some(order)
    }

    async fn requests(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<End> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return Ok(End::Closed);
            }
            let Some(order) = self.order().await else { return Ok(End::Cut(Cut::Reset)) };
            if order.fault == Fault::SwallowRequests {
                self.lost.store(order.number, Ordering::SeqCst);
                continue;
            }
            // Counted before the server can answer.
            self.counters.requested(length);
            to.write_all(&buffer[..length]).await?;
            if let Fault::CutAfterRequest(cut) = order.fault
                && self.state.claim_cut(order)
            {
                return Ok(End::Cut(cut));
            }
        }
    }

    async fn replies(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<End> {
        let mut buffer = vec![0; 64 * 1024];
        // The order there was, and what has been let through under it.
        let (mut counted, mut through) = (0, 0);
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return Ok(End::Closed);
            }
            let Some(order) = self.order().await else { return Ok(End::Cut(Cut::Reset)) };
            if order.number != counted {
                (counted, through) = (order.number, 0);
            }
            match order.fault {
                Fault::Delay(delay) => sleep(delay).await,
                Fault::SwallowReplies => {
                    self.lost.store(order.number, Ordering::SeqCst);
                    continue;
                }
                Fault::CutReply(most, cut)
                    if through + length >= most && self.state.claim_cut(order) =>
                {
                    self.pass(&mut to, &buffer[..most - through]).await?;
                    return Ok(End::Cut(cut));
                }
                _ => {}
            }
            self.pass(&mut to, &buffer[..length]).await?;
            through += length;
        }
    }

    async fn pass(&self, to: &mut WriteHalf<'_>, reply: &[u8]) -> io::Result<()> {
        self.counters.is_answered.store(true, Ordering::SeqCst);
        to.write_all(reply).await?;
        self.counters.to_client.fetch_add(reply.len() as u64, Ordering::SeqCst);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that counts, to everybody and without an end.
    async fn count(listener: TcpListener) {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                for number in 0_u32.. {
                    if client.write_all(&number.to_be_bytes()).await.is_err() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_that_has_lost_data_carries_no_more() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let upstream = server.local_addr().unwrap().port();
        tokio::spawn(count(server));
        let proxy = Proxy::on(crate::processes::free_port(), upstream).await;
        for round in 0..60 {
            let mut client = loop {
                // After a refusal the proxy listens again in its own time.
                if let Ok(client) = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).await {
                    break client;
                }
            };
            for expected in 0..100 {
                assert_eq!(client.read_u32().await.unwrap(), expected);
            }
            proxy.set(Fault::SwallowReplies);
            sleep(Duration::from_millis(1)).await;
            proxy.set(if round % 2 == 0 { Fault::None } else { Fault::Refuse });
            // Without a loss, as on a busy machine, the connection goes on.
            for expected in 100..2_000 {
                let Ok(number) = client.read_u32().await else { break };
                assert_eq!(number, expected, "round {round}");
            }
            proxy.set(Fault::None);
        }
    }

    #[tokio::test]
    async fn a_port_that_is_still_held_is_waited_for() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = held.local_addr().unwrap().port();
        let again = tokio::spawn(listen_again(port));
        sleep(Duration::from_millis(20)).await;
        assert!(!again.is_finished());
        drop(held);
        assert_eq!(again.await.unwrap().local_addr().unwrap().port(), port);
    }
}
