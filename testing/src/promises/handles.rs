//! Handles that outlive their request, dropped futures, and stores that lose answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom::store::StoreErrorKind;
use cloakroom::{LazySession, Session, SessionError};

use crate::Command::{Load, Replace};
use crate::promises::Ground;
use crate::{Fault, Handled, House, Trace, Visitor, hang_up, left_alone, reply, respond};

type Slot<T> = Arc<Mutex<Option<T>>>;

pub async fn p8_a_first_use_after_the_response_cannot_create() {
    let house = House::open();
    let kept: Slot<LazySession> = Slot::default();
    let k = kept.clone();
    house
        .visitor()
        .ask(async move |lazy| {
            *k.lock().unwrap() = Some(lazy);
            reply(http::StatusCode::OK)
        })
        .await;
    let lazy = kept.lock().unwrap().take().unwrap();
    let session = lazy.load().await.unwrap();
    session.insert("k", &1_u32).unwrap();
    let saved = session.save().await;
    assert!(
        matches!(saved, Err(SessionError::TooLate)),
        "{saved:?}, {} records",
        house.memory().len()
    );
}

pub async fn p7_a_first_use_after_the_response_cannot_renew(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let kept: Slot<LazySession> = Slot::default();
    let k = kept.clone();
    guest
        .ask(async move |lazy| {
            *k.lock().unwrap() = Some(lazy);
            reply(http::StatusCode::OK)
        })
        .await;
    let lazy = kept.lock().unwrap().take().unwrap();
    let session = lazy.load().await.unwrap();
    session.renew().unwrap();
    let saved = session.save().await;
    let stored = guest.visit(async |s| s.get::<u32>("k")).await;
    assert_eq!(stored.body, "Some(1)", "save returned {saved:?}");
}

pub async fn p7_a_clone_that_outlives_a_dropped_request_cannot_renew() {
    let house = House::open();
    let guest = house.guest().await;
    let kept: Slot<Session> = Slot::default();
    let k = kept.clone();
    hang_up(
        guest.ask(async move |lazy| {
            *k.lock().unwrap() = Some(lazy.load().await.unwrap());
            std::future::pending().await
        }),
        3,
    )
    .await;
    let session = kept.lock().unwrap().take().unwrap();
    session.renew().unwrap();
    let saved = session.save().await;
    let stored = guest.visit(async |s| s.get::<u32>("k")).await;
    assert_eq!(stored.body, "Some(1)", "save returned {saved:?}");
}

/// Returns a guest whose commits may take half a second from now on. The first commit has the usual
/// time, because a busy machine may need it.
async fn guest_with_brief_commits(house: &House) -> Visitor {
    let guest = house.guest().await;
    guest.at(&house.layer.clone().commit_timeout(Duration::from_millis(500)))
}

/// A machine that leaves the test no processor for half a second shows nothing: there are few commands then, and the
/// logout is tried again. A logout that keeps the processor for itself sends many, or fails each time.
pub async fn p6_a_logout_whose_answers_are_lost_is_no_busy_loop(ground: Ground) {
    for attempt in 1..=5 {
        let (replaces, ticks) = replaces_and_ticks_beside_them(ground).await;
        if (2..2000).contains(&replaces) && ticks > replaces {
            return;
        }
        assert!(
            replaces < 10 && attempt < 5,
            "{replaces} replaces in 500 ms; other task ran {ticks} times"
        );
    }
}

/// Returns the number of commands that a logout sends when all their answers are lost, and how often another task runs
/// meanwhile.
async fn replaces_and_ticks_beside_them(ground: Ground) -> (usize, usize) {
    let house = ground();
    let guest = guest_with_brief_commits(&house).await;
    house.faulty.always(Replace, || Fault::LoseRequest);
    let ticks = Arc::new(Mutex::new(0));
    let t = ticks.clone();
    let other = tokio::spawn(async move {
        loop {
            tokio::task::yield_now().await;
            *t.lock().unwrap() += 1;
        }
    });
    guest.visit(async |s| s.destroy().await).await;
    other.abort();
    let commands = house.counting.take();
    (format!("{commands:?}").matches("Replace").count(), *ticks.lock().unwrap())
}

pub async fn p12_a_logout_of_a_mark_that_leads_to_itself_ends(ground: Ground) {
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        rt.block_on(async {
            let house = ground();
            let guest = guest_with_brief_commits(&house).await;
            guest.visit(async |s| s.get::<u32>("k")).await;
            let key = house.counting.last_key();
            let mut mark = vec![0xC1, 1, 1];
            mark.extend([9; 8]);
            mark.extend(key.as_bytes());
            house.overwrite(mark).await;
            let a = guest.ask(async |lazy| respond(lazy.destroy().await)).await;
            let _ = tx.send(a.status);
        });
    });
    let r = rx.recv_timeout(Duration::from_secs(120));
    assert!(r.is_ok(), "still running after 120 s, commit timeout 0.5 s");
}

pub async fn p7_a_renewal_in_doubt_is_not_finished_after_a_5xx() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::Hang);
    let kept: Slot<Session> = Slot::default();
    let k = kept.clone();
    let a = guest
        .ask(async move |lazy| {
            let s = lazy.load().await.unwrap();
            s.renew().unwrap();
            assert!(hang_up(s.save(), 1).await.is_none());
            *k.lock().unwrap() = Some(s);
            reply(http::StatusCode::INTERNAL_SERVER_ERROR)
        })
        .await;
    assert!(a.set_cookies().is_empty());
    let s = kept.lock().unwrap().take().unwrap();
    let saved = s.save().await;
    let stored = guest.visit(async |s| s.get::<u32>("k")).await;
    assert_eq!(stored.body, "Some(1)", "save returned {saved:?}");
}

pub async fn a_failed_load_is_reported(ground: Ground) {
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Denied, StoreErrorKind::Corrupt] {
        let house = ground();
        let guest = house.guest().await;
        let trace = Trace::listen();
        house.faulty.next(Load, Fault::Fail(kind));
        guest.visit(async |s| s.get::<u32>("k")).await;
        assert!(
            trace.lines().iter().any(|l| l.starts_with("WARN")),
            "{kind:?}: {:?}",
            trace.lines()
        );
    }
}

pub async fn a_second_load_waits_no_longer_than_a_load_may_take() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Load, Fault::Delay(Duration::from_millis(50)));
    guest
        .ask(async |lazy| {
            let mut first = Box::pin(lazy.load());
            let _ = tokio::time::timeout(Duration::from_millis(10), &mut first).await;
            let second = tokio::time::timeout(Duration::from_secs(3600), lazy.load()).await;
            assert!(second.is_ok(), "an hour");
            respond(Ok(()))
        })
        .await;
}

/// A `load` that is polled once and left alone, as in a loop that selects, keeps nothing from its clones.
pub async fn a_load_that_nobody_polls_keeps_neither_a_load_nor_a_logout_waiting() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Load, Fault::Hang);
    let answer = guest.ask(async |lazy| {
        let left = left_alone([lazy.load()]);
        let start = tokio::time::Instant::now();
        let session = lazy.load().await.unwrap();
        assert_eq!(session.get("k").unwrap(), Some(1_u32));
        session.insert("k", &2_u32).unwrap();
        session.save().await.unwrap();
        lazy.destroy().await.unwrap();
        let waited = start.elapsed().as_millis();
        assert!((240..300).contains(&waited), "{waited}");
        drop(left);
        respond(Ok(()))
    });
    answer.await.is_ok();
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "None");
}

/// Reads a key and changes it, while another request stores 2 there.
async fn meet_a_conflict(session: &Session, other: &Visitor) -> Result<(), SessionError> {
    session.get::<u32>("k")?;
    other.visit(async |session| session.insert("k", &2_u32)).await.is_ok();
    session.insert("k", &3_u32)?;
    assert!(matches!(session.save().await, Err(SessionError::Conflict { .. })));
    Ok(())
}

pub async fn p5_a_handle_goes_on_after_a_conflict_that_was_discarded(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let other = guest.copy();
    let answer = guest.visit(async move |session| {
        meet_a_conflict(&session, &other).await?;
        session.discard();
        assert_eq!(session.get("k")?, Some(2_u32));
        session.insert("k", &4_u32)?;
        session.save().await
    });
    answer.await.is_ok();
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "Some(4)");
}

pub async fn p5_a_handle_expects_nothing_of_what_it_has_discarded(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest.visit(async |session| {
        for others in 0..4 {
            session.get::<u32>("k")?;
            match others {
                0 => session.insert("k", &7_u32)?,
                1 => session.remove("k")?,
                2 => session.update("k", |k: &mut u32| *k += 7)?,
                _ => session.clear()?,
            }
            session.get::<u32>("k")?;
            session.discard();
            session.insert("k", &others)?;
            session.save().await?;
        }
        // A value of its own that it has read, of a key that it has not.
        session.insert("l", &7_u32)?;
        session.get::<u32>("l")?;
        session.discard();
        session.insert("l", &8_u32)?;
        session.save().await?;
        session.insert("k", &7_u32)?;
        session.discard();
        session.remove("k")
    });
    answer.await.is_ok();
    assert_eq!(guest.visit(async |session| session.contains("k")).await.body, "false");
}

/// It has been told of the conflict, and has not read what the other one has stored.
pub async fn p5_a_handle_that_has_discarded_overwrites_nothing_that_it_has_not_read(
    ground: Ground,
) {
    let house = ground();
    let guest = house.guest().await;
    let other = guest.copy();
    let answer = guest.visit(async move |session| {
        meet_a_conflict(&session, &other).await?;
        session.discard();
        session.insert("k", &4_u32)
    });
    assert_eq!(answer.await.status, http::StatusCode::CONFLICT);
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "Some(2)");
}

/// A clone is just saving when the request is dropped: it stores what it had then, and nothing later.
pub async fn p8_a_request_that_is_dropped_while_a_clone_saves_leaves_nothing_to_store(
    ground: Ground,
) {
    let house = ground();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::Delay(Duration::from_millis(50)));
    let kept: Slot<Session> = Slot::default();
    let (fill, faulty) = (kept.clone(), house.faulty.clone());
    let (saving, saved) = tokio::sync::oneshot::channel();
    let request = guest.visit(async move |session| {
        session.insert("first", &1)?;
        let clone = session.clone();
        saving.send(tokio::spawn(async move { clone.save().await })).unwrap();
        while !faulty.is_spent() {
            tokio::task::yield_now().await;
        }
        session.insert("second", &2)?;
        *fill.lock().unwrap() = Some(session);
        std::future::pending::<Result<(), SessionError>>().await
    });
    let inserted = async {
        while kept.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = request => unreachable!("it never ends"),
        () = inserted => {}
    }
    saved.await.unwrap().await.unwrap().unwrap();
    let open = kept.lock().unwrap().take().unwrap();
    for _ in 0..2 {
        assert!(matches!(open.save().await, Err(SessionError::TooLate)));
    }
    open.discard();
    open.save().await.unwrap();
    let answer = guest.visit(async |session| Ok(session.keys())).await;
    assert_eq!(answer.body, r#"["first", "k"]"#);
}

pub async fn p9_the_ticket_is_not_in_the_debug_of_a_response(ground: Ground) {
    let house = ground();
    let v = house.visitor();
    let a = v.visit(async |s| s.insert("k", &1_u32)).await;
    assert!(!format!("{:?}", a.headers).contains(&v.ticket()));
}

pub async fn values_of_many_shapes_survive_the_trip(ground: Ground) {
    use serde::{Deserialize, Serialize};
    #[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
    struct W(u8);
    #[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
    #[serde(untagged)]
    enum U {
        B(u8),
        T(String),
    }
    let house = ground();
    let v = house.visitor();
    let mut bad = vec![];
    macro_rules! trip { ($($t:ty: $e:expr),* $(,)?) => { $( {
        let e: $t = $e;
        let e2 = e.clone();
        let r = v.visit(async move |s| { s.insert("x", &e2)?; s.get::<$t>("x") }).await;
        if r.body != format!("{:?}", Some(e)) { bad.push(format!("{}: {:?} {:?}", stringify!($t), r.body, r.error)); }
    } )* } }
    trip! {
        Vec<Option<u8>>: vec![Some(1), None],
        Vec<W>: vec![W(1), W(2)],
        Vec<U>: vec![U::B(1), U::T("a".into())],
        std::collections::VecDeque<u8>: [1, 2].into(),
        std::collections::BTreeSet<u8>: [1, 2].into(),
        std::collections::HashSet<u8>: [1].into(),
        std::collections::LinkedList<u8>: [1, 2].into(),
        [u8; 3]: [1, 2, 3],
        Box<[u8]>: Box::from([1, 2]),
        Vec<serde_json::Value>: vec![1.into(), "a".into()],
        serde_json::Value: serde_json::json!([1, 2, {"a": null}]),
        u128: u128::MAX, i128: -5, char: 'x',
        (u8, String): (1, "a".into()),
        Vec<Box<u8>>: vec![Box::new(1)],
        std::time::SystemTime: std::time::SystemTime::UNIX_EPOCH,
        Vec<Vec<u8>>: vec![vec![1], vec![]],
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

/// Asks for the session when it is dropped, as a value that logs its end might.
struct AsksWhenDropped(Session);

impl Drop for AsksWhenDropped {
    fn drop(&mut self) {
        self.0.keys();
    }
}

pub async fn a_closure_that_asks_for_its_session_when_it_is_dropped_hangs_nothing() {
    let (sender, receiver) = std::sync::mpsc::channel();
    // In a thread of its own, because a lock that waits for itself would hang the test.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let guest = House::open().guest().await;
            let add = |session: &Session| {
                let asks = AsksWhenDropped(session.clone());
                session.update("k", move |value: &mut u32| {
                    let _ = &asks;
                    *value += 1;
                })
            };
            let saved = guest.visit(async |session| {
                add(&session)?;
                session.save().await?;
                add(&session)?;
                session.discard();
                add(&session)
            });
            saved.await.is_ok();
            let ended = guest.visit(async |session| {
                add(&session)?;
                session.destroy().await
            });
            ended.await.is_ok();
        });
        sender.send(()).unwrap();
    });
    receiver.recv_timeout(Duration::from_secs(60)).expect("a drop under the session's lock");
}

/// Returns whether a closure that holds its own session is dropped with a request that ends so.
async fn is_dropped_after(
    end: impl AsyncFnOnce(&House, &Visitor, Session, Handled) -> Handled,
) -> bool {
    let house = House::open();
    let guest = house.guest().await;
    let held = Arc::new(true);
    let holds = Arc::clone(&held);
    let other = guest.copy();
    let mut has_run = false;
    let request = guest.ask(async |lazy| {
        let session = lazy.load().await.unwrap();
        has_run = true;
        let own = session.clone();
        let update = move |k: &mut u32| {
            assert!(format!("{own:?}").contains("loaded") && *holds);
            *k += 1;
        };
        session.update("k", update).unwrap();
        end(&house, &other, session, crate::reply(http::StatusCode::OK)).await
    });
    drop(tokio::time::timeout(Duration::from_millis(500), request).await);
    crate::settle().await;
    assert!(has_run);
    Arc::strong_count(&held) == 1
}

pub async fn a_closure_that_holds_its_session_does_not_outlive_a_failed_request() {
    let failed = |status| async move |_: &House, _: &Visitor, _, _| crate::reply(status);
    assert!(is_dropped_after(failed(http::StatusCode::OK)).await);
    assert!(is_dropped_after(failed(http::StatusCode::BAD_GATEWAY)).await);
    let dropped = async |_: &House, _: &Visitor, _, _| std::future::pending().await;
    assert!(is_dropped_after(dropped).await, "a dropped request");
    let refused = async |_: &House, other: &Visitor, session: Session, answer| {
        session.get::<u32>("n").unwrap();
        other.visit(async |session| session.insert("n", &1)).await.is_ok();
        session.insert("n", &2).unwrap();
        answer
    };
    assert!(is_dropped_after(refused).await, "a commit that met a conflict");
}

/// What it changed is gone, and a `save` that said nothing would acknowledge it.
pub async fn a_handle_that_outlives_a_failed_request_is_told_that_its_changes_were_dropped() {
    let house = House::open();
    let guest = house.guest().await;
    let mut kept = None;
    let answer = guest.ask(async |lazy| {
        let session = lazy.load().await.unwrap();
        session.insert("k", &2_u32).unwrap();
        kept = Some(session);
        crate::reply(http::StatusCode::BAD_GATEWAY)
    });
    answer.await;
    let session = kept.unwrap();
    for _ in 0..2 {
        assert!(matches!(session.save().await, Err(SessionError::TooLate)));
    }
    session.discard();
    session.insert("k", &3_u32).unwrap();
    session.save().await.unwrap();
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "Some(3)");
}
