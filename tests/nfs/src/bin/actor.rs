//! A process on one of the hosts that opens stores and carries out the driver's commands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom::store::{
    CommitId, Created, Entry, FileStore, NewEntry, Replaced, SessionStore, StoreError, StoreKey,
    Touched, Version,
};
use cloakroom::{ManualClock, Timestamp};
use cloakroom_nfs::{Answer, Command, LIMIT, receive, send};
use serde_bytes::ByteBuf;
use tokio::io::{AsyncReadExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).expect("an address");
    let listener = TcpListener::bind(&address).await.unwrap();
    let actor = Arc::new(Host::default());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(serve(actor.clone(), stream));
    }
}

#[derive(Default)]
struct Host {
    stores: Mutex<Vec<Option<FileStore>>>,
    clocks: Mutex<Vec<ManualClock>>,
    held: Mutex<Option<File>>,
}

async fn serve(host: Arc<Host>, mut stream: TcpStream) {
    while let Ok(command) = receive::<Command>(&mut stream).await {
        let answer = host.act(command, &mut stream).await.unwrap_or_else(|error| {
            Answer::Failed(cloakroom_nfs::kind_number(error.kind()), describe(&error))
        });
        if send(&mut stream, &answer).await.is_err() {
            break;
        }
    }
}

impl Host {
    fn store(&self, number: usize) -> FileStore {
        self.stores.lock().unwrap()[number].clone().expect("it is open")
    }

    async fn act(&self, command: Command, from: &mut TcpStream) -> Result<Answer, StoreError> {
        Ok(match command {
            Command::Open { root, now, shared_mount } => {
                self.open(&root, now, shared_mount).await?
            }
            Command::Close(store) => {
                drop(self.stores.lock().unwrap()[store].take());
                Answer::Pong
            }
            Command::SetClock(now) => {
                let clocks = self.clocks.lock().unwrap();
                clocks.iter().for_each(|clock| clock.set(Timestamp::from_millis(now)));
                Answer::Pong
            }
            Command::Load { store, key } => {
                Answer::Loaded(self.store(store).load(&store_key(key)).await?.map(Into::into))
            }
            Command::Create { store, key, entry } => {
                created(self.store(store).create(&store_key(key), &entry.into()).await?)
            }
            Command::Replace { store, key, expected, entry } => {
                let expected = Version::new(&expected).unwrap();
                replaced(
                    self.store(store).replace(&store_key(key), &expected, &entry.into()).await?,
                )
            }
            Command::Touch { store, key, expected, deadline } => {
                let expected = Version::new(&expected).unwrap();
                let deadline = Timestamp::from_millis(deadline);
                touched(self.store(store).touch(&store_key(key), &expected, deadline).await?)
            }
            Command::Delete { store, key } => {
                self.store(store).delete(&store_key(key)).await?;
                Answer::Deleted
            }
            Command::Count { store, key, times } => {
                count(&self.store(store), &store_key(key), times).await
            }
            Command::Watch { store, key, millis } => {
                watch(&self.store(store), &store_key(key), Duration::from_millis(millis)).await
            }
            Command::Sweep { store } => Answer::Swept(self.store(store).sweep().await?.removed),
            Command::Hold(path) => {
                *self.held.lock().unwrap() = File::open(path).ok();
                Answer::Pong
            }
            Command::Relay(port) => Answer::Relayed(relay(port).await.unwrap()),
            Command::Run(command) => run(&command).await,
            Command::Attach { words, environment } => {
                Answer::Ended(attach(&words, environment, from).await.unwrap_or(false))
            }
            Command::Ping => Answer::Pong,
        })
    }

    async fn open(
        &self,
        root: &str,
        now: u64,
        shared_mount: Option<bool>,
    ) -> Result<Answer, StoreError> {
        let clock = ManualClock::at(Timestamp::from_millis(now));
        let options = FileStore::builder(root).clock(clock.clone()).sweep_every(None);
        // Guests are slow, and the laws have no layer that would end a command sooner.
        let options = options.max_entry_bytes(LIMIT).command_timeout(Duration::from_secs(10));
        let options = match shared_mount {
            Some(shared) => options.shared_mount(shared),
            None => options,
        };
        let store = options.open().await?;
        self.clocks.lock().unwrap().push(clock);
        let mut stores = self.stores.lock().unwrap();
        stores.push(Some(store));
        Ok(Answer::Opened(stores.len() - 1))
    }
}

fn store_key(key: [u8; 32]) -> StoreKey {
    StoreKey::from_bytes(key)
}

/// Joins the texts of all sources of an error.
fn describe(error: &StoreError) -> String {
    let first = std::error::Error::source(error);
    let sources = std::iter::successors(first, |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn created(created: Created) -> Answer {
    match created {
        Created::Done(version) => Answer::Created(Some(version.as_bytes().to_vec())),
        Created::Exists => Answer::Created(None),
    }
}

fn replaced(replaced: Replaced) -> Answer {
    match replaced {
        Replaced::Done(version) => Answer::Replaced(version.as_bytes().to_vec()),
        Replaced::Conflict(entry) => Answer::Conflict(entry.into()),
        Replaced::Gone => Answer::Gone,
    }
}

fn touched(touched: Touched) -> Answer {
    match touched {
        Touched::Done => Answer::Touched,
        Touched::Skipped => Answer::Skipped,
        Touched::Gone => Answer::Gone,
    }
}

/// Increments the counter. After a failed write it does a simple form of what the library does: it looks
/// the write up by its version. If another write has followed, the write counts as failed.
async fn count(store: &FileStore, key: &StoreKey, times: u64) -> Answer {
    let (mut done, mut failed, mut doubt) = (0, 0, None);
    while done < times {
        let entry = match store.load(key).await {
            Ok(Some(entry)) if entry.bytes.len() >= 8 => entry,
            // The session has ended, or carries a mark that says so.
            Ok(_) => break,
            Err(_) => {
                failed += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        if doubt.take() == Some(entry.version) {
            done += 1;
            continue;
        }
        let next = next(&entry);
        match store.replace(key, &entry.version, &next).await {
            Ok(Replaced::Done(_)) => done += 1,
            Ok(Replaced::Conflict(_)) => {}
            Ok(Replaced::Gone) => break,
            Err(_) => {
                failed += 1;
                doubt = Some(Version::from(next.commit));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    Answer::Counted { done, failed }
}

fn next(entry: &Entry) -> NewEntry {
    let count = u64::from_be_bytes(*entry.bytes.first_chunk().unwrap()) + 1;
    let mut bytes = count.to_be_bytes().to_vec();
    // The lengths differ, so that a torn file cannot pass for a whole one.
    bytes.resize(8 + usize::try_from(count % 5_000).unwrap(), 7);
    // `RandomState` is a source of random numbers that needs no other crate.
    let commit = CommitId::from_bytes(RandomState::new().hash_one(count).to_be_bytes());
    NewEntry::new(commit, entry.deadline, bytes)
}

async fn watch(store: &FileStore, key: &StoreKey, time: Duration) -> Answer {
    let began = Instant::now();
    let (mut loads, mut missing, mut errors) = (0, 0, Vec::new());
    while began.elapsed() < time {
        match store.load(key).await {
            Ok(found) => missing += u64::from(found.is_none()),
            Err(error) => errors.push(describe(&error)),
        }
        loads += 1;
    }
    Answer::Watched { loads, missing, errors }
}

/// Forwards connections from all addresses of this host to a port on its loopback address.
async fn relay(port: u16) -> std::io::Result<u16> {
    let listener = TcpListener::bind("0.0.0.0:0").await?;
    let here = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut outside, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut inside = TcpStream::connect(("127.0.0.1", port)).await?;
                copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    });
    Ok(here)
}

async fn run(command: &str) -> Answer {
    let output = tokio::process::Command::new("sh").args(["-c", command]).output().await.unwrap();
    let text = [&output.stdout[..], &output.stderr].concat();
    let output_text = String::from_utf8_lossy(&text).into_owned();
    Answer::Ran { success: output.status.success(), output: output_text }
}

/// Runs a program and sends its output. Returns whether it succeeded; kills it if the driver goes.
async fn attach(
    words: &[String],
    environment: Vec<(String, String)>,
    stream: &mut TcpStream,
) -> std::io::Result<bool> {
    let mut program = tokio::process::Command::new("sh");
    program.args(["-c", r#"exec "$@" 2>&1"#, "sh"]).args(words).envs(environment);
    let mut child =
        program.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut stdout = child.stdout.take().unwrap();
    let (mut said, mut more) = ([0; 4096], [0]);
    loop {
        tokio::select! {
            read = stdout.read(&mut said) => match read? {
                0 => return Ok(child.wait().await?.success()),
                read => send(stream, &Answer::Said(ByteBuf::from(&said[..read]))).await?,
            },
            // The driver sends nothing meanwhile, so this can only be the end of the connection.
            _ = stream.peek(&mut more) => {
                child.kill().await?;
                return Ok(false);
            }
        }
    }
}
