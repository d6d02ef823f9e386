//! The login example as a trial sees it.

use std::fmt::Write as _;
use std::sync::Arc;

use super::calls::{Answer, Call, Operation};
use super::checker;
use super::members;
use super::site::{Site, Ticket};
use crate::histories::crowd::Crowd;
use crate::histories::recorder::{Recorded, Recorder};
use crate::histories::report::{Wanted, When};
use crate::histories::scene::Scene;
use crate::histories::violation::Violation;
use crate::random::Random;

impl Scene for Site {
    type Call = Call;
    type Ticket = Ticket;

    /// With the most sessions that a user may have: the limit is to end none.
    const EXAMPLE: (&'static str, &'static [(&'static str, &'static str)]) =
        ("login", &[("LIMIT", "2000")]);

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
        members::enter(self, random)
    }

    async fn look_again(&self, tickets: &[Ticket], random: &mut Random) {
        members::look_again(self, tickets, random).await;
    }

    fn check(history: &[Call]) -> Vec<Violation<Call>> {
        checker::check(history)
    }

    fn wanted() -> Vec<Wanted<Call>> {
        let is_over = |call: &Call| call.answer == Answer::NotLoggedIn;
        let is_list = |call: &Call| call.list().is_some();
        vec![
            Wanted::new("an acknowledged login", When::DuringAFault, is_login),
            Wanted::new("an acknowledged end", When::DuringAFault, is_end),
            Wanted::new("a list", When::DuringAFault, is_list),
            Wanted::new("an unknown answer", When::DuringAFault, |call| call.doubt().is_some()),
            Wanted::new("an acknowledged login", When::AfterTheLastFault, is_login),
            Wanted::new("a list", When::AfterTheLastFault, is_list),
            Wanted::new("an acknowledged logout", When::Anytime, is_logout),
            Wanted::new("an acknowledged renewal", When::Anytime, is_renewal),
            Wanted::new("an acknowledged end of a device", When::Anytime, is_end_of_one),
            Wanted::new("an acknowledged end of all", When::Anytime, is_end_of_all),
            Wanted::new("an answer to a ticket that is over", When::Anytime, is_over),
        ]
    }

    fn describe(history: &[Call], meets: &dyn Fn(&Call) -> bool) -> String {
        let count = |is_counted: &dyn Fn(&Call) -> bool| {
            history.iter().filter(|call| is_counted(call)).count()
        };
        let mut text = String::new();
        let _ = writeln!(
            text,
            "  acknowledged: {} logins, {} renewals, {} logouts, {} ends of a device, {} ends of all; {} lists",
            count(&is_login),
            count(&is_renewal),
            count(&is_logout),
            count(&is_end_of_one),
            count(&is_end_of_all),
            count(&|call| call.list().is_some()),
        );
        let _ = writeln!(
            text,
            "  during faults: {} logins and {} ends acknowledged",
            count(&|call| is_login(call) && meets(call)),
            count(&|call| is_end(call) && meets(call)),
        );
        let _ = writeln!(
            text,
            "  not sent: {}; 409: {} logins, {} others; over: {}; at most {} sessions in a list",
            count(&|call| call.answer == Answer::NotSent),
            count(&|call| call.answer == Answer::Gone && call.operation == Operation::LogIn),
            count(&|call| call.answer == Answer::Gone && call.operation != Operation::LogIn),
            count(&|call| call.answer == Answer::NotLoggedIn),
            history.iter().filter_map(|call| Some(call.list()?.len())).max().unwrap_or_default(),
        );
        let met = count(&|call| is_met_by_an_end_of_all(call, history));
        let _ = writeln!(
            text,
            "  logins and renewals that an end of all met before their commit: {met}"
        );
        text
    }
}

/// Returns whether all sessions of the user were ended after the login's success and before its answer.
fn is_met_by_an_end_of_all(login: &Call, history: &[Call]) -> bool {
    let is_held =
        !login.held.is_zero() && matches!(login.answer, Answer::LoggedIn(_) | Answer::Gone);
    let meets = |end: &Call| {
        let is_of_it = end.ends_all_of() == Some(login.user) && is_end(end);
        is_of_it && end.began > login.ended - login.held && end.ended < login.ended
    };
    is_held && history.iter().any(meets)
}

fn is_renewal(call: &Call) -> bool {
    call.operation == Operation::Renew && matches!(call.answer, Answer::LoggedIn(_))
}

fn is_login(call: &Call) -> bool {
    call.new_handle().is_some()
}

fn is_end(call: &Call) -> bool {
    call.answer == Answer::Ended
}

fn is_logout(call: &Call) -> bool {
    is_end(call) && call.operation == Operation::LogOut
}

fn is_end_of_one(call: &Call) -> bool {
    is_end(call) && matches!(call.operation, Operation::End(_))
}

fn is_end_of_all(call: &Call) -> bool {
    is_end(call) && call.ends_all_of().is_some()
}
