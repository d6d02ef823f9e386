//! The cart as a trial sees it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::calls::{Answer, Call, Operation};
use super::checker;
use super::shop::{Shop, Ticket};
use super::visitors;
use crate::histories::crowd::Crowd;
use crate::histories::recorder::{Recorded, Recorder};
use crate::histories::report::{Wanted, When};
use crate::histories::scene::Scene;
use crate::histories::violation::Violation;
use crate::random::Random;

impl Scene for Shop {
    type Call = Call;
    type Ticket = Ticket;

    const EXAMPLE: (&'static str, &'static [(&'static str, &'static str)]) = ("cart", &[]);

    fn at(urls: Vec<String>) -> Self {
        Self::open(urls)
    }

    fn nodes(&self) -> usize {
        self.http.nodes()
    }

    fn recorder(&self) -> &Recorder<Call> {
        &self.recorder
    }

    fn enter(self: &Arc<Self>, random: &mut Random) -> Crowd<Ticket> {
        visitors::enter(self, random)
    }

    async fn look_again(&self, tickets: &[Ticket], random: &mut Random) {
        visitors::look_again(self, tickets, random).await;
    }

    fn check(history: &[Call]) -> Vec<Violation<Call>> {
        checker::check(history)
    }

    fn wanted() -> Vec<Wanted<Call>> {
        let is_over = |call: &Call| call.answer == Answer::Absent;
        let is_addition = Call::is_acknowledged_add;
        vec![
            Wanted::new("an acknowledged addition", When::DuringAFault, is_addition),
            Wanted::new("an unknown answer", When::DuringAFault, |call| call.doubt().is_some()),
            Wanted::new("an acknowledged addition", When::AfterTheLastFault, is_addition),
            Wanted::new("an acknowledged logout", When::Anytime, is_acknowledged_logout),
            Wanted::new("an acknowledged login", When::Anytime, is_acknowledged_login),
            Wanted::new("an answer to a ticket that is over", When::Anytime, is_over),
        ]
    }

    fn describe(history: &[Call], meets: &dyn Fn(&Call) -> bool) -> String {
        let count = |is_counted: &dyn Fn(&Call) -> bool| {
            history.iter().filter(|call| is_counted(call)).count()
        };
        let opened = history.iter().filter(|call| call.cart().is_some());
        let sessions: BTreeSet<_> = opened.map(|call| call.session).collect();
        let mut text = String::new();
        let _ = writeln!(
            text,
            "  {} sessions; {} additions, {} logins and {} logouts acknowledged; {} additions during faults",
            sessions.len(),
            count(&Call::is_acknowledged_add),
            count(&is_acknowledged_login),
            count(&is_acknowledged_logout),
            count(&|call| call.is_acknowledged_add() && meets(call)),
        );
        let _ = writeln!(
            text,
            "  not sent: {}; 409: {}; over: {}",
            count(&|call| call.answer == Answer::NotSent),
            count(&|call| call.answer == Answer::Gone),
            count(&|call| call.answer == Answer::Absent),
        );
        text
    }
}

fn is_acknowledged_login(call: &Call) -> bool {
    call.operation == Operation::LogIn && call.cart().is_some()
}

fn is_acknowledged_logout(call: &Call) -> bool {
    call.answer == Answer::LoggedOut
}
