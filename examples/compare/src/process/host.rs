//! Where a program runs: here, or in a guest of `scripts/nfs-test`, a kernel of its own.
//!
//! A program in a guest has a stand-in here, which repeats its output, ends as it ends, and takes
//! it along when it is killed.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, ExitCode};

use cloakroom_nfs::{Answer, Command as Word, receive, send};
use tokio::net::TcpStream;

use super::{Process, attached, this_program};
use crate::Fallible;
use crate::cli::InGuest;
use crate::node::KEYS;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Host {
    Here,
    /// The address of the actor that starts programs in the guest.
    Guest(SocketAddr),
}

impl Host {
    pub(crate) fn program(self, program: impl AsRef<OsStr>) -> io::Result<Command> {
        let Self::Guest(actor) = self else { return attached(program) };
        let mut command = this_program("in-guest")?;
        command.arg(actor.to_string()).arg(program);
        Ok(command)
    }

    /// Returns a command that runs this program in another role on the host.
    pub(crate) fn this_program(self, role: &str) -> io::Result<Command> {
        let mut command = self.program(env::current_exe()?)?;
        command.arg(role);
        Ok(command)
    }

    /// The address at which others reach programs of this host.
    pub(crate) fn ip(self) -> IpAddr {
        match self {
            Self::Here => Ipv4Addr::LOCALHOST.into(),
            Self::Guest(actor) => actor.ip(),
        }
    }

    /// Returns the resident memory of a program; `None` in a guest, where it cannot be seen from
    /// here.
    pub(crate) fn resident_bytes(self, process: &Process) -> Option<u64> {
        (self == Self::Here).then(|| process.resident_bytes())?
    }
}

/// Runs in the stand-in's process. The actor ends the program when the connection ends.
pub(crate) async fn in_guest(program: InGuest) -> Fallible<ExitCode> {
    let mut stream = TcpStream::connect(program.actor).await?;
    stream.set_nodelay(true)?;
    let environment = env::var(KEYS).map(|keys| (KEYS.to_owned(), keys));
    let environment = environment.into_iter().collect();
    send(&mut stream, &Word::Attach { words: program.words, environment }).await?;
    loop {
        match receive(&mut stream).await? {
            Answer::Said(bytes) => {
                io::stdout().write_all(&bytes).and_then(|()| io::stdout().flush())?
            }
            Answer::Ended(true) => return Ok(ExitCode::SUCCESS),
            _ => return Ok(ExitCode::FAILURE),
        }
    }
}
