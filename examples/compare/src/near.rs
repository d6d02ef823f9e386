//! The loads that still reach the store when each server has a memory of its own in front of it
//! (`Near`), behind sticky sessions.
//!
//! The visit is that of the bills, in pages: each page is a request that changes the session, others
//! right after it, and a last one three seconds later. `tests/near/savings.rs` plays it and counts,
//! and `docs/near.md` has its table.

/// The visit, where no other is given: its requests, and how many of them change the session.
pub const REQUESTS: f64 = 20.0;
pub const CHANGES: f64 = 5.0;
/// How long after the first request of a page its last one comes.
pub const LAST_AFTER_SECONDS: u32 = 3;

/// Counts the loads of a visit with so many requests, of which so many change the session.
pub fn loads_left(requests: f64, changes: f64, staleness_seconds: u32) -> f64 {
    // Minutes lie between two pages, so the first request of a page never finds the session held.
    let missing = if staleness_seconds > LAST_AFTER_SECONDS { 1.0 } else { 2.0 };
    // The first request of the visit begins the session, and loads nothing.
    changes * f64::min(missing, requests / changes) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in `docs/near.md`, which a test there counts.
    #[test]
    fn the_loads_are_those_that_the_guide_counts() {
        const GUIDE: &str = include_str!("../../../docs/near.md");
        let loads = |seconds: u32| -> f64 {
            let row = format!("| one server, or sticky sessions | {seconds} s | ");
            let (_, rest) = GUIDE.split_once(&row).unwrap();
            rest.split_once(" of 19 |").unwrap().0.parse().unwrap()
        };
        assert_eq!([1, 5].map(|seconds| loads_left(REQUESTS, CHANGES, seconds)), [1, 5].map(loads));
    }

    #[test]
    fn a_page_of_one_request_saves_nothing() {
        assert_eq!([1, 5].map(|seconds| loads_left(5.0, 5.0, seconds)), [4.0, 4.0]);
        // A page of two requests: the second comes three seconds after the first.
        assert_eq!([1, 5].map(|seconds| loads_left(10.0, 5.0, seconds)), [9.0, 4.0]);
    }
}
