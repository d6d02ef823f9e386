//! What one run does, drawn from its seed before it begins.

use super::random::Random;

#[derive(Debug)]
pub(super) struct Plan {
    /// Percent of store commands that something happens to.
    pub(super) bad_weather: u64,
    pub(super) visits: Vec<VisitPlan>,
}

#[derive(Clone, Debug)]
pub(super) struct VisitPlan {
    /// All times are in milliseconds.
    pub(super) at: u64,
    pub(super) server: usize,
    pub(super) cookie: Which,
    pub(super) steps: Vec<Step>,
    pub(super) ending: Ending,
    pub(super) hangs_up: Option<u64>,
    /// How long the answer travels to the browser.
    pub(super) travel: u64,
}

/// The ticket that a visit presents.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// What the browser has.
    Jar,
    /// One that the browser once had, as a thief or an old tab may present.
    Old(u64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Wait(u64),
    Look,
    Change(Asked),
    Destroy {
        goes_on: bool,
        /// While a clone is saving.
        amid_save: bool,
    },
    DestroyLazily {
        goes_on: bool,
    },
    Save {
        goes_on: bool,
    },
    /// A save that is given up after so long.
    DropSave(u64),
    /// A clone counts and saves after so long, while the handler goes on.
    Share {
        after: u64,
        joined: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// By `update`, of two keys at once.
    Count,
    /// By `get` and `insert`.
    ByHand,
    /// A key that nobody else writes, by `insert`.
    Own,
    /// One of a few seats, by `try_update`.
    Seat,
    /// Of a key that was inserted before, after a look at it or without.
    Remove {
        any: u64,
        looks: bool,
    },
    Renew,
    Remember,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    Ok,
    /// The handler answers 500.
    Fails,
    /// The handler returns an error.
    Breaks,
}

pub(super) const SERVERS: usize = 3;

impl Plan {
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed, 0);
        let random = &mut random;
        let bad_weather = random.weighted(&[(2, 0), (5, 12), (5, 30), (3, 50)]);
        let spread = random.weighted(&[(4, 40), (8, 300), (4, 3_000), (4, 40_000), (1, 330_000)]);
        let mut visits = vec![VisitPlan::first()];
        let logouts = random.chance(50);
        for _ in 0..random.between(2, 9) {
            let at = 1_000 + random.below(spread);
            visits.push(VisitPlan::draw(random, at, logouts));
        }
        Self { bad_weather, visits }
    }
}

impl VisitPlan {
    /// Begins a session for the others to meet in.
    fn first() -> Self {
        Self {
            at: 0,
            server: 0,
            cookie: Which::Jar,
            steps: vec![Step::Change(Asked::Count)],
            ending: Ending::Ok,
            hangs_up: None,
            travel: 0,
        }
    }

    /// Changes the session once more, when all is quiet.
    pub(super) fn last() -> Self {
        Self {
            steps: vec![Step::Change(Asked::Count), Step::Change(Asked::ByHand)],
            ..Self::first()
        }
    }

    fn draw(random: &mut Random, at: u64, logouts: bool) -> Self {
        let steps = (0..random.between(1, 6)).map(|_| Step::draw(random, logouts)).collect();
        Self {
            at,
            server: random.below(SERVERS as u64) as usize,
            cookie: match random.chance(12) {
                true => Which::Old(random.next()),
                false => Which::Jar,
            },
            steps,
            ending: random.weighted(&[(88, Ending::Ok), (8, Ending::Fails), (4, Ending::Breaks)]),
            hangs_up: random.chance(10).then(|| random.below(400)),
            travel: random.below(40),
        }
    }
}

impl Step {
    fn draw(random: &mut Random, logouts: bool) -> Self {
        let goes_on = random.chance(50);
        let after = random.below(60);
        let joined = random.chance(70);
        let amid_save = random.chance(40);
        let (any, looks) = (random.next(), random.chance(50));
        let wait = match random.below(40) {
            0 => random.between(59_000, 75_000),
            1 => random.between(290_000, 320_000),
            2..6 => random.between(50, 3_000),
            _ => random.between(1, 50),
        };
        random.weighted(&[
            (26, Self::Change(Asked::Count)),
            (12, Self::Change(Asked::ByHand)),
            (8, Self::Change(Asked::Own)),
            (4, Self::Change(Asked::Remove { any, looks })),
            (6, Self::Change(Asked::Seat)),
            (22, Self::Wait(wait)),
            (6, Self::Look),
            (8, Self::Change(Asked::Renew)),
            (2, Self::Change(Asked::Remember)),
            (5 * u64::from(logouts), Self::Destroy { goes_on, amid_save }),
            (3 * u64::from(logouts), Self::DestroyLazily { goes_on }),
            (7, Self::Save { goes_on }),
            (7, Self::DropSave(after)),
            (5, Self::Share { after, joined }),
        ])
    }
}
