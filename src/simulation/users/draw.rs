//! Draws the plan of a run from its seed, before it begins.

use super::plan::{Action, Crash, Eviction, Limit, Plan, Step, Trouble, VisitPlan};
use super::scenes::{self, Stage};
use super::setup::{MOST_SKEW, PRINCIPALS, Principal};
use crate::simulation::random::Random;
use crate::simulation::setup::SERVERS;

/// What a run has besides logins, renewals and lists. Ends and logouts leave few sessions in which a lost
/// change would show, so many runs go without some of them.
#[derive(Clone, Copy)]
struct Mix {
    ends: u64,
    logouts: u64,
    /// The requests of few devices meet, so that most writes come between the steps of others.
    clashes: bool,
    /// The share of what is about the first principal.
    first_percent: u64,
}

impl Mix {
    fn draw(random: &mut Random) -> Self {
        Self {
            ends: random.weighted(&[(1, 0), (3, 1)]),
            logouts: random.weighted(&[(1, 0), (1, 1)]),
            clashes: random.chance(35),
            first_percent: random.weighted(&[(1, 55), (1, 90)]),
        }
    }
}

impl Plan {
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed, 3);
        let random = &mut random;
        let mix = Mix::draw(random);
        // So many sessions of one user that logins look for some to prune.
        let is_crowded = !mix.clashes && random.chance(15);
        let evicts = random.chance(20);
        let spread = match evicts && random.chance(60) {
            true => random.between(60_000, 300_000),
            false if mix.clashes => random.between(40, 150),
            false => random.weighted(&[(6, 60), (6, 250), (4, 2_000), (2, 40_000), (1, 250_000)]),
        };
        let devices = match (is_crowded, mix.clashes) {
            (true, _) => random.between(10, 12),
            (_, true) => random.weighted(&[(2, 1), (1, 2)]),
            _ => random.between(2, 4),
        };
        let troubles = draw_troubles(random);
        let mut plan = Self {
            fault_percent: random.weighted(&[(3, 0), (4, 12), (4, 30), (1, 50)]),
            only_refuses: random.chance(40) && troubles == [Trouble::None; SERVERS],
            troubles,
            // A session that its roster has lost is compared with the last end by the clocks.
            skews: if evicts { [0; SERVERS] } else { draw_skews(random) },
            limit: if is_crowded { None } else { draw_limit(random) },
            looks: random.chance(40) || evicts,
            devices: devices as usize,
            visits: Vec::new(),
            crashes: Vec::new(),
            evictions: Vec::new(),
        };
        if !random.chance(15) {
            plan.draw_beginning(random, mix);
        }
        let begin = if is_crowded { plan.thin_out(random) } else { 1_000 };
        plan.draw_visits(random, mix, begin, spread);
        plan.draw_accidents(random, begin, spread);
        for _ in 0..if evicts { random.between(1, 2) } else { 0 } {
            let (at, principal) = (begin + random.below(spread), mix.principal(random));
            plan.evictions.push(Eviction { at, principal });
        }
        plan
    }

    fn draw_visits(&mut self, random: &mut Random, mix: Mix, begin: u64, spread: u64) {
        for _ in 0..random.between(4, 10) {
            let at = begin + random.below(spread);
            let device = random.below(self.devices as u64) as usize;
            self.visits.push(VisitPlan::draw(random, at, device, mix));
        }
        if random.chance(35) {
            let stage = Stage {
                principal: mix.principal(random),
                begin: begin + random.below(100),
                device: self.devices,
                troubles: self.troubles,
            };
            self.visits.extend(scenes::draw(random, stage));
        }
    }

    fn draw_accidents(&mut self, random: &mut Random, begin: u64, spread: u64) {
        if random.chance(20) {
            let (at, down_for) = (begin + random.below(spread + 100), random.between(10, 4_000));
            self.crashes.push(Crash { at, server: any_server(random), down_for });
        }
    }

    /// Lets most devices begin with a login, the others with an anonymous session or with none.
    fn draw_beginning(&mut self, random: &mut Random, mix: Mix) {
        for device in 0..self.devices {
            let principal = if self.devices > 4 { 0 } else { mix.principal(random) };
            let steps = match random.below(10) {
                0 => continue,
                1..4 => vec![Step::Change],
                4..6 => vec![Step::Change, Step::LogIn { principal, checks_for: 0 }],
                _ => vec![Step::LogIn { principal, checks_for: 0 }],
            };
            let (at, server) = (random.below(300), any_server(random));
            self.visits.push(VisitPlan::plain(at, server, Some(device), steps));
        }
    }

    /// Lets some devices of a crowd log out, so that the next logins have something to prune. Returns when
    /// they come: before or after the marks of those logouts have expired.
    fn thin_out(&mut self, random: &mut Random) -> u64 {
        for device in 0..self.devices {
            let (at, server) = (1_000 + random.below(300), any_server(random));
            let step = match random.below(6) {
                0..3 => continue,
                3 => Step::LogIn { principal: 1, checks_for: 0 },
                _ => Step::Destroy,
            };
            self.visits.push(VisitPlan::plain(at, server, Some(device), vec![step]));
        }
        random.weighted(&[(1, 2_000), (2, 75_000)])
    }
}

fn draw_skews(random: &mut Random) -> [i64; SERVERS] {
    let most = random.weighted(&[(3, 0), (3, 50), (3, 2_000), (1, MOST_SKEW)]);
    [(); SERVERS].map(|()| random.below(2 * most + 1) as i64 - most as i64)
}

fn draw_troubles(random: &mut Random) -> [Trouble; SERVERS] {
    let mut troubles = [Trouble::None; SERVERS];
    if random.chance(40) {
        troubles[1] = Trouble::Lossy;
        troubles[2] = Trouble::Slow;
    }
    troubles
}

fn draw_limit(random: &mut Random) -> Option<Limit> {
    let most = random.weighted(&[(4, 0), (2, 1), (2, 2), (1, 3)]);
    let refuses = random.chance(50);
    (most > 0).then_some(Limit { most, refuses })
}

fn any_server(random: &mut Random) -> usize {
    random.below(SERVERS as u64) as usize
}

impl Mix {
    fn principal(self, random: &mut Random) -> Principal {
        match random.chance(self.first_percent) {
            true => 0,
            false => random.between(1, u64::from(PRINCIPALS) - 1) as u8,
        }
    }

    fn action(self, random: &mut Random) -> Action {
        let (principal, choice) = (self.principal(random), random.next());
        random.weighted(&[
            (5 * self.ends, Action::EndAll(principal)),
            (4 * self.ends, Action::End(principal, choice)),
            (4, Action::List(principal)),
            (3, Action::Edit(principal)),
        ])
    }
}

impl VisitPlan {
    fn draw(random: &mut Random, at: u64, device: usize, mix: Mix) -> Self {
        let (is_job, steps) = draw_steps(random, mix);
        Self {
            at,
            server: any_server(random),
            device: (!is_job).then_some(device),
            steps,
            fails: random.chance(6),
            hangs_up_after: random.chance(12).then(|| random.below(250)),
            answer_travels: random.below(40),
        }
    }
}

/// What a request is for.
#[derive(Clone, Copy)]
enum Purpose {
    /// A call of `Users` without a session.
    Job,
    LogIn,
    LogInAndEndOthers,
    EndOthers,
    Renew,
    Change,
    LogOut,
    LogOutKeepingData,
    /// A call of `Users` beside a change of the session.
    Mixed,
    Read,
}

impl Purpose {
    fn draw(random: &mut Random, mix: Mix) -> Self {
        let Mix { ends, logouts, clashes, .. } = mix;
        let often = if clashes { 2 } else { 1 };
        random.weighted(&[
            (30, Self::Job),
            (20 * often, Self::LogIn),
            (6 * ends, Self::LogInAndEndOthers),
            (6 * ends, Self::EndOthers),
            (14 * often, Self::Renew),
            (8 * often * often, Self::Change),
            (4 * logouts, Self::LogOut),
            (3 * logouts, Self::LogOutKeepingData),
            (3, Self::Mixed),
            (4, Self::Read),
        ])
    }
}

/// Draws the steps of a handler, and whether it needs no session.
fn draw_steps(random: &mut Random, mix: Mix) -> (bool, Vec<Step>) {
    let (principal, action) = (mix.principal(random), Step::Act(mix.action(random)));
    let wait = draw_wait(random);
    let or_load = |random: &mut Random, step| if random.chance(30) { step } else { Step::Load };
    let (change, save) = (or_load(random, Step::Change), or_load(random, Step::Save));
    // Either the password is being checked meanwhile, or something else is done after that.
    let (checks_for, wait_after) = if random.chance(50) { (wait, 0) } else { (0, wait) };
    let (log_in, wait) = (Step::LogIn { principal, checks_for }, Step::Wait(wait));
    let (wait_after, end_others) = (Step::Wait(wait_after), Step::Act(Action::EndOthers));
    let purpose = Purpose::draw(random, mix);
    let steps = match purpose {
        Purpose::Job => vec![action],
        Purpose::LogIn => vec![change, log_in, wait_after, save],
        Purpose::LogInAndEndOthers => vec![log_in, save, wait_after, end_others],
        Purpose::EndOthers => vec![Step::Load, wait, end_others, change],
        Purpose::Renew => vec![Step::Load, wait, Step::Renew, change],
        Purpose::Change => vec![Step::Change],
        Purpose::LogOut => vec![Step::Load, wait, Step::Destroy],
        Purpose::LogOutKeepingData => vec![change, Step::LogOutKeepingData],
        Purpose::Mixed => vec![save, action, change],
        Purpose::Read => vec![Step::Load],
    };
    (matches!(purpose, Purpose::Job), steps)
}

/// Draws how long a handler works between two steps, as at the hashing of a password.
fn draw_wait(random: &mut Random) -> u64 {
    match random.below(60) {
        0 => random.between(298_000, 303_000),
        1..4 => random.between(1_000, 6_000),
        4..15 => random.between(40, 400),
        15..40 => random.between(1, 40),
        _ => 0,
    }
}
