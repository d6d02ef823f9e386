//! A memory by a URL.

use cloakroom::{ConnectError, Key, SessionLayer, connect};
use cloakroom_testing::Visitor;

#[tokio::test]
async fn a_url_puts_a_memory_in_front_of_a_store() {
    let moving = "moving:%3Ffrom%3Dmemory%3A%26to%3Dmemory%3A%253Fmax_sessions%253D7%26first%3Dnew";
    for store in ["memory:", "memory:%3Fmax_sessions%3D7", moving] {
        let url = format!("near:?store={store}&staleness=250ms&max_bytes=1000000");
        let backend = connect(&url).await.unwrap();
        backend.check().await.unwrap();
        let shown = format!("{backend:?}");
        for part in ["Near", "staleness: 250ms", "max_bytes: 1000000"] {
            assert!(shown.contains(part), "{shown}");
        }
        let layer = SessionLayer::new(backend, Key::from_bytes(&[7; 32]).unwrap());
        let visitor = Visitor::new(layer);
        visitor.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
        let answer = visitor.visit(async |session| session.get::<u32>("k")).await;
        assert_eq!(answer.is_ok().body, "Some(1)");
    }
}

#[tokio::test]
async fn an_error_of_the_store_is_that_stores() {
    let error = connect("near:?store=reddis%3A%2F%2Fh").await.unwrap_err();
    assert!(matches!(&error, ConnectError::UnknownScheme { scheme, .. } if scheme == "reddis"));
    assert!(error.to_string().contains("`near:`"), "{error}");
    let error = connect("near:?store=memory:%3Fmax%3D7").await.unwrap_err();
    assert!(error.to_string().contains("`memory:` URL is wrong"), "{error}");
}
