//! Replies that are cut off after every possible number of bytes: each command then gives a true answer.

use cloakroom::store::{
    Created, MemcachedServers, MemcachedStore, Replaced, SessionStore, StoreError, StoreErrorKind,
    StoreKey, Touched,
};

use super::versions::{created, entry, store};
use cloakroom_testing::HOUR;
use cloakroom_testing::memcached::Server;
use cloakroom_testing::processes::free_port;
use cloakroom_testing::proxy::{Cut, Fault, Proxy};

/// Longer than any reply to a write, and than one to a read of `entry`.
const LONGEST_REPLY: usize = 64;

struct Bench {
    proxy: Proxy,
    torn: MemcachedStore,
    _server: Server,
}

impl Bench {
    async fn set_up() -> Self {
        let server = Server::start();
        let proxy = Proxy::on(free_port(), server.port).await;
        let torn = store(&MemcachedServers::nodes([("127.0.0.1", proxy.port)])).await;
        Self { proxy, torn, _server: server }
    }

    /// Runs a command whose reply is cut, and returns whether the reply was cut.
    async fn cutting<T>(&self, at: (usize, Cut), command: impl Future<Output = T>) -> (T, bool) {
        // On an open connection: the command's reply must be cut, not the greeting.
        self.torn.load(&StoreKey::from_bytes([255; 32])).await.unwrap();
        let cuts = self.proxy.cuts();
        self.proxy.set_once(Fault::CutReply(at.0, at.1));
        let answer = command.await;
        self.proxy.set(Fault::None);
        (answer, self.proxy.cuts() > cuts)
    }
}

fn offsets() -> impl Iterator<Item = (usize, (usize, Cut))> {
    let cuts = [Cut::Fin, Cut::Reset];
    (0..LONGEST_REPLY).flat_map(move |offset| cuts.map(|cut| (offset, cut))).enumerate()
}

fn key(number: usize) -> StoreKey {
    StoreKey::from_bytes([u8::try_from(number).unwrap(); 32])
}

/// The write is indeterminate if its reply was cut, and only then; the server has carried it out.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_write_whose_reply_is_cut_is_indeterminate() {
    let bench = Bench::set_up().await;
    let mut told = Told::default();
    for (number, at) in offsets() {
        let key = key(number);
        let (answer, cut) = bench.cutting(at, bench.torn.create(&key, &entry(1))).await;
        let version = bench.torn.load(&key).await.unwrap().expect("it was created").version;
        assert!(answer.as_ref().is_err() || answer.as_ref().unwrap() == &Created::Done(version));
        told.add(answer, cut);

        let (answer, cut) = bench.cutting(at, bench.torn.replace(&key, &version, &entry(2))).await;
        told.add(answer, cut);
        let found = bench.torn.load(&key).await.unwrap().unwrap();
        assert_ne!(found.version, version, "it was replaced");
        // The same write, sent again as the library does it, is not applied twice.
        let again = bench.torn.replace(&key, &version, &entry(2)).await.unwrap();
        assert!(matches!(again, Replaced::Conflict(there) if there.version == found.version));
    }
    assert!(told.whole > 130 && told.torn > 30 && told.cut_behind < 20, "{told:?}");
}

#[derive(Debug, Default)]
struct Told {
    whole: u32,
    torn: u32,
    /// The connection was cut after the last byte of the reply.
    cut_behind: u32,
}

impl Told {
    fn add<T>(&mut self, answer: Result<T, StoreError>, cut: bool) {
        match (answer.err().map(|error| error.kind()), cut) {
            (None, false) => self.whole += 1,
            (None, true) => self.cut_behind += 1,
            (Some(StoreErrorKind::Indeterminate), true) => self.torn += 1,
            other => panic!("{other:?}"),
        }
    }
}

/// A read is sent once more. A touch and a delete read first, and what they send then may be
/// indeterminate.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_read_whose_reply_is_cut_is_sent_again() {
    let bench = Bench::set_up().await;
    let mut torn = 0;
    for (number, at) in offsets() {
        let key = key(number);
        let version = created(&bench.torn, &key, &entry(1)).await;
        let (found, cut) = bench.cutting(at, bench.torn.load(&key)).await;
        assert_eq!(found.unwrap().expect("it is there").version, version, "{at:?}");
        torn += u32::from(cut);
        let later = entry(1).deadline.saturating_add(HOUR);
        let (touched, _) = bench.cutting(at, bench.torn.touch(&key, &version, later)).await;
        let found = bench.torn.load(&key).await.unwrap().unwrap();
        assert_eq!(found.version, version, "{at:?}");
        match touched {
            Ok(touched) => assert_eq!((touched, found.deadline), (Touched::Done, later), "{at:?}"),
            // If the cut comes right after the reply to the read, the write finds a closed connection.
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Indeterminate, "{at:?}"),
        }
        match bench.cutting(at, bench.torn.delete(&key)).await.0 {
            Ok(()) => assert_eq!(bench.torn.load(&key).await.unwrap(), None, "{at:?}"),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Indeterminate, "{at:?}"),
        }
    }
    assert!(torn > 60, "{torn} torn");
}
