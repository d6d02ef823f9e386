//! Faults under load. Every acknowledged change is there once, no request waits longer than promised,
//! and the store recovers by itself.

mod cluster;
mod load;
mod logout;
mod panics;
mod proxied;
mod sentinel;
mod standalone;
mod tally;
