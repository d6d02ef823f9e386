//! URLs that are refused. Those that work are in `cart`, where the credentials can be set.

use cloakroom::connect;

#[tokio::test]
async fn a_wrong_url_is_refused_before_anything_is_sent() {
    for (url, says) in [
        ("dynamodb:", "the table's name"),
        ("dynamodb://", "the table's name"),
        ("dynamodb://sessions/more", "the table's name"),
        ("dynamodb://sessions?create=yes", "`create` must be `true` or `false`"),
        ("dynamodb://sessions?eventual=", "`eventual` must be `true` or `false`"),
        ("dynamodb://sessions?timeout_ms=soon", "`timeout_ms` must be a whole number"),
        ("dynamodb://sessions?regoin=eu-central-1", "no option `regoin`"),
    ] {
        let error = connect(url).await.unwrap_err().to_string();
        assert!(error.contains(says), "{url}: {error}");
    }
}
