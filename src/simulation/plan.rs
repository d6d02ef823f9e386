//! The plan of one run, drawn from its seed before it begins.

use super::random::Random;
use super::setup::{PRINCIPALS, SERVERS};

/// All visits of a run.
#[derive(Debug)]
pub(super) struct Plan {
    /// The share of store commands that meet a network fault.
    pub(super) fault_percent: u64,
    /// The servers renew tickets by time.
    pub(super) renews_tickets: bool,
    pub(super) visits: Vec<VisitPlan>,
}

/// One request. All times are in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct VisitPlan {
    /// The time at which the browser sends it, counted from the start of the run.
    pub(super) at: u64,
    pub(super) server: usize,
    pub(super) ticket: TicketChoice,
    /// An old ticket that a cookie of another path or domain holds, and that the browser sends too. The
    /// number chooses.
    pub(super) second_ticket: Option<u64>,
    /// How often the server's layer is applied.
    pub(super) layers: usize,
    pub(super) steps: Vec<Step>,
    pub(super) ending: Ending,
    /// The steps of the handle that is kept open, once the answer has left.
    pub(super) open: Vec<OpenStep>,
    /// The time after which the browser hangs up.
    pub(super) hangs_up_after: Option<u64>,
    /// The time that the answer travels to the browser.
    pub(super) answer_travels: u64,
}

/// The ticket that a visit presents.
#[derive(Clone, Copy, Debug)]
pub(super) enum TicketChoice {
    /// The one in the cookie jar.
    Current,
    /// One that the browser once had, as a thief or an old tab may present. The number chooses.
    Old(u64),
}

/// A step of a handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Wait(u64),
    Load,
    Change(Operation),
    Destroy {
        /// Whether the handler goes on when the logout fails.
        ignores_failure: bool,
        /// Whether a clone is saving at that time.
        during_save: bool,
    },
    /// A logout by the lazy handle.
    DestroyLazily {
        ignores_failure: bool,
    },
    Save {
        ignores_failure: bool,
    },
    /// A save that is dropped after so long.
    DropSave(u64),
    /// A clone counts and saves after so long, while the handler goes on.
    Clone {
        after: u64,
        /// Whether the handler waits for the clone before it answers.
        joined: bool,
    },
}

/// A step of a handle that is kept open: a websocket, a stream, a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OpenStep {
    Wait(u64),
    Change(Operation),
    Save,
    /// A save that is dropped after so long.
    DropSave(u64),
    /// A save that is polled so often, and then not for so long.
    ParkSave {
        polls: u64,
        pause: u64,
    },
    Reload,
    Touch,
    Destroy,
}

/// A change that a handler makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operation {
    /// Changes two keys by `update`.
    Count,
    /// Changes a key by `get` and `insert`.
    GetAndInsert,
    /// Inserts a key that nobody else writes.
    InsertOwnKey,
    /// Takes one of a few seats by `try_update`.
    TakeSeat,
    /// Removes a key that `InsertOwnKey` has inserted. The number chooses one.
    RemoveOwnKey {
        choice: u64,
        reads_first: bool,
    },
    /// Removes every key.
    Clear,
    Renew,
    Remember,
    /// Logs in one of a few principals.
    LogIn(u8),
    LogOutKeepingData,
}

/// The way in which a handler ends after its steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    Answers200,
    Answers500,
    /// An answer of the app's own that keeps what the handler has done.
    Answers404,
    /// The handler is dropped after so long, by a layer that answers 408.
    TimesOut(u64),
    /// The service returns an error instead of a response.
    Fails,
}

/// The kinds of steps that a run has besides the usual ones. They hide faults: a session that was
/// ended or cleared shows no lost update, and a renewal lets parallel requests fail. So many runs
/// go without them.
#[derive(Clone, Copy)]
struct Allowed {
    logouts: bool,
    clears: bool,
    logins: bool,
}

impl Allowed {
    fn draw(random: &mut Random) -> Self {
        Self { logouts: random.chance(50), clears: random.chance(25), logins: random.chance(40) }
    }

    /// Returns 1 or 0 for logouts, clears and logins.
    fn weights(self) -> (u64, u64, u64) {
        (u64::from(self.logouts), u64::from(self.clears), u64::from(self.logins))
    }
}

/// The stream from which it is drawn whether a run renews tickets.
const TICKETS: u64 = 14;

impl Plan {
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed, 0);
        let random = &mut random;
        let fault_percent = random.weighted(&[(2, 0), (5, 12), (5, 30), (3, 50)]);
        let spread = random.weighted(&[(4, 40), (8, 300), (4, 3_000), (4, 40_000), (1, 330_000)]);
        let mut visits = vec![VisitPlan::first()];
        let allowed = Allowed::draw(random);
        let keeps_open = random.chance(25);
        // Long enough for everything to expire while a handle is open.
        let spread = if keeps_open { spread.max(random.below(700_000)) } else { spread };
        for _ in 0..random.between(2, 9) {
            let at = 1_000 + random.below(spread);
            visits.push(VisitPlan::draw(random, at, allowed));
        }
        if keeps_open {
            visits.iter_mut().skip(1).for_each(|visit| visit.keep_open(random, allowed));
        }
        // From a stream of its own, so that the other draws of a seed stay as they are.
        let renews_tickets = Random::new(seed, TICKETS).chance(50);
        Self { fault_percent, renews_tickets, visits }
    }
}

impl VisitPlan {
    /// Returns the visit that begins a session, in which the others meet.
    fn first() -> Self {
        Self {
            at: 0,
            server: 0,
            ticket: TicketChoice::Current,
            second_ticket: None,
            layers: 1,
            steps: vec![Step::Change(Operation::Count)],
            ending: Ending::Answers200,
            open: Vec::new(),
            hangs_up_after: None,
            answer_travels: 0,
        }
    }

    /// Returns the visit that changes the session once more, when no fault happens any more.
    pub(super) fn last() -> Self {
        Self {
            steps: vec![Step::Change(Operation::Count), Step::Change(Operation::GetAndInsert)],
            ..Self::first()
        }
    }

    fn draw(random: &mut Random, at: u64, allowed: Allowed) -> Self {
        let times_out_after = random.below(300);
        let steps = (0..random.between(1, 6)).map(|_| Step::draw(random, allowed)).collect();
        Self {
            at,
            server: random.below(SERVERS as u64) as usize,
            ticket: match random.chance(12) {
                true => TicketChoice::Old(random.next()),
                false => TicketChoice::Current,
            },
            second_ticket: random.chance(10).then(|| random.next()),
            layers: if random.chance(8) { 2 } else { 1 },
            steps,
            ending: random.weighted(&[
                (80, Ending::Answers200),
                (5, Ending::Answers404),
                (8, Ending::Answers500),
                (3, Ending::TimesOut(times_out_after)),
                (4, Ending::Fails),
            ]),
            open: Vec::new(),
            hangs_up_after: random.chance(10).then(|| random.below(400)),
            answer_travels: random.below(40),
        }
    }
}

impl VisitPlan {
    /// Lets some visits keep their handle open. These have no clones, so that the ledger knows what
    /// each of their commits has stored.
    fn keep_open(&mut self, random: &mut Random, allowed: Allowed) {
        if !random.chance(50) {
            return;
        }
        for step in &mut self.steps {
            match step {
                Step::Clone { .. } => *step = Step::Load,
                Step::Destroy { during_save, .. } => *during_save = false,
                _ => {}
            }
        }
        for _ in 0..random.between(1, 5) {
            self.open.push(OpenStep::Wait(long_pause(random)));
            for _ in 0..random.between(1, 3) {
                self.open.push(OpenStep::draw(random, allowed));
            }
        }
    }
}

/// Draws a pause in which idle timeouts, marks and lifetimes run out, or nearly.
fn long_pause(random: &mut Random) -> u64 {
    match random.below(8) {
        0 => random.between(0, 100),
        1 => random.between(100, 20_000),
        2..4 => random.between(40_000, 90_000),
        4..6 => random.between(100_000, 295_000),
        6 => random.between(295_000, 320_000),
        _ => random.between(320_000, 950_000),
    }
}

impl OpenStep {
    fn draw(random: &mut Random, allowed: Allowed) -> Self {
        let choice = random.next();
        let after = random.below(60);
        let (polls, pause) = (random.between(1, 60), long_pause(random));
        let logouts = u64::from(allowed.logouts);
        random.weighted(&[
            (8, Self::Change(Operation::Count)),
            (3, Self::Change(Operation::InsertOwnKey)),
            (4, Self::Change(Operation::RemoveOwnKey { choice, reads_first: false })),
            (12, Self::Save),
            (3, Self::DropSave(after)),
            (2, Self::ParkSave { polls, pause }),
            (5, Self::Reload),
            (5, Self::Touch),
            (3 * logouts, Self::Destroy),
        ])
    }
}

impl Step {
    fn draw(random: &mut Random, allowed: Allowed) -> Self {
        // All are drawn whether the step needs them or not, so that a new kind of step changes no
        // other draw of a seed.
        let ignores_failure = random.chance(50);
        let after = random.below(60);
        let joined = random.chance(70);
        let during_save = random.chance(40);
        let (choice, reads_first) = (random.next(), random.chance(50));
        let principal = random.below(PRINCIPALS) as u8;
        let (logouts, clears, logins) = allowed.weights();
        let wait = match random.below(40) {
            // Long enough for a mark to expire.
            0 => random.between(59_000, 75_000),
            // Long enough for an idle session to expire, or nearly.
            1 => random.between(290_000, 320_000),
            2..6 => random.between(50, 3_000),
            _ => random.between(1, 50),
        };
        random.weighted(&[
            (26, Self::Change(Operation::Count)),
            (12, Self::Change(Operation::GetAndInsert)),
            (8, Self::Change(Operation::InsertOwnKey)),
            (4, Self::Change(Operation::RemoveOwnKey { choice, reads_first })),
            (6, Self::Change(Operation::TakeSeat)),
            (22, Self::Wait(wait)),
            (6, Self::Load),
            (8, Self::Change(Operation::Renew)),
            (2, Self::Change(Operation::Remember)),
            (4 * clears, Self::Change(Operation::Clear)),
            (8 * logins, Self::Change(Operation::LogIn(principal))),
            (4 * logins, Self::Change(Operation::LogOutKeepingData)),
            (5 * logouts, Self::Destroy { ignores_failure, during_save }),
            (3 * logouts, Self::DestroyLazily { ignores_failure }),
            (7, Self::Save { ignores_failure }),
            (7, Self::DropSave(after)),
            (5, Self::Clone { after, joined }),
        ])
    }
}
