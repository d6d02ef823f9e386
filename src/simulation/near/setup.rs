//! The figures that all parts of a run share.

use std::time::Duration;

/// The stalenesses, one of which all servers of a run have. Moka drops what it holds by the machine's clock, a second
/// after the staleness. With one second, a machine that stalls would change the history of a seed.
pub(crate) const STALENESSES: [Duration; 3] =
    [Duration::from_secs(10), Duration::from_secs(20), Duration::from_secs(60)];

/// The longest time by which a load may outlast the staleness: the time-out of one command, and the slack.
pub(crate) const AROUND: u64 = 2_600;

/// The share of loads, in percent, whose answer is long on its way: it shows what was there when the store read it.
/// A look may wait for another's load and then need two of its own: so long, no time-out ends it, and none of them is a fault.
pub(crate) const SLOW_ANSWERS: u64 = 20;
pub(crate) const LONGEST_ANSWER: u64 = 700;
