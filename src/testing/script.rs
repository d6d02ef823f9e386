//! The faults that a test has set, and the choice of the one that a command meets.

use std::fmt;
use std::sync::Arc;

use super::command::Commands;
use super::fault::Fault;
use crate::events::CommandKind;

/// Makes a fault for each command that it is asked about.
pub(super) type Rule = Arc<dyn Fn() -> Fault + Send + Sync>;

/// The faults that a test has set.
#[derive(Default)]
pub(super) struct Script {
    once: Vec<Once>,
    rules: Vec<(Commands, Rule)>,
}

/// A fault for one command.
struct Once {
    commands: Commands,
    /// Commands that pass before it.
    skip: usize,
    fault: Fault,
}

/// The script's answer. A rule runs code of the test, so the caller leaves the lock first.
pub(super) enum Next {
    Fault(Fault),
    Rule(Rule),
}

impl Script {
    pub(super) fn push_once(&mut self, commands: Commands, skip: usize, fault: Fault) {
        self.once.push(Once { commands, skip, fault });
    }

    pub(super) fn push_rule(&mut self, commands: Commands, rule: Rule) {
        self.rules.push((commands, rule));
    }

    pub(super) fn is_spent(&self) -> bool {
        self.once.is_empty()
    }

    /// Returns the fault that this command meets, and counts the command.
    pub(super) fn next(&mut self, command: CommandKind) -> Next {
        let mut met = None;
        for (at, once) in self.once.iter_mut().enumerate() {
            if once.commands.include(command) {
                match once.skip.checked_sub(1) {
                    Some(skip) => once.skip = skip,
                    // One that is due as well waits for the command after this one.
                    None => met = met.or(Some(at)),
                }
            }
        }
        if let Some(at) = met {
            return Next::Fault(self.once.remove(at).fault);
        }
        let mut newest_first = self.rules.iter().rev();
        let rule = newest_first.find(|(commands, _)| commands.include(command));
        rule.map_or(Next::Fault(Fault::Pass), |(_, rule)| Next::Rule(Arc::clone(rule)))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.once.iter().map(|once| &once.fault);
        f.debug_struct("Script")
            .field("once", &faults.collect::<Vec<_>>())
            .field("rules", &self.rules.len())
            .finish()
    }
}
