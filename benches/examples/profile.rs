//! Runs one case of the `middleware` benchmark, for a profiler. A layer's name before the case, as in
//! `written-read`, runs it under that layer: `bare`, `least` or `written`.
//!
//! ```sh
//! cargo build --release -p cloakroom-benches --example profile
//! valgrind --tool=callgrind target/release/examples/profile read 20000
//! ```

use std::error::Error;

use cloakroom::store::MemoryStore;
use cloakroom_benches::apps::{self, Values};
use cloakroom_benches::{Traffic, cookie_of, forge};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (case, requests) = (arguments.next().unwrap_or_default(), arguments.next());
    let requests = requests.ok_or("usage: profile CASE REQUESTS")?.parse()?;
    let traffic = Traffic::new();
    let values = Values::of(512);
    let (layer, lane) = case.split_once('-').unwrap_or(("cloakroom", &case));
    let mut app = match layer {
        "cloakroom" => apps::cloakroom(values, MemoryStore::new()),
        "bare" => apps::bare(values),
        "least" => apps::least(values),
        "written" => apps::handwritten(values),
        _ => return Err("layers: cloakroom bare least written".into()),
    };
    // The control gets a cookie too, because making the request and finding its headers is not the layer's.
    let cookie = cookie_of(&traffic.answer(&mut app, "/write", &None)).or_else(|| {
        cookie_of(&traffic.answer(
            &mut apps::cloakroom(values, MemoryStore::new()),
            "/write",
            &None,
        ))
    });
    let (path, cookie) = match lane {
        "none" => ("/untouched", None),
        "untouched" => ("/untouched", cookie),
        "read" => ("/read", cookie),
        "write" => ("/write", cookie),
        "new" => ("/write", None),
        "forged" => ("/read", forge(&cookie)),
        _ => return Err("cases: none untouched read write new forged".into()),
    };
    let time = traffic.lane(&app, path, cookie)(requests);
    println!("{case}: {:?} each", time / u32::try_from(requests)?);
    Ok(())
}
