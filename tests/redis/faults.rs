//! Faults under load. What was acknowledged is counted, once; nobody waits longer than promised; it
//! recovers by itself.

mod cluster;
mod load;
mod logout;
mod panics;
mod proxied;
mod sentinel;
mod standalone;
mod tally;
