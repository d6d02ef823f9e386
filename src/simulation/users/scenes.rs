//! Meetings of several requests that chance alone brings about once in ten thousand runs.

use super::plan::{Action, Step, VisitPlan};
use super::setup::Principal;
use crate::simulation::random::Random;
use crate::simulation::setup::SERVERS;

#[derive(Clone, Copy)]
enum Scene {
    /// All sessions are ended from two sides while a login is under way that ends all others itself.
    EndsMeet,
    /// A request ends the other sessions while its browser logs out, keeps the data and logs in again.
    Comeback,
    /// Tabs change an anonymous session while it is logged in to. An admin who sees the new session ends it.
    Merges,
    /// A session that an end has spared is renewed, and edited between the steps of that.
    EditedRenewal,
}

/// Draws the requests of one scene, which begins at `begin` in the browser `device`.
pub(super) fn draw(
    random: &mut Random,
    principal: Principal,
    begin: u64,
    device: usize,
) -> Vec<VisitPlan> {
    let scene = random.weighted(&[
        (2, Scene::EndsMeet),
        (2, Scene::Comeback),
        (3, Scene::Merges),
        (2, Scene::EditedRenewal),
    ]);
    let mut stage = Stage { random, begin, device, visits: Vec::new() };
    match scene {
        Scene::EndsMeet => stage.ends_meet(principal),
        Scene::Comeback => stage.comeback(principal),
        Scene::Merges => stage.merges(principal),
        Scene::EditedRenewal => stage.edited_renewal(principal),
    }
    stage.visits
}

struct Stage<'a> {
    random: &'a mut Random,
    begin: u64,
    device: usize,
    visits: Vec<VisitPlan>,
}

impl Stage<'_> {
    fn ends_meet(&mut self, principal: Principal) {
        let wait = Step::Wait(self.random.between(10, 150));
        let log_in = Step::LogIn { principal, checks_for: 0 };
        self.visit(0..=10, vec![log_in, wait, Step::Act(Action::EndOthers)]);
        for _ in 0..2 {
            self.job(20..=150, Action::EndAll(principal));
        }
    }

    fn comeback(&mut self, principal: Principal) {
        let wait = Step::Wait(self.random.between(100, 400));
        let log_in = Step::LogIn { principal, checks_for: 0 };
        self.visit(0..=0, vec![log_in]);
        self.visit(300..=320, vec![Step::Load, wait, Step::Act(Action::EndOthers), Step::Load]);
        self.visit(330..=360, vec![Step::LogOutKeepingData]);
        self.visit(410..=500, vec![log_in]);
    }

    fn merges(&mut self, principal: Principal) {
        let checks_for = self.random.below(30);
        self.visit(0..=0, vec![Step::Change]);
        self.visit(300..=310, vec![Step::Change, Step::LogIn { principal, checks_for }]);
        for _ in 0..self.random.between(2, 5) {
            self.visit(310..=370, vec![Step::Change]);
        }
        let choice = self.random.next();
        self.job(320..=380, Action::List(principal));
        self.job(340..=480, Action::End(principal, choice));
    }

    fn edited_renewal(&mut self, principal: Principal) {
        self.visit(0..=0, vec![Step::LogIn { principal, checks_for: 0 }]);
        self.visit(300..=300, vec![Step::Load, Step::Act(Action::EndOthers)]);
        self.visit(600..=600, vec![Step::Load, Step::Renew]);
        for _ in 0..3 {
            self.job(600..=660, Action::Edit(principal));
        }
    }

    fn visit(&mut self, after: std::ops::RangeInclusive<u64>, steps: Vec<Step>) {
        let device = Some(self.device);
        self.send(after, device, steps);
    }

    fn job(&mut self, after: std::ops::RangeInclusive<u64>, action: Action) {
        self.send(after, None, vec![Step::Act(action)]);
    }

    fn send(
        &mut self,
        after: std::ops::RangeInclusive<u64>,
        device: Option<usize>,
        steps: Vec<Step>,
    ) {
        let at = self.begin + self.random.between(*after.start(), *after.end());
        let server = self.random.below(SERVERS as u64) as usize;
        self.visits.push(VisitPlan::plain(at, server, device, steps));
    }
}
