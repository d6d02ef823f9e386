//! The last visits, without any fault: each server reads with every ticket, and the session can still be changed.

use super::plan::{Step, VisitPlan};
use super::visitor::Visitor;
use crate::simulation::setup::SERVERS;

/// The ledger checks what the visits find.
pub(super) async fn audit(visitor: &Visitor) {
    let tickets = visitor.tickets();
    for ticket in &tickets {
        visit_all(visitor, ticket, Step::Read).await;
    }
    let Some(last) = tickets.last() else { return };
    for step in [Step::ReadFresh, Step::Add, Step::Read] {
        visit_all(visitor, last, step).await;
    }
}

async fn visit_all(visitor: &Visitor, ticket: &str, step: Step) {
    for server in 0..SERVERS {
        let plan = VisitPlan::by(server, vec![step]);
        visitor.present(Some(ticket.to_owned()), plan).await;
    }
}
