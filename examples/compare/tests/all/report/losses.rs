//! The list of losses, compared with the measurements of a sample by hand.

use compare::losses::Losses;
use compare::results::{PhaseName, Sharing};

use super::sample;

#[test]
fn losses_of_all_phases_are_added_up() {
    let strategy = sample::measured(sample::name("copies", "Copies", Sharing::Copies), 0.0);
    let losses = Losses::of(&strategy);
    // Steady load 27, a node killed 15, and a node added 15.
    assert_eq!((losses.strategy.as_str(), losses.adds_missing), ("copies", 57));
    assert_eq!(losses.adds_too_many, 0);
    // 40 in a race and 48 before the node was killed, of which one came back, and two by a copy.
    assert_eq!((losses.logouts, losses.logouts_came_back), (88, 1));
    assert_eq!(losses.logouts_came_back_by_copy, 2);
    let names: Vec<_> = losses.phases.iter().map(|phase| phase.phase).collect();
    use PhaseName::{Logouts, NodeAdded, NodeKilled, ParallelAdds, Steady, WarmUp};
    assert_eq!(names, [WarmUp, Steady, ParallelAdds, Logouts, NodeKilled, NodeAdded]);
    let steady = &losses.phases[1];
    assert_eq!((steady.adds_expected, steady.adds_missing), (Some(4321), Some(27)));
    assert_eq!((steady.logouts, steady.broken.as_deref()), (None, None));
    assert_eq!(losses.phases[3].adds_missing, None);
    assert_eq!(losses.phases[4].broken.as_deref(), Some("SIGKILL of node-2"));
}

#[test]
fn what_was_not_watched_is_absent_and_an_outage_is_a_phase() {
    let mut strategy = sample::measured(sample::name("redis", "Redis", Sharing::Store), 0.0);
    strategy.warm_up = None;
    strategy.steady_load = None;
    strategy.node_killed.logouts = None;
    let losses = Losses::of(&strategy);
    assert_eq!(losses.phases[0].phase, PhaseName::ParallelAdds);
    assert_eq!(losses.phases[2].logouts, None);
    assert_eq!(losses.phases.last().unwrap().phase, PhaseName::StoreOutage);
    // 40 in a race, and 48 before the outage.
    assert_eq!(losses.logouts, 88);
}
