//! Finds servers on this machine: on the PATH, or where `scripts/fetch-servers` puts them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// "Valkey"
    pub(super) name: String,
    pub(super) version: String,
}

/// Returns the first of these programs that runs.
pub(super) fn first(candidates: &[&str]) -> Option<Program> {
    candidates.iter().find_map(|candidate| {
        // A name alone is looked up on the PATH.
        at(if candidate.contains('/') { cache().join(candidate) } else { candidate.into() })
    })
}

/// Returns the program if it runs.
pub(super) fn at(path: PathBuf) -> Option<Program> {
    let output = Command::new(&path).arg("--version").stderr(Stdio::null()).output().ok()?;
    let (name, version) = parsed(&String::from_utf8_lossy(&output.stdout))?;
    Some(Program { path, name, version })
}

/// Reads the version from a line such as "Valkey server v=8.1.1 sha=…" or "memcached 1.6.18".
fn parsed(output: &str) -> Option<(String, String)> {
    let mut words = output.split_whitespace();
    let name = words.next()?.to_owned();
    let version = words.find(|word| word.contains(|c: char| c.is_ascii_digit()))?;
    Some((name, version.trim_start_matches("v=").to_owned()))
}

fn cache() -> PathBuf {
    let set = env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty());
    let folder = set.map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cache")));
    folder.unwrap_or_default().join(Path::new("cloakroom-servers"))
}

/// Sends a question to a server and returns its answer up to `end`; `None` if it does not answer.
pub(super) async fn ask(port: u16, question: &str, end: &str) -> Option<String> {
    let asked = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        stream.write_all(question.as_bytes()).await.ok()?;
        let (mut output, mut more) = (Vec::new(), [0; 4096]);
        loop {
            let read = stream.read(&mut more).await.ok().filter(|&read| read > 0)?;
            output.extend_from_slice(&more[..read]);
            let text = String::from_utf8_lossy(&output);
            if text.contains(end) {
                return Some(text.into_owned());
            }
        }
    };
    timeout(Duration::from_secs(2), asked).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_their_names_and_versions() {
        let both = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(parsed("Valkey server v=8.1.1 sha=0:0 bits=64\n"), both("Valkey", "8.1.1"));
        assert_eq!(parsed("Redis server v=7.0.15 sha=0\n"), both("Redis", "7.0.15"));
        assert_eq!(parsed("memcached 1.6.18\n"), both("memcached", "1.6.18"));
        let postgres = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(parsed(postgres), both("postgres", "15.18"));
        let mariadb = "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64\n";
        assert_eq!(parsed(mariadb), both("mariadbd", "10.11.19-MariaDB-0+deb12u1"));
        assert_eq!(parsed(""), None);
        assert!(first(&["no-such-server", "no-such-folder/server"]).is_none());
    }
}
