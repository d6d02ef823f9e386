//! Meetings of several requests that chance alone brings about once in ten thousand runs.

use std::ops::RangeInclusive;

use super::plan::{Action, Step, Trouble, VisitPlan};
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
    /// A session that an end has spared is renewed, and edited or asked for between the steps of that.
    DisturbedRenewal,
}

/// Where and when a scene is played.
#[derive(Clone, Copy)]
pub(super) struct Stage {
    pub(super) principal: Principal,
    pub(super) begin: u64,
    /// A browser that is in no other requests.
    pub(super) device: usize,
    pub(super) troubles: [Trouble; SERVERS],
}

/// Draws the requests of one scene.
pub(super) fn draw(random: &mut Random, stage: Stage) -> Vec<VisitPlan> {
    let scene = random.weighted(&[
        (3, Scene::EndsMeet),
        (2, Scene::Comeback),
        (5, Scene::Merges),
        (3, Scene::DisturbedRenewal),
    ]);
    let mut script = Script { random, stage, visits: Vec::new() };
    match scene {
        Scene::EndsMeet => script.ends_meet(),
        Scene::Comeback => script.comeback(),
        Scene::Merges => script.merges(),
        Scene::DisturbedRenewal => script.disturbed_renewal(),
    }
    script.visits
}

struct Script<'a> {
    random: &'a mut Random,
    stage: Stage,
    visits: Vec<VisitPlan>,
}

impl Script<'_> {
    fn ends_meet(&mut self) {
        let principal = self.stage.principal;
        let wait = Step::Wait(self.random.between(10, 150));
        self.visit(0..=10, vec![self.log_in(0), wait, Step::Act(Action::EndOthers)]);
        for _ in 0..3 {
            self.job_at(Trouble::Lossy, 20..=150, Action::EndAll(principal));
        }
    }

    fn comeback(&mut self) {
        let wait = Step::Wait(self.random.between(100, 400));
        self.visit(0..=0, vec![self.log_in(0)]);
        self.visit(300..=320, vec![Step::Load, wait, Step::Act(Action::EndOthers), Step::Load]);
        self.visit(330..=360, vec![Step::LogOutKeepingData]);
        self.visit(410..=500, vec![self.log_in(0)]);
    }

    fn merges(&mut self) {
        let principal = self.stage.principal;
        let checks_for = self.random.below(30);
        self.visit(0..=0, vec![Step::Change]);
        self.visit_at(Trouble::Lossy, 300..=310, vec![Step::Change, self.log_in(checks_for)]);
        for _ in 0..self.random.between(2, 6) {
            self.visit(310..=400, vec![Step::Change]);
        }
        for _ in 0..2 {
            self.job(320..=400, Action::List(principal));
        }
        let newest = 0;
        self.job_at(Trouble::Slow, 340..=460, Action::End(principal, newest));
    }

    fn disturbed_renewal(&mut self) {
        let principal = self.stage.principal;
        self.visit(0..=0, vec![self.log_in(0)]);
        self.visit(300..=300, vec![Step::Load, Step::Act(Action::EndOthers)]);
        self.visit_at(Trouble::Lossy, 600..=600, vec![Step::Load, Step::Renew]);
        let edits = self.random.chance(50);
        for _ in 0..3 {
            match edits {
                true => self.job(600..=660, Action::Edit(principal)),
                false => self.visit(610..=720, vec![Step::Load]),
            }
        }
    }

    fn log_in(&self, checks_for: u64) -> Step {
        Step::LogIn { principal: self.stage.principal, checks_for }
    }

    fn visit(&mut self, after: RangeInclusive<u64>, steps: Vec<Step>) {
        self.visit_at(Trouble::None, after, steps);
    }

    fn visit_at(&mut self, trouble: Trouble, after: RangeInclusive<u64>, steps: Vec<Step>) {
        let device = Some(self.stage.device);
        self.send(trouble, after, device, steps);
    }

    fn job(&mut self, after: RangeInclusive<u64>, action: Action) {
        self.job_at(Trouble::None, after, action);
    }

    fn job_at(&mut self, trouble: Trouble, after: RangeInclusive<u64>, action: Action) {
        self.send(trouble, after, None, vec![Step::Act(action)]);
    }

    /// Sends a request, in most cases to a server with this trouble, if there is one.
    fn send(
        &mut self,
        trouble: Trouble,
        after: RangeInclusive<u64>,
        device: Option<usize>,
        steps: Vec<Step>,
    ) {
        let at = self.stage.begin + self.random.between(*after.start(), *after.end());
        let any = self.random.below(SERVERS as u64) as usize;
        let troubled = self.stage.troubles.iter().position(|other| *other == trouble);
        let server = troubled.filter(|_| self.random.chance(75)).unwrap_or(any);
        self.visits.push(VisitPlan::plain(at, server, device, steps));
    }
}
