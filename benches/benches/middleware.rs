//! Measures the cost of the layer in multiples of the same axum router without it.
//!
//! `least` puts one `Arc` into the extensions, `written` is a hand-written signed layer without the
//! promises, `leading` is tower-sessions 0.15 with signed cookies.

use axum::Router;
use cloakroom::store::MemoryStore;
use cloakroom_benches::apps::{self, BODY, Values};
use cloakroom_benches::{Cookie, Effort, Traffic, compare, cookie_of, forge, is_quick};

struct Case {
    name: &'static str,
    path: &'static str,
    cookie: fn(&Cookie) -> Cookie,
    goal: f64,
}

/// The cases. The last one creates thousands of sessions, so it must stay the last.
const CASES: [Case; 6] = [
    Case { name: "no cookie", path: "/untouched", cookie: |_| None, goal: 1.7 },
    Case { name: "untouched", path: "/untouched", cookie: Cookie::clone, goal: 1.7 },
    Case { name: "read 512 B", path: "/read", cookie: Cookie::clone, goal: 4.8 },
    Case { name: "write 512 B", path: "/write", cookie: Cookie::clone, goal: 5.2 },
    Case { name: "forged cookie", path: "/read", cookie: forge, goal: 2.7 },
    Case { name: "new session", path: "/write", cookie: |_| None, goal: 3.0 },
];

struct Rival {
    app: Router,
    cookie: Cookie,
}

fn main() {
    println!("CPU time, in multiples of the bare router");
    // One session shows the layer's own work; many show what a store costs as it grows.
    let others = if is_quick() { 100 } else { 10_000 };
    for sessions in [1, others] {
        println!("\nwith {sessions} sessions in each store");
        println!("case            goal  cloakroom    least  written  leading");
        table(sessions);
    }
}

fn table(sessions: usize) {
    let traffic = Traffic::new();
    let values = Values::of(512);
    let cloakroom = visited(&traffic, apps::cloakroom(values, MemoryStore::new()), sessions);
    let cookie = cloakroom.cookie.clone();
    let mut rivals = [
        Rival { app: apps::bare(values), cookie: cookie.clone() },
        cloakroom,
        Rival { app: apps::least(values), cookie },
        visited(&traffic, apps::handwritten(values), sessions),
        visited(&traffic, apps::leading(values), sessions),
    ];
    for case in &CASES {
        rivals.iter_mut().for_each(|rival| same_answer(&traffic, rival, case));
        let mut lanes: Vec<_> = rivals
            .iter()
            .map(|rival| traffic.lane(&rival.app, case.path, (case.cookie)(&rival.cookie)))
            .collect();
        let multiples = compare(&mut lanes, Effort::from_args());
        print!("{:<14} {:>5.1} {:>10.2}", case.name, case.goal, multiples[1]);
        multiples[2..].iter().for_each(|multiple| print!(" {multiple:>8.2}"));
        println!("{}", if multiples[1] <= case.goal { "" } else { "   over the goal" });
    }
}

/// Returns an app with sessions of this many visitors, and the cookie of the last visitor.
fn visited(traffic: &Traffic, mut app: Router, sessions: usize) -> Rival {
    for _ in 1..sessions {
        traffic.answer(&mut app, "/write", &None);
    }
    let cookie = cookie_of(&traffic.answer(&mut app, "/write", &None));
    assert!(cookie.is_some(), "the first write makes a session");
    let found = |app: &mut Router, cookie| traffic.answer(app, "/peek", &cookie).into_body();
    let before = found(&mut app, cookie.clone());
    assert_eq!(before.len(), 512, "the visitor's value is there");
    traffic.answer(&mut app, "/write", &cookie);
    assert_ne!(found(&mut app, cookie.clone()), before, "and a write changes it");
    assert_eq!(found(&mut app, forge(&cookie)), "", "but not for a forged cookie");
    Rival { app, cookie }
}

fn same_answer(traffic: &Traffic, rival: &mut Rival, case: &Case) {
    let answer = traffic.answer(&mut rival.app, case.path, &(case.cookie)(&rival.cookie));
    assert_eq!(answer.body(), BODY);
}
