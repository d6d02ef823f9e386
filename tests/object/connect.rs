//! URLs that are refused. Those that work are in `cart`, where the credentials can be set.

use cloakroom::{ConnectError, connect};

#[tokio::test]
async fn a_wrong_url_is_refused_before_anything_is_sent() {
    for (url, says) in [
        ("s3:", "the bucket's name"),
        ("s3://", "the bucket's name"),
        ("s3://u:secret@bucket", "the bucket's name"),
        ("gs://bucket name", "the bucket's name"),
        ("az://container/a prefix", "the prefix after the bucket"),
        ("s3://bucket/secret@x", "the prefix after the bucket"),
        ("s3://bucket?timeout_ms=soon", "`timeout_ms` must be a whole number"),
        ("s3://bucket?regoin=eu-central-1", "no option `regoin`"),
        ("s3://bucket?account=secret", "no option `account`"),
        ("gs://bucket?region=secret", "no option `region`"),
        ("s3://bucket?endpoint=secret", "`endpoint` must be a URL"),
        ("s3://bucket?endpoint=http%3A%2F%2Fu%3Asecret%40host", "`endpoint` must be a URL"),
    ] {
        let error = connect(url).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(says) && !text.contains("secret"), "{url}: {text}");
        assert!(matches!(error, ConnectError::Invalid { .. }), "{url}");
    }
}

#[tokio::test]
async fn a_prefix_with_an_empty_name_is_refused() {
    let url = "s3://bucket/a//b?region=us-east-1";
    let error = connect(url).await.unwrap_err().to_string();
    assert!(error.contains("misconfigured") || error.contains("wrong"), "{error}");
}
