//! A logout that was acknowledged is final, whichever answers were lost on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom::store::RedisServer;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::load::layer;
use super::panics::without_panics;
use cloakroom_testing::lag;
use cloakroom_testing::processes::free_port;
use cloakroom_testing::proxy::{Cut, Fault, Proxy};
use cloakroom_testing::redis::{Flavour, Standalone};
use cloakroom_testing::{Answer, Visitor};

const LONGEST_WAIT: Duration = Duration::from_millis(2_000 + 5_000 + 100);

/// A request with a ticket from before the logout.
#[derive(Debug)]
struct Visit {
    began: Instant,
    waited: Duration,
    /// Whether it found the session. Absent if it was answered before it could look.
    found: Option<bool>,
    status: u16,
}

#[derive(Debug, Default)]
struct Writing {
    stop: AtomicBool,
    visits: AtomicU64,
}

impl Writing {
    /// Lets the writers go on for some more visits.
    async fn go_on(&self) {
        let visits = || self.visits.load(Ordering::Relaxed);
        let enough = visits() + 60;
        while visits() < enough {
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Writes over and over with the present ticket, and ignores the cookies in the answers.
fn keep_writing(guest: &Visitor, writing: &Arc<Writing>) -> JoinHandle<Vec<Visit>> {
    let (guest, writing) = (guest.copy(), writing.clone());
    tokio::spawn(async move {
        let mut visits = Vec::new();
        while !writing.stop.load(Ordering::Relaxed) {
            let (began, mut found) = (Instant::now(), None);
            let answer = guest
                .copy()
                .visit(async |session| {
                    found = Some(!session.is_new());
                    session.update("count", |count: &mut u64| *count += 1)
                })
                .await;
            let status = answer.status.as_u16();
            visits.push(Visit { began, waited: lag::elapsed_since(began), found, status });
            writing.visits.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(2)).await;
        }
        visits
    })
}

/// Logs out. The fault hits the answer to the mark, because everything before it has been answered.
async fn log_out_through(guest: &Visitor, proxy: &Proxy, fault: Option<Fault>) -> Answer {
    guest
        .visit(async |session| {
            if let Some(fault) = fault {
                proxy.set_once(fault);
            }
            session.destroy().await
        })
        .await
}

/// Logs out until it is acknowledged. Returns when that was, and after how many attempts.
async fn log_out(guest: &Visitor, proxy: &Proxy, fault: Fault) -> (Instant, u32) {
    let began = Instant::now();
    let mut answer = log_out_through(guest, proxy, Some(fault)).await;
    let mut attempts = 1;
    let waited = lag::elapsed_since(began);
    assert!(waited <= LONGEST_WAIT, "{fault:?}: {waited:?}");
    while answer.status != 200 {
        assert_eq!(answer.status, 503, "{answer:?}");
        proxy.set(Fault::None);
        assert!(lag::elapsed_since(began) < 4 * LONGEST_WAIT, "{fault:?}");
        sleep(Duration::from_millis(20)).await;
        answer = log_out_through(guest, proxy, None).await;
        attempts += 1;
    }
    (Instant::now(), attempts)
}

/// Lets eight visitors write while one logs out, and checks that no write comes back after that. Half
/// of the writers use a server of the app that no fault hits.
async fn check_that_a_logout_is_final(server: &Standalone, fault: Fault) -> (usize, usize, u32) {
    let proxy = Proxy::on(free_port(), server.port).await;
    let broken = layer(&RedisServer::standalone("127.0.0.1", proxy.port)).await;
    let sound = layer(&RedisServer::standalone("127.0.0.1", server.port)).await;
    let guest = Visitor::new(sound);
    guest.visit(async |session| session.insert("count", &0_u64)).await.is_ok();
    let writing = Arc::new(Writing::default());
    let mut writers: Vec<_> = (0..4).map(|_| keep_writing(&guest, &writing)).collect();
    writers.extend((0..4).map(|_| keep_writing(&guest.at(&broken), &writing)));
    writing.go_on().await;
    let (ended, attempts) = log_out(&guest.at(&broken), &proxy, fault).await;
    proxy.set(Fault::None);
    writing.go_on().await;
    writing.stop.store(true, Ordering::Relaxed);
    let (mut before, mut after) = (0, 0);
    for writer in writers {
        for visit in writer.await.expect("no task panics") {
            assert!([200, 409, 503].contains(&visit.status), "{fault:?}: {visit:?}");
            assert!(visit.waited <= LONGEST_WAIT, "{fault:?}: {visit:?}");
            if visit.began > ended {
                assert_ne!(visit.found, Some(true), "{fault:?}: it came back: {visit:?}");
                assert_ne!(visit.status, 409, "{fault:?}: a new visitor: {visit:?}");
                after += 1;
            } else {
                before += usize::from(visit.found == Some(true));
            }
        }
    }
    assert!(before > 8 && after > 8, "{fault:?}: {before} {after}");
    (before, after, attempts)
}

#[test]
#[ignore = "needs redis-server"]
fn a_logout_whose_answer_is_lost_is_final_once_it_is_acknowledged() {
    without_panics("logout", async {
        let server = Standalone::start(Flavour::Redis7);
        let replies = (0..5).map(|length| Fault::CutReply(length, Cut::Reset));
        let requests = [Cut::Fin, Cut::Reset].map(Fault::CutAfterRequest);
        let silent = [Fault::SwallowReplies, Fault::SwallowRequests];
        let faults: Vec<_> = replies.chain(requests).chain(silent).collect();
        let mut again = 0;
        for &fault in &faults {
            let (before, after, attempts) = check_that_a_logout_is_final(&server, fault).await;
            println!("{fault:?}: {before} writes before, {after} after, {attempts} attempts");
            again += attempts - 1;
        }
        println!("{} logouts, {again} answered 503 first", faults.len());
    });
}
