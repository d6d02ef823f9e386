//! Measures how the cost of a record grows with its contents, in multiples of the bare router.
//!
//! A read is a load, the decoding of the record and of the value; a write is a load, the encoding
//! of the value and of the record, and a conditional write. The
//! last two columns are the value's MessagePack alone, which every session with typed values needs. Those named *sealed*
//! are of a layer that seals values: as multiples of the bare router, and of the same request in the clear.

use std::hint::black_box;

use cloakroom::store::MemoryStore;
use cloakroom_benches::apps::{self, Values};
use cloakroom_benches::{Effort, Traffic, compare, cookie_of};

fn main() {
    let traffic = Traffic::new();
    println!("CPU time, in multiples of the bare router\n");
    println!(
        "value         read    write   sealed read     sealed write    decode alone   encode alone"
    );
    for bytes in [100, 1 << 10, 4 << 10, 16 << 10] {
        let values = Values::of(bytes);
        let mut app = apps::cloakroom(values, MemoryStore::new());
        let cookie = cookie_of(&traffic.answer(&mut app, "/write", &None));
        let found = traffic.answer(&mut app, "/peek", &cookie);
        assert_eq!(found.body().len(), bytes, "the value is there");
        let mut sealed = apps::sealed(values, MemoryStore::new());
        let sealed_cookie = cookie_of(&traffic.answer(&mut sealed, "/write", &None));
        let found = traffic.answer(&mut sealed, "/peek", &sealed_cookie);
        assert_eq!(found.body().len(), bytes, "the sealed value is there");
        let encoded = rmp_serde::to_vec(values.next()).expect("a string");
        let mut lanes = [
            traffic.lane(&apps::bare(values), "/write", cookie.clone()),
            traffic.lane(&app, "/read", cookie.clone()),
            traffic.lane(&app, "/write", cookie),
            traffic.lane(&sealed, "/read", sealed_cookie.clone()),
            traffic.lane(&sealed, "/write", sealed_cookie),
            Traffic::lane_of(|| {
                black_box(rmp_serde::from_slice::<String>(black_box(&encoded)).ok());
            }),
            Traffic::lane_of(|| {
                black_box(rmp_serde::to_vec(values.next()).ok());
            }),
        ];
        let [_, read, write, sealed_read, sealed_write, decode, encode] =
            compare(&mut lanes, Effort::from_args())[..]
        else {
            unreachable!("one result for each lane")
        };
        let (more_read, more_write) = (sealed_read / read, sealed_write / write);
        println!(
            "{bytes:>6} B {read:>9.2} {write:>8.2} {sealed_read:>6.2} ({more_read:.2}) {sealed_write:>8.2} \
             ({more_write:.2}) {decode:>14.2} {encode:>14.2}"
        );
    }
}
