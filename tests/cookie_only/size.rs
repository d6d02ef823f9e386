//! A cookie has at most 4096 bytes, measured as it is sent. A larger one is an error and changes
//! nothing.

use cloakroom::{CookieSessions, SessionError};
use http::StatusCode;

use crate::{kinds, put, value};
use cloakroom_testing::{Answer, COOKIE, House, Visitor};

/// Stores a text of this length.
async fn fill(visitor: &Visitor, len: usize) -> Answer {
    visitor.visit(async move |session| session.insert("text", &"x".repeat(len))).await
}

async fn length(visitor: &Visitor) -> usize {
    let answer =
        visitor.visit(async |session| Ok(session.get::<String>("text")?.unwrap_or_default().len()));
    answer.await.is_ok().body.parse().unwrap()
}

fn pair_len(set_cookie: &str) -> usize {
    let (name, value) = set_cookie.split(';').next().unwrap().split_once('=').unwrap();
    name.len() + value.len()
}

#[tokio::test]
async fn r46_exactly_4096_bytes_are_sent_and_4097_refused() {
    for kind in kinds() {
        // Base64 needs four characters for three bytes, so one cookie name does not lead to every
        // length. Names of several lengths do.
        let mut largest = Vec::new();
        for name in ["__Host-a", "__Host-bb", "__Host-ccc"] {
            let options = cloakroom::CookieOptions::builder().name(name).build().unwrap();
            let house = House::in_cookies(kind.clone()).with(|layer| layer.cookie(options));
            let guest = house.guest().await;
            for len in 2_900..3_100 {
                let answer = fill(&guest, len).await;
                match answer.error {
                    None => largest.push(pair_len(answer.is_ok().set_cookies()[0])),
                    Some(SessionError::TooLarge { size, limit }) => {
                        assert_eq!(limit, 4096);
                        largest.push(size);
                        break;
                    }
                    error => panic!("{error:?}"),
                }
            }
            assert_eq!(value(&guest).await, Some(1));
        }
        assert!(largest.contains(&4096), "a cookie of 4096 bytes was sent");
        assert!(largest.contains(&4097), "a cookie of 4097 bytes was refused");
        assert!(largest.iter().all(|size| *size < 4100));
    }
}

#[tokio::test]
async fn what_does_not_fit_is_413_and_the_session_stays_as_it_was() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let before = guest.ticket();
        let answer = fill(&guest, 4000).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!((answer.set_cookies().len(), answer.body.as_str()), (0, ""));
        assert_eq!(guest.ticket(), before);
        assert_eq!(value(&guest).await, Some(1));
        let answer = guest.visit(async |session| {
            session.insert("text", &"x".repeat(4000))?;
            let refused = session.save().await;
            assert!(matches!(refused, Err(SessionError::TooLarge { limit: 4096, .. })));
            session.remove("text").unwrap();
            session.insert("k", &2_u32)
        });
        assert_eq!(answer.await.is_ok().set_cookies().len(), 1, "a handler can make room");
        assert_eq!(value(&guest).await, Some(2));
    }
}

fn spread() -> [CookieSessions; 2] {
    [CookieSessions::signed(), CookieSessions::encrypted()].map(|kind| kind.chunks(3))
}

#[tokio::test]
async fn a_larger_session_is_spread_and_comes_back_whole_or_not_at_all() {
    for kind in spread() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let answer = fill(&guest, 7000).await;
        let set = answer.is_ok().set_cookies();
        let names: Vec<_> = set.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
        assert_eq!(names, ["__Host-id", "__Host-id.1", "__Host-id.2"]);
        assert!(set.iter().all(|cookie| pair_len(cookie) <= 4096 && cookie.contains("; Secure")));
        assert_eq!((length(&guest).await, value(&guest).await), (7000, Some(1)));
        for name in names {
            let torn = guest.copy();
            torn.set_cookie(name, "");
            assert_eq!(value(&torn).await, None, "without {name}");
        }
        let older = guest.copy();
        put(&guest, 2).await.is_ok();
        guest.set_cookie("__Host-id.1", &older.cookie("__Host-id.1").unwrap());
        // Two signed texts differ at their ends only. With the old middle piece the text is whole.
        if guest.cookie("__Host-id.1") != older.cookie("__Host-id.1") {
            assert_eq!(value(&guest).await, None);
        }
        guest.set_cookie("__Host-id.2", &older.cookie("__Host-id.2").unwrap());
        assert_eq!(value(&guest).await, None, "pieces of two cookies are no cookie");
    }
}

#[tokio::test]
async fn what_a_shorter_session_leaves_over_is_removed_and_never_read() {
    for kind in spread() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        fill(&guest, 7000).await.is_ok();
        let long = guest.copy();
        let answer = fill(&guest, 4000).await;
        assert_eq!(answer.is_ok().set_cookies().len(), 3);
        assert_eq!(guest.cookie("__Host-id.2"), None);
        let answer = fill(&guest, 10).await;
        assert_eq!(answer.is_ok().set_cookies().len(), 2);
        assert_eq!(guest.cookie("__Host-id.1"), None);
        // The pieces do no harm in a browser that kept them.
        for name in ["__Host-id.1", "__Host-id.2"] {
            guest.set_cookie(name, &long.cookie(name).unwrap());
        }
        assert_eq!(length(&guest).await, 10);
        let answer = guest.visit(async |session| session.destroy().await).await;
        assert_eq!(answer.is_ok().set_cookies().len(), 3);
        assert_eq!(
            [COOKIE, "__Host-id.1", "__Host-id.2"].map(|name| guest.cookie(name)),
            [None, None, None]
        );
    }
}

#[tokio::test]
async fn what_does_not_fit_into_all_of_them_is_refused() {
    for kind in spread() {
        let guest = House::in_cookies(kind).guest().await;
        fill(&guest, 8900).await.is_ok();
        let answer = fill(&guest, 9300).await;
        let Some(SessionError::TooLarge { size, limit }) = answer.error else {
            panic!("{answer:?}")
        };
        assert!(limit == 3 * 4096 && size > limit, "{size} of {limit}");
        assert_eq!(length(&guest).await, 8900);
    }
}

#[tokio::test]
async fn the_number_of_cookies_can_change_in_a_roll_out() {
    for (one, three) in kinds().into_iter().zip(spread()) {
        let (one, three) = (House::in_cookies(one), House::in_cookies(three));
        let guest = three.guest().await;
        fill(&guest, 7000).await.is_ok();
        let there = guest.at(&one.layer);
        assert_eq!(length(&there).await, 7000, "any node reads it");
        assert_eq!(put(&there, 2).await.status, StatusCode::PAYLOAD_TOO_LARGE);
        fill(&there, 10).await.is_ok();
        assert_eq!(length(&guest).await, 10);
    }
}

#[tokio::test]
async fn more_than_a_header_line_is_warned_about() {
    let guest = House::in_cookies(spread()[0].clone()).guest().await;
    let trace = cloakroom_testing::Trace::listen();
    fill(&guest, 5000).await.is_ok();
    let warned = || trace.lines().iter().any(|line| line.contains("longer than the 8 KB"));
    assert!(!warned());
    fill(&guest, 7000).await.is_ok();
    assert!(warned(), "{:?}", trace.lines());
}
