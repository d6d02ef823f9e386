//! Signs tokens. A token is a signed HTTP request that is never sent; it says that a user wants to
//! connect to a cache, and when. [AWS documents] its parameters.
//!
//! [AWS documents]: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use http::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock::Timestamp;

/// The longest validity that ElastiCache accepts.
const EXPIRES_IN: Duration = Duration::from_secs(15 * 60);

/// The characters that SigV4 encodes: all but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The statements of a token.
pub(super) struct Claim<'a> {
    pub(super) user: &'a str,
    /// In lower case, because ElastiCache compares it byte by byte.
    pub(super) cache: &'a str,
    pub(super) region: &'a str,
    pub(super) serverless: bool,
}

impl Claim<'_> {
    /// Refuses names that cannot be right, before AWS is asked for credentials.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if !is_name(self.cache) {
            return Err("IAM needs the name of the cache, not its endpoint");
        }
        if !is_name(self.region) {
            return Err("IAM needs a region such as `eu-west-1`");
        }
        Ok(())
    }

    /// Signs a token for this second. Returns `None` where the signer refuses the user's name or the
    /// credentials.
    pub(super) fn sign(&self, credentials: Credentials, now: Timestamp) -> Option<String> {
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name("elasticache")
            .time(now.into())
            .settings(settings())
            .build();
        let params = SigningParams::from(params.ok()?);
        let mut request = Request::get(self.url()).body(()).ok()?;
        let uri = request.uri().to_string();
        let body = SignableBody::Bytes(&[]);
        let signable = SignableRequest::new("GET", uri, std::iter::empty(), body).ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        let token = request.uri().to_string();
        token.strip_prefix("http://").map(str::to_owned)
    }

    fn url(&self) -> String {
        let (cache, user) = (self.cache, utf8_percent_encode(self.user, RESERVED));
        let kind = if self.serverless { "&ResourceType=ServerlessCache" } else { "" };
        format!("http://{cache}/?Action=connect&User={user}{kind}")
    }
}

fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES_IN);
    settings
}

/// Whether a text has letters, digits and hyphens only, as the names of caches and regions do.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Written by `src/golden/iam-tokens.py`, which shares no code with this file.
    const GOLDEN: &str = include_str!("../../../golden/iam-tokens-v1.txt");

    fn credentials(session: bool) -> Credentials {
        let mut credentials = Credentials::builder()
            .access_key_id("AKIDEXAMPLE")
            .secret_access_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
            .provider_name("golden");
        credentials.set_session_token(session.then(|| "IQoJb3JpZ2luX2VjE+/=&%20".to_owned()));
        credentials.build()
    }

    #[test]
    fn tokens_equal_those_of_an_independent_signer() {
        let mut checked = 0;
        for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
            let [millis, cache, user, kind, session, token] =
                line.split('\t').collect::<Vec<_>>().try_into().unwrap();
            let claim =
                Claim { user, cache, region: "eu-west-1", serverless: kind == "serverless" };
            let now = Timestamp::from_millis(millis.parse().unwrap());
            let signed = claim.sign(credentials(session == "session"), now).unwrap();
            assert_eq!(signed, token);
            checked += 1;
        }
        assert!(checked >= 6, "{checked}");
    }

    #[test]
    fn a_text_that_cannot_be_a_name_is_refused() {
        for (cache, region) in [
            ("", "eu-west-1"),
            ("shop-cache.abc123.euw1.cache.amazonaws.com", "eu-west-1"),
            ("shop cache", "eu-west-1"),
            ("shop-cache/", "eu-west-1"),
            ("shop-cache", ""),
            ("shop-cache", "eu west"),
        ] {
            let claim = Claim { user: "shop", cache, region, serverless: false };
            claim.check().unwrap_err();
        }
    }
}
