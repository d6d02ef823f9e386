//! People who use an example, all at once, while its store moves.

use super::graves::Graves;
use super::ledger::Check;
use super::rounds::Rounds;
use crate::examples::Visitor;
use crate::fleet::Fleet;

/// A crowd keeps an account of what was acknowledged. Its errors name the broken promise.
pub trait Crowd: Sized {
    /// The example that these people use.
    const EXAMPLE: &'static str;

    /// The environment variables that the example needs for them.
    const VARIABLES: &'static [(&'static str, &'static str)];

    /// Lets everybody begin.
    fn enter(fleet: &Fleet) -> impl Future<Output = Result<Self, String>>;

    /// Returns the tasks of those who go on all the time.
    fn rounds(&mut self) -> &mut Rounds;

    /// Returns the cookies of all sessions that are over.
    fn graves(&self) -> &Graves;

    /// Begins a session that nobody uses until the end.
    fn leave_a_sleeper(&mut self, fleet: &Fleet) -> impl Future<Output = Check>;

    /// Checks that the sleepers find everything as they left it, and lets them go on.
    fn wake_the_sleepers(&mut self) -> impl Future<Output = Check>;

    /// Checks that this cookie, sent to where the visitor sends its own, opens nothing.
    fn check_dead(visitor: &Visitor, cookie: &str) -> impl Future<Output = Check>;
}

/// Tries the cookies of some sessions that are over, at every node.
pub async fn the_dead_rest<C: Crowd>(crowd: &C, fleet: &Fleet) -> Check {
    let cookies = crowd.graves().some();
    for node in 0..fleet.nodes.len() {
        let visitor = Visitor::to(fleet.url(node));
        for cookie in &cookies {
            C::check_dead(&visitor, cookie).await?;
        }
    }
    Ok(())
}

/// Wakes the sleepers, and tries all sessions that are over.
pub async fn is_complete<C: Crowd>(crowd: &mut C, fleet: &Fleet) -> Check {
    crowd.wake_the_sleepers().await?;
    let visitor = fleet.visitor();
    for cookie in crowd.graves().all() {
        C::check_dead(&visitor, &cookie).await?;
    }
    Ok(())
}
