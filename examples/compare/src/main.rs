//! Where should sessions live? The program is in the library beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    compare::run()
}
