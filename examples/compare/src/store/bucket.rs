//! An emulator of S3, and a bucket on it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Breakage, Dialect, Door, Opening, Store, programs};
use crate::Fallible;
use crate::process::{Process, attached, on_a_free_port};

/// The emulator's folder among the tools that `scripts/install-tools` puts into Cargo's target folder.
const EMULATOR: &str = "tools/ministack";
const BUCKET: &str = "sessions";

pub(super) async fn open(folder: &Path) -> Fallible<Opening> {
    let Some(emulator) = installed() else {
        return Ok(Opening::Needs("ministack, which scripts/install-tools gets".into()));
    };
    let version = version(&fs::read_to_string(emulator.join("version"))?);
    let (port, server) = start(&emulator.join("bin/ministack"), folder).await?;
    let setting =
        format!("the emulator ministack {version} on loopback, in memory, without sweeps");
    let mut store = Store::at(url(port), setting);
    store.version = Some(("ministack".into(), version));
    store.remarks = vec![
        "An emulator: its times say nothing about S3's. AWS gives 100 to 200 ms for a small object in \
         S3 Standard and less than 10 ms in S3 Express One Zone. A read waits for one such request, and \
         a change for two."
            .into(),
    ];
    store.servers = vec![server];
    store.door = Some(Door { port, dialect: Dialect::Http, at: url });
    store.breakage = Some(Breakage::Standstill);
    Ok(Opening::Open(store))
}

fn url(port: u16) -> String {
    let endpoint = format!("http%3A%2F%2F127.0.0.1%3A{port}");
    format!("s3://{BUCKET}?region=us-east-1&sweep_secs=0&endpoint={endpoint}")
}

fn installed() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let mut places = program.ancestors().map(|folder| folder.join(EMULATOR));
    places.find(|place| place.join("bin/ministack").exists())
}

/// Reads the version from a line such as "ministack==1.5.33 in /home/shop/target/tools/ministack".
fn version(installed: &str) -> String {
    let words = installed.split(' ').find_map(|word| word.strip_prefix("ministack=="));
    words.unwrap_or("of an unknown version").to_owned()
}

async fn start(program: &Path, folder: &Path) -> Fallible<(u16, Process)> {
    on_a_free_port(async |port| {
        let mut command = attached(program)?;
        command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
        command.env("SERVICES", "s3").env("LOG_LEVEL", "ERROR").env("TMPDIR", folder);
        let mut server = Process::start(command, folder.join(format!("server-{port}.log")))?;
        server.wait_for("a bucket", async |_: &Process| create_bucket(port).await).await?;
        Ok(server)
    })
    .await
}

/// Sends a request that is not really signed, which the emulator does not notice. A bucket that is
/// there already was created by an earlier request whose answer was lost.
async fn create_bucket(port: u16) -> Option<()> {
    let request = format!(
        "PUT /{BUCKET} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=compare/20250101/us-east-1/s3/aws4_request, \
         SignedHeaders=host, Signature=0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let answer = programs::ask(port, &request, "\r\n\r\n").await?;
    let status = answer.split(' ').nth(1)?;
    ["200", "409"].contains(&status).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_which_was_installed() {
        assert_eq!(version("ministack==1.5.33 in /srv/target/tools/ministack\n"), "1.5.33");
        assert_eq!(version(""), "of an unknown version");
    }
}
