//! The audit at the end of a run, when no fault happens any more.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use super::plan::{Plan, Step, VisitPlan};
use super::setup::{PRINCIPALS, Principal, SKEW, name_of};
use super::visitor::Visitors;
use crate::id::SessionHandle;

/// Longer than the pause after which a session's deadline is moved, and its roster looked at.
const UNTIL_THE_NEXT_LOOK: Duration = Duration::from_secs(40);

/// Presents every ticket again, and compares with what lists show and what an end leaves.
pub(super) async fn audit(visitors: &Visitors, plan: &Plan) {
    let world = &visitors.world;
    if plan.looks {
        sleep(UNTIL_THE_NEXT_LOOK).await;
    }
    present_all(visitors).await;
    {
        let (now, mut state) = (world.now(), world.state());
        if plan.looks {
            state.ledger.check_all_ends(now);
        }
        state.ledger.check_lives(now);
        state.ledger.check_all_tags(now, u64::MAX);
    }
    for principal in 0..PRINCIPALS {
        if plan.looks || plan.evictions.is_empty() {
            let shown = list(visitors, principal).await;
            let now = world.now();
            world.state().ledger.check_audited(principal, &shown, now);
        }
    }
    for principal in 0..PRINCIPALS {
        end_all(visitors, principal).await;
    }
}

/// Presents every ticket that ever went out. The ledger checks what it finds.
async fn present_all(visitors: &Visitors) {
    for (key, ticket) in visitors.issued() {
        let now = visitors.world.now();
        if visitors.world.state().ledger.stored.live(key, now).is_some() {
            let plan = VisitPlan::plain(0, 0, None, vec![Step::Load]);
            visitors.present(Some(ticket), &plan).await;
        }
    }
}

async fn list(visitors: &Visitors, principal: Principal) -> BTreeSet<SessionHandle> {
    let users = visitors.fleet.server(1).layer.users();
    let listed = users.sessions_of(name_of(principal)).await.expect("there are no faults any more");
    listed.iter().filter_map(crate::Session::handle).collect()
}

/// Ends all sessions of one principal, and demands that none of them works and all others do.
async fn end_all(visitors: &Visitors, principal: Principal) {
    let working = |of: Principal, for_longer: Duration| {
        let now = visitors.world.now().saturating_add(for_longer);
        visitors.world.state().ledger.working_handles(of, now)
    };
    let others = || (0..PRINCIPALS).filter(|of| *of != principal);
    let before: Vec<_> = others().flat_map(|of| working(of, SKEW)).collect();
    let users = visitors.fleet.server(2).layer.users();
    let ended = users.end_all(name_of(principal)).await;
    let left = working(principal, Duration::ZERO);
    let after: BTreeSet<_> = others().flat_map(|of| working(of, Duration::ZERO)).collect();
    let ledger = &mut visitors.world.state().ledger;
    ledger.demand(ended.is_ok() && left.is_empty(), "U3 what was ended works no more", || {
        format!("{ended:?} at the end leaves {left:?}")
    });
    let all_are_left = before.iter().all(|handle| after.contains(handle));
    ledger.demand(all_are_left, "U4 an end leaves other users alone", || {
        format!("{before:?} before and {after:?} after that of {principal}")
    });
}
