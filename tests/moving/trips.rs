//! The number of commands that each store gets: `(old, new)`.

use cloakroom::store::{Created, SessionStore, Touched};
use cloakroom_testing::{HOUR, MINUTE};

use crate::pair::{KEY, Pair, created, replaced};

#[tokio::test]
async fn a_load_is_one_trip_where_the_step_looks_first_and_two_elsewhere() {
    let pair = Pair::new();
    pair.in_old("a coat").await;
    pair.old_first().load(&KEY).await.unwrap();
    assert_eq!(pair.trips(), (1, 0));
    pair.new_first().load(&KEY).await.unwrap();
    assert_eq!(pair.trips(), (1, 1));

    let pair = Pair::new();
    pair.in_new("a coat").await;
    pair.old_first().load(&KEY).await.unwrap();
    assert_eq!(pair.trips(), (1, 1));
    pair.new_first().load(&KEY).await.unwrap();
    assert_eq!(pair.trips(), (0, 1));
}

#[tokio::test]
async fn a_new_session_is_two_trips() {
    let pair = Pair::new();
    created(pair.old_first().create(&KEY, &pair.entry("a coat")).await);
    assert_eq!(pair.trips(), (1, 1));
    let pair = Pair::new();
    created(pair.new_first().create(&KEY, &pair.entry("a coat")).await);
    assert_eq!(pair.trips(), (1, 1));
    assert_eq!(pair.new_first().create(&KEY, &pair.entry("hat")).await.unwrap(), Created::Exists);
}

#[tokio::test]
async fn a_write_is_one_trip_and_the_move_of_a_session_three() {
    let pair = Pair::new();
    let first = pair.in_old("one").await;
    let second = replaced(pair.old_first().replace(&KEY, &first, &pair.entry("two")).await);
    assert_eq!(pair.trips(), (1, 0));

    let moved = replaced(pair.new_first().replace(&KEY, &second, &pair.entry("three")).await);
    assert_eq!(pair.trips(), (1, 2));
    let mut version = moved;
    for server in [pair.new_first(), pair.old_first()] {
        version = replaced(server.replace(&KEY, &version, &pair.entry("four")).await);
        assert_eq!(pair.trips(), (0, 1));
    }
    pair.all_find("four").await;
}

#[tokio::test]
async fn a_logout_is_one_trip_and_moves_nothing() {
    let pair = Pair::new();
    let version = pair.in_old("a coat").await;
    replaced(pair.new_first().replace(&KEY, &version, &pair.mark()).await);
    assert_eq!(pair.trips(), (1, 0));
    assert_eq!(pair.to.has().await, None);
}

#[tokio::test]
async fn a_touch_is_one_trip_and_moves_an_old_session_in_four() {
    let pair = Pair::new();
    let version = pair.in_old("a coat").await;
    let later = pair.in_a(HOUR + MINUTE);
    assert_eq!(pair.old_first().touch(&KEY, &version, later).await.unwrap(), Touched::Done);
    assert_eq!(pair.trips(), (1, 0));

    let latest = pair.in_a(HOUR + 2 * MINUTE);
    assert_eq!(pair.new_first().touch(&KEY, &version, latest).await.unwrap(), Touched::Skipped);
    assert_eq!(pair.trips(), (2, 2));
    let moved = pair.new_first().load(&KEY).await.unwrap().unwrap();
    assert_eq!((&moved.bytes[..], moved.deadline), (&b"a coat"[..], latest));
    pair.trips();

    for (minutes, server) in [(3, pair.new_first()), (4, pair.old_first())] {
        let later = pair.in_a(HOUR + minutes * MINUTE);
        assert_eq!(server.touch(&KEY, &moved.version, later).await.unwrap(), Touched::Done);
        assert_eq!(pair.trips(), (0, 1));
    }
}

#[tokio::test]
async fn a_delete_is_two_trips_in_the_old_store_and_three_in_the_new() {
    for step in 0..2 {
        let pair = Pair::new();
        pair.in_old("a coat").await;
        pair.both()[step].delete(&KEY).await.unwrap();
        assert_eq!(pair.trips(), (2, 0));
        pair.nobody_finds_it().await;

        let pair = Pair::new();
        pair.in_new("a coat").await;
        pair.both()[step].delete(&KEY).await.unwrap();
        assert_eq!(pair.trips(), (1, 2));
        pair.nobody_finds_it().await;
    }
}
