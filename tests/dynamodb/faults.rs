//! Failures: which of them prove that nothing was applied, and which prove nothing.

use std::error::Error;
use std::fmt::Write;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::Credentials;
use bytes::Bytes;
use cloakroom::store::{
    CommitId, Created, DynamoDbStore, NewEntry, SessionStore, StoreError, StoreErrorKind, StoreKey,
    Version,
};
use cloakroom::{Clock, Timestamp};

use crate::emulator::{Table, in_process};
use crate::wire::Fate;
use cloakroom_testing::processes::free_port;
use cloakroom_testing::proxy::{Cut, Fault, Proxy};

const KEY: StoreKey = StoreKey::from_bytes([3; 32]);

fn later() -> Timestamp {
    Clock::system().now().saturating_add(Duration::from_secs(600))
}

fn entry(commit: u8) -> NewEntry {
    let commit = CommitId::from_bytes([commit; 8]);
    NewEntry::new(commit, later(), Bytes::from("a very secret coat"))
}

/// Returns the errors of a load, a create, a replace, a touch and a delete.
async fn errors(store: &DynamoDbStore) -> [StoreError; 5] {
    let version = Version::from(entry(1).commit);
    [
        store.load(&KEY).await.expect_err("load"),
        store.create(&KEY, &entry(2)).await.expect_err("create"),
        store.replace(&KEY, &version, &entry(2)).await.expect_err("replace"),
        store.touch(&KEY, &version, later()).await.expect_err("touch"),
        store.delete(&KEY).await.expect_err("delete"),
    ]
}

async fn assert_kinds(store: &DynamoDbStore, read: StoreErrorKind, write: StoreErrorKind) {
    let kinds = errors(store).await.map(|error| error.kind());
    assert_eq!(kinds, [read, write, write, write, write]);
}

#[tokio::test]
async fn a_refusal_proves_that_nothing_was_applied() {
    use StoreErrorKind::{Denied, Misconfigured, Unavailable};
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    for (code, kind) in [
        ("ProvisionedThroughputExceededException", Unavailable),
        ("RequestLimitExceeded", Unavailable),
        ("ThrottlingException", Unavailable),
        ("TransactionConflictException", Unavailable),
        ("ReplicatedWriteConflictException", Unavailable),
        ("AccessDeniedException", Denied),
        ("UnrecognizedClientException", Denied),
        ("InvalidSignatureException", Denied),
        ("ResourceNotFoundException", Misconfigured),
        ("ValidationException", Misconfigured),
        ("SomethingNew", Misconfigured),
    ] {
        table.wire.plan(move |_| Fate::Refused(400, code));
        println!("{code}");
        assert_kinds(&store, kind, kind).await;
    }
}

/// A write is one request, whatever its failure; a read may be repeated.
#[tokio::test]
async fn a_write_without_an_answer_is_indeterminate_and_was_sent_once() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    for fate in [
        Fate::Refused(500, "InternalServerError"),
        Fate::Refused(503, "ServiceUnavailable"),
        Fate::Refused(503, "ThrottlingException"),
        Fate::Answered(502),
        Fate::Answered(408),
        Fate::Lost,
    ] {
        table.wire.plan({
            let fate = fate.clone();
            move |_| fate.clone()
        });
        println!("{fate:?}");
        assert_kinds(&store, StoreErrorKind::Unavailable, StoreErrorKind::Indeterminate).await;
        let sent = table.wire.take();
        let writes: Vec<_> = sent.iter().filter(|sent| *sent != "GetItem").collect();
        assert_eq!(writes, ["PutItem", "PutItem", "UpdateItem", "DeleteItem"], "{fate:?}");
    }
}

#[tokio::test]
async fn an_unreadable_answer_is_indeterminate() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    table.wire.plan(|_| Fate::Garbled);
    let error = store.create(&KEY, &entry(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Indeterminate);
    table.wire.plan(|_| Fate::Arrives);
    assert_eq!(store.load(&KEY).await.unwrap().unwrap().bytes, entry(1).bytes, "it was applied");
    table.wire.plan(|_| Fate::Garbled);
    let error = store.load(&KEY).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(
        !told(&error).contains("very secret") && !told(&error).contains("YSB2ZXJ5IHNlY3Jld"),
        "{}",
        told(&error)
    );
}

fn told(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, " {error} {error:?}").unwrap();
        source = error.source();
    }
    text
}

#[tokio::test]
async fn every_error_names_the_table_the_region_and_the_host_and_no_secret() {
    let reached = Table::in_process().await;
    reached.wire.plan(|_| Fate::Refused(400, "AccessDeniedException"));
    let unreachable = Table::missing_on(format!("http://127.0.0.1:{}", free_port()));
    for table in [reached, unreachable] {
        let credentials = Credentials::new("visible", "open-sesame", None, None, "test");
        let client = table.client().config().to_builder().credentials_provider(credentials);
        let client = aws_sdk_dynamodb::Client::from_conf(client.build());
        let store = DynamoDbStore::builder(client).table(&table.name).build().unwrap();
        let host = table.endpoint.strip_prefix("http://").unwrap();
        let named = format!("the DynamoDB table `{}` in eu-central-1 at {host}", table.name);
        for error in errors(&store).await {
            assert_eq!(error.source().unwrap().to_string(), named);
            assert!(!told(&error).contains("open-sesame"), "{}", told(&error));
        }
        let error = store.ensure_table().await.unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), named);
    }
}

#[tokio::test]
async fn after_throttling_a_write_is_sent_again_and_applied_once() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    let throttled = Fate::Refused(400, "ProvisionedThroughputExceededException");
    table.wire.times(3, "PutItem", throttled.clone());
    let created = store.create(&KEY, &entry(1)).await.unwrap();
    assert_eq!(created, Created::Done(entry(1).commit.into()));
    assert_eq!(table.wire.take(), ["PutItem"; 4]);

    table.wire.plan(move |_| throttled.clone());
    let error = store.delete(&KEY).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert_eq!(table.wire.take(), ["DeleteItem"; 5]);
}

/// The first attempt is throttled; the answer to the second is lost.
#[tokio::test]
async fn a_write_whose_answer_is_lost_after_throttling_is_indeterminate() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    let turns = std::sync::atomic::AtomicU32::new(0);
    table.wire.plan(move |_| match turns.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => Fate::Refused(400, "ThrottlingException"),
        1 => Fate::ReplyLost,
        _ => Fate::Arrives,
    });
    let error = store.create(&KEY, &entry(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Indeterminate);
    assert_eq!(table.wire.take(), ["PutItem"; 2]);
}

#[tokio::test]
async fn silence_ends_with_the_timeout() {
    let table = Table::in_process().await;
    let store = table.store().command_timeout(Duration::from_secs(2)).build().unwrap();
    table.wire.plan(|_| Fate::Hangs);
    let begun = Instant::now();
    assert_kinds(&store, StoreErrorKind::Unavailable, StoreErrorKind::Indeterminate).await;
    assert!(begun.elapsed() >= Duration::from_secs(4 * 2));
    assert_eq!(table.wire.take().iter().filter(|sent| *sent != "GetItem").count(), 4);
}

#[tokio::test]
async fn too_large_is_refused_before_anything_is_sent() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    let bytes = Bytes::from(vec![0; store.max_entry_bytes() + 1]);
    let error = store
        .create(&KEY, &NewEntry::new(entry(1).commit, entry(1).deadline, bytes))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    let size = store.max_entry_bytes() + 1;
    assert!(told(&error).contains(&format!("{size} bytes")), "{}", told(&error));
    assert!(table.wire.take().is_empty());
}

#[tokio::test]
async fn no_table_is_misconfigured_and_no_credentials_are_denied() {
    let table = Table::missing_on(in_process().await);
    let store = table.store().build().unwrap();
    assert_eq!(store.check().await.unwrap_err().kind(), StoreErrorKind::Misconfigured);

    let anonymous = table.client().config().to_builder().credentials_provider(NoCredentials);
    let anonymous = aws_sdk_dynamodb::Client::from_conf(anonymous.build());
    let store = DynamoDbStore::builder(anonymous).build().unwrap();
    assert_kinds(&store, StoreErrorKind::Denied, StoreErrorKind::Denied).await;
    assert_eq!(table.wire.take(), ["GetItem"], "and nothing was sent");
}

#[derive(Debug)]
struct NoCredentials;

impl aws_sdk_dynamodb::config::ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(
        &'a self,
    ) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let none = aws_credential_types::provider::error::CredentialsError::not_loaded("none");
        aws_credential_types::provider::future::ProvideCredentials::ready(Err(none))
    }
}

/// Uses real connections, so that the errors are those of the operating system.
#[tokio::test]
async fn a_broken_connection_is_indeterminate_and_a_refused_one_is_not() {
    let mut table = Table::in_process().await;
    let server = table.endpoint.rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::on(free_port(), server).await;
    table.endpoint = format!("http://127.0.0.1:{}", proxy.port);
    let store = table.store().build().unwrap();
    store.check().await.unwrap();
    // Each command of this one waits for an answer that never comes.
    let brief = table.store().command_timeout(Duration::from_secs(5)).build().unwrap();

    for cut in [Cut::Fin, Cut::Reset] {
        proxy.set(Fault::CutReply(0, cut));
        println!("{cut:?}");
        assert_kinds(&store, StoreErrorKind::Unavailable, StoreErrorKind::Indeterminate).await;
    }
    proxy.set(Fault::SwallowReplies);
    assert_kinds(&brief, StoreErrorKind::Unavailable, StoreErrorKind::Indeterminate).await;
    proxy.set(Fault::Refuse);
    // Open connections are reset; later ones are refused.
    let _ = store.check().await;
    assert_kinds(&store, StoreErrorKind::Unavailable, StoreErrorKind::Unavailable).await;
    proxy.set(Fault::None);
    while store.check().await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
