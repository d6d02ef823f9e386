//! Objects of a newer format stay as they are, and say what they are (P12). So do damaged ones, except that they can
//! be deleted.

use cloakroom::store::{SessionStore, StoreErrorKind, StoreKey};
use cloakroom::{Key, SessionLayer};
use cloakroom_testing::{Visitor, respond};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::buckets::{created, entry, errors, in_memory, key, names, path};

async fn bytes(bucket: &InMemory, key: &StoreKey) -> Vec<u8> {
    bucket.get(&path(key)).await.unwrap().bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn no_command_replaces_or_deletes_an_object_of_a_newer_format() {
    let (store, bucket, _) = in_memory().await;
    let key = key(1);
    let version = created(&store, &key, &entry(1)).await;
    for newer in [&b"\xc1\x05"[..], b"\xc1\xff and whatever", b"\xc1\x05\0\0\0\0\0\0\0\0"] {
        bucket.put(&path(&key), newer.to_vec().into()).await.unwrap();
        assert_eq!(errors(&store, &key, &version).await, [Some(StoreErrorKind::NewerFormat); 5]);
        assert_eq!(store.sweep().await.unwrap().foreign, 1);
        assert_eq!(bytes(&bucket, &key).await, newer);
    }
    let shown = format!("{:?}", store.load(&key).await.unwrap_err());
    assert!(shown.contains("format 5 is newer than this release reads"), "{shown}");
}

#[tokio::test]
async fn a_logout_leaves_an_object_of_a_newer_format() {
    let (store, bucket, _) = in_memory().await;
    let guest = Visitor::new(SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap()));
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    let [name] = &names(&*bucket).await[..] else { panic!("one session") };
    bucket.put(&name.as_str().into(), "\u{c1}".into()).await.unwrap();
    let newer = b"\xc1\x09 newer".to_vec();
    bucket.put(&name.as_str().into(), newer.clone().into()).await.unwrap();
    let answer = guest.ask(async |lazy| respond(lazy.destroy().await)).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies()), (503, vec![]));
    assert!(format!("{:?}", answer.error).contains("newer format"), "{answer:?}");
    let there = bucket.get(&name.as_str().into()).await.unwrap().bytes().await.unwrap();
    assert_eq!(there, newer);
}

#[tokio::test]
async fn a_damaged_object_is_an_error_until_it_is_deleted() {
    let (store, bucket, _) = in_memory().await;
    let key = key(1);
    let corrupt = Some(StoreErrorKind::Corrupt);
    let huge = vec![0xc1; (16 << 20) + 100];
    for damage in
        [&b""[..], b"text", b"\xc1", b"\xc1\x01\x01\x01", b"\xc1\x02\0\0\0\0\0\0\0\0\x40", &huge]
    {
        let version = created(&store, &key, &entry(1)).await;
        bucket.put(&path(&key), damage.to_vec().into()).await.unwrap();
        assert_eq!(store.sweep().await.unwrap().foreign, 1, "it stays");
        let kinds = errors(&store, &key, &version).await;
        assert_eq!(kinds, [corrupt, corrupt, corrupt, corrupt, None]);
        assert_eq!(store.load(&key).await.unwrap(), None);
        assert!(bytes(&bucket, &key).await.len() < 32, "nothing of it is left");
    }
    assert_eq!(bucket.list_with_delimiter(None).await.unwrap().common_prefixes.len(), 1);
}
