//! A configuration endpoint that answers what the test wants: nodes that come and go, outdated lists,
//! and garbage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cloakroom::store::{MemcachedServers, MemcachedStore, SessionStore, StoreErrorKind, StoreKey};
use cloakroom::{Clock, Key, ManualClock, SessionLayer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::servers::{builder, open};
use super::versions::{created, entry};
use cloakroom_testing::memcached::Server;
use cloakroom_testing::processes::free_port;
use cloakroom_testing::wrong_url::refused_as;
use cloakroom_testing::{HOUR, MINUTE, Visitor, patient, patiently_by_url};

struct Endpoint {
    port: u16,
    script: Arc<Script>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    answer: Mutex<String>,
    given: AtomicUsize,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Endpoint {
    async fn naming(version: u64, nodes: &[&Server]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Script::default());
        let shared = script.clone();
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, shared.clone()));
            }
        });
        let endpoint = Self { port, script, serving };
        endpoint.say(list(version, nodes));
        endpoint
    }

    fn say(&self, answer: String) {
        *self.script.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Sets the answer, and waits until the store has asked for it and acted on it.
    async fn tell(&self, answer: String) {
        self.say(answer);
        let given = self.script.given.load(Ordering::SeqCst);
        // The second question from now on comes after the first answer was acted on.
        while self.script.given.load(Ordering::SeqCst) < given + 3 {
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn servers(&self) -> MemcachedServers {
        MemcachedServers::discover("127.0.0.1", self.port).discover_every(Duration::from_millis(20))
    }
}

async fn serve(client: TcpStream, script: Arc<Script>) {
    let mut client = BufReader::new(client);
    let mut line = String::new();
    while client.read_line(&mut line).await.is_ok_and(|length| length > 0) {
        assert_eq!(line, "config get cluster\r\n");
        let answer = script.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        client.write_all(answer.as_bytes()).await.unwrap();
        script.given.fetch_add(1, Ordering::SeqCst);
        line.clear();
    }
}

/// Returns the answer that ElastiCache would give.
fn list(version: u64, nodes: &[&Server]) -> String {
    let nodes: Vec<_> =
        nodes.iter().map(|node| format!("localhost|127.0.0.1|{}", node.port)).collect();
    let body = format!("{version}\n{}\n", nodes.join(" "));
    format!("CONFIG cluster 0 {}\r\n{body}\r\nEND\r\n", body.len())
}

fn layer(store: MemcachedStore) -> SessionLayer {
    patient(SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap()))
}

fn count(store: &MemcachedStore) -> String {
    format!("{store:?}").split("nodes: ").nth(1).unwrap()[..1].to_owned()
}

const KEYS: u16 = 360;

fn keys() -> impl Iterator<Item = StoreKey> {
    // Enough keys that each node's share is near the mean in every run: the ports decide about the
    // shares, and differ from run to run.
    (1..=KEYS).map(|number| {
        // Evenly spread, as real keys are.
        let mut bytes = [0; 32];
        bytes[8..10].copy_from_slice(&number.to_be_bytes());
        bytes[..8]
            .copy_from_slice(&u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        StoreKey::from_bytes(bytes)
    })
}

async fn found(store: &MemcachedStore) -> Vec<bool> {
    let mut found = Vec::new();
    for key in keys() {
        found.push(store.load(&key).await.unwrap().is_some());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn an_added_node_moves_its_own_share_only() {
    let nodes = [Server::start(), Server::start(), Server::start()];
    let endpoint = Endpoint::naming(1, &[&nodes[0], &nodes[1]]).await;
    let store = open(builder(), &endpoint.servers()).await;
    for key in keys() {
        created(&store, &key, &entry(1)).await;
    }
    endpoint.tell(list(2, &[&nodes[2], &nodes[0], &nodes[1]])).await;
    assert_eq!(count(&store), "3");
    let moved = found(&store).await.iter().filter(|found| !**found).count();
    assert!((60..=180).contains(&moved), "{moved} of {KEYS} have moved");
    for (key, found) in keys().zip(found(&store).await) {
        if !found {
            created(&store, &key, &entry(2)).await;
        }
    }
    assert_eq!(nodes[2].stats()["total_items"], moved as u64);
    endpoint.tell(list(3, &[&nodes[0], &nodes[1], &nodes[2]])).await;
    assert!(found(&store).await.iter().all(|found| *found), "the same nodes in another order");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_removed_node_takes_its_own_share_only() {
    let nodes = [Server::start(), Server::start(), Server::start()];
    let endpoint = Endpoint::naming(1, &[&nodes[0], &nodes[1], &nodes[2]]).await;
    let store = open(builder(), &endpoint.servers()).await;
    for key in keys() {
        created(&store, &key, &entry(1)).await;
    }
    let share = nodes[2].stats()["curr_items"];
    endpoint.tell(list(2, &[&nodes[0], &nodes[1]])).await;
    assert_eq!(count(&store), "2");
    let lost = found(&store).await.iter().filter(|found| !**found).count();
    assert_eq!(lost as u64, share);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn garbage_silence_and_old_lists_change_nothing() {
    let nodes = [Server::start(), Server::start()];
    let endpoint = Endpoint::naming(7, &[&nodes[0], &nodes[1]]).await;
    let store = open(builder(), &endpoint.servers()).await;
    for key in keys() {
        created(&store, &key, &entry(1)).await;
    }
    let torn = list(8, &[&nodes[0]]).replace("CONFIG cluster 0 2", "CONFIG cluster 0 9");
    for answer in [
        list(6, &[&nodes[0]]),
        list(8, &[]),
        torn,
        "ERROR\r\n".to_owned(),
        "END\r\n".to_owned(),
        "CONFIG cluster 0 3\r\n8\nx\r\nEND\r\n".to_owned(),
        "\u{0}\u{1}garbage\r\nEND\r\n".to_owned(),
    ] {
        endpoint.tell(answer.clone()).await;
        assert_eq!(count(&store), "2", "{answer:?}");
    }
    assert!(found(&store).await.iter().all(|found| *found));
    endpoint.tell(list(8, &[&nodes[0]])).await;
    assert_eq!(count(&store), "1", "it still listens");
}

/// A list may name nodes that are dead or not yet there, for minutes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_dead_node_in_the_list_is_tolerated() {
    // Three live nodes: with one, every other of the few ids that are drawn would belong to the dead
    // node.
    let nodes = [Server::start(), Server::start(), Server::start()];
    let endpoint = Endpoint::naming(1, &[]).await;
    let alive = nodes.iter().map(|node| format!("localhost|127.0.0.1|{}", node.port));
    let dead = format!("localhost|127.0.0.1|{}", free_port());
    let listed: Vec<_> = [dead].into_iter().chain(alive).collect();
    let body = format!("1\n{}\n", listed.join(" "));
    endpoint.say(format!("CONFIG cluster 0 {}\r\n{body}\r\nEND\r\n", body.len()));
    let store = open(builder(), &endpoint.servers()).await;
    let layer = layer(store);
    for number in 0..10 {
        let newcomer = Visitor::new(layer.clone());
        let answer = newcomer.visit(async move |session| session.insert("k", &number)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// A server of the app that saw the node go does not accept what the node still has when it is back.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_node_that_comes_back_revives_no_session() {
    let nodes = [Server::start(), Server::start()];
    let endpoint = Endpoint::naming(1, &[&nodes[0], &nodes[1]]).await;
    let store = open(builder(), &endpoint.servers()).await;
    let layer = layer(store.clone());
    let mut guests = Vec::new();
    while nodes[1].stats()["curr_items"] < 5 {
        let guest = Visitor::new(layer.clone());
        guest.visit(async |session| session.insert("k", &1)).await.is_ok();
        guests.push(guest);
    }
    endpoint.tell(list(2, &[&nodes[0]])).await;
    for guest in &guests {
        // Without a session there is nothing to end, so the copied cookie stays valid.
        let answer = guest.copy().visit(async |session| session.destroy().await).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    endpoint.tell(list(3, &[&nodes[0], &nodes[1]])).await;
    assert_eq!((count(&store), nodes[1].stats()["curr_items"]), ("2".to_owned(), 5));
    for guest in &guests {
        let answer = guest.visit(async |session| session.get::<u32>("k")).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, "None"));
    }
    for key in keys() {
        created(&store, &key, &entry(1)).await;
    }
    assert!(found(&store).await.iter().all(|found| *found), "it is in use again");
}

/// A node still has old values of keys that another node owned for a while. They are not accepted.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_key_that_moves_away_and_back_revives_no_session() {
    let nodes = [Server::start(), Server::start()];
    let endpoint = Endpoint::naming(1, &[&nodes[0]]).await;
    let store = open(builder(), &endpoint.servers()).await;
    for key in keys() {
        created(&store, &key, &entry(1)).await;
    }
    endpoint.tell(list(2, &[&nodes[0], &nodes[1]])).await;
    let stayed = found(&store).await;
    let moved = stayed.iter().filter(|stayed| !**stayed).count();
    assert!((80..=280).contains(&moved), "{moved} of {KEYS} have moved");
    endpoint.tell(list(3, &[&nodes[0]])).await;
    assert_eq!(found(&store).await, stayed);
}

/// A server of the app that has missed a list accepts what the others wrote in between.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_missed_list_hides_no_session() {
    let nodes = [Server::start(), Server::start(), Server::start()];
    let (first, second) = (&nodes[0], &nodes[1]);
    let [quick, slow] = [Endpoint::naming(5, &[first]).await, Endpoint::naming(5, &[first]).await];
    let writer = open(builder(), &quick.servers()).await;
    let reader = open(builder(), &slow.servers()).await;
    quick.tell(list(6, &[first, second])).await;
    for key in keys() {
        created(&writer, &key, &entry(1)).await;
    }
    let last = list(7, &[first, second, &nodes[2]]);
    quick.tell(last.clone()).await;
    slow.tell(last).await;
    assert_eq!(found(&reader).await, found(&writer).await);
}

/// A server of the app that was started after the node came back cannot know. The deadlines are in the
/// values, so no session lives longer than it would have lived anyway.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_node_that_comes_back_unnoticed_keeps_the_deadlines() {
    let nodes = [Server::start(), Server::start()];
    let endpoint = Endpoint::naming(1, &[&nodes[0], &nodes[1]]).await;
    let clock = ManualClock::at(Clock::system().now());
    let opened = async || {
        let store = open(builder().clock(clock.clone()), &endpoint.servers()).await;
        layer(store).clock(clock.clone())
    };
    let layer = opened().await;
    let mut guests = Vec::new();
    while nodes[1].stats()["curr_items"] < 4 {
        let guest = Visitor::new(layer.clone());
        guest.visit(async |session| session.insert("k", &1)).await.is_ok();
        guests.push(guest);
    }
    let logins = clock.now();
    endpoint.tell(list(2, &[&nodes[0]])).await;
    endpoint.tell(list(3, &[&nodes[0], &nodes[1]])).await;
    let later = opened().await;
    let used = guests.pop().unwrap().at(&later);
    let unused = guests.pop().unwrap().at(&later);
    let reads =
        async |guest: &Visitor| guest.visit(async |session| session.get::<u32>("k")).await.body;
    // In constant use it ends with its absolute lifetime; unused, with its idle timeout.
    while clock.now().since(logins) < HOUR * 12 {
        assert_eq!(reads(&used).await, "Some(1)");
        clock.advance(20 * MINUTE);
    }
    assert_eq!((reads(&used).await, reads(&unused).await), ("None".into(), "None".into()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_url_can_name_the_endpoint() {
    let node = Server::start();
    let endpoint = Endpoint::naming(1, &[&node]).await;
    for option in ["discover", "discover=30"] {
        patiently_by_url(&format!("memcached://127.0.0.1:{}?{option}", endpoint.port)).await;
    }
    endpoint.say("END\r\n".to_owned());
    let url = format!("memcached://127.0.0.1:{}?discover", endpoint.port);
    let error = refused_as(StoreErrorKind::Misconfigured, &url).await;
    assert!(error.to_string().contains("misconfigured"));
}
