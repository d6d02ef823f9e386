//! Runs one case of the `middleware` benchmark, for a profiler:
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
    let mut app = apps::cloakroom(values, MemoryStore::new());
    let cookie = cookie_of(&traffic.answer(&mut app, "/write", &None));
    let (app, path, cookie) = match case.as_str() {
        "bare" => (apps::bare(values), "/untouched", None),
        "least" => (apps::least(values), "/untouched", None),
        "none" => (app, "/untouched", None),
        "untouched" => (app, "/untouched", cookie),
        "read" => (app, "/read", cookie),
        "write" => (app, "/write", cookie),
        "new" => (app, "/write", None),
        "forged" => (app, "/read", forge(&cookie)),
        "written-read" | "written-write" => {
            let mut app = apps::handwritten(values);
            let cookie = cookie_of(&traffic.answer(&mut app, "/write", &None));
            let path = if case == "written-read" { "/read" } else { "/write" };
            (app, path, cookie)
        }
        _ => return Err("cases: bare least none untouched read write new forged".into()),
    };
    let time = traffic.lane(&app, path, cookie)(requests);
    println!("{case}: {:?} each", time / u32::try_from(requests)?);
    Ok(())
}
