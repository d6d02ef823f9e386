//! The protocol, one step at a time.
