//! A child that ends with its parent.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::Problem;
use crate::cli::Attached;

/// A command that runs a program attached to this one.
pub(crate) fn attached(program: impl AsRef<OsStr>) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("attached").arg(process::id().to_string()).arg(program);
    // Ctrl-C in a terminal goes to a whole group; this program ends its children in order.
    command.process_group(0);
    Ok(command)
}

/// The same for this program in another role.
pub(crate) fn this_program(role: &str) -> io::Result<Command> {
    let mut command = attached(env::current_exe()?)?;
    command.arg(role);
    Ok(command)
}

/// The child's side. Returns only if it fails.
pub(crate) fn attach(attached: &Attached) -> Problem {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return Box::new(io::Error::from(error));
    }
    // The parent may have died before the kernel was asked.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs());
    if parent != Some(attached.parent) {
        return "the parent is gone".into();
    }
    let Some((program, words)) = attached.words.split_first() else {
        return "there is no program".into();
    };
    format!("{}: {}", program.display(), Command::new(program).args(words).exec()).into()
}
