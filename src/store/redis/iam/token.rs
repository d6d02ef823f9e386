//! The token: a signed request that is never sent. [AWS says] what is in it: who (`User`) wants to
//! `connect` to which cache, at most 15 minutes ago.
//!
//! [AWS says]: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use http::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock::Timestamp;

/// The longest that ElastiCache takes.
const EXPIRES_IN: Duration = Duration::from_secs(15 * 60);

/// What SigV4 encodes: all but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a token says.
pub(super) struct Claim<'a> {
    pub(super) user: &'a str,
    /// In lower case: the host that the token is for is compared as it is written.
    pub(super) cache: &'a str,
    pub(super) region: &'a str,
    pub(super) serverless: bool,
}

impl Claim<'_> {
    /// What is wrong, before anybody is asked for credentials.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if !is_name(self.cache) {
            return Err("IAM takes the name of the cache, which an endpoint is not");
        }
        if !is_name(self.region) {
            return Err("IAM takes a region such as `eu-west-1`");
        }
        Ok(())
    }

    /// A token of this moment, in whole seconds. None where there can be none.
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
        let mut request = Request::get(self.request()).body(()).ok()?;
        let uri = request.uri().to_string();
        let body = SignableBody::Bytes(&[]);
        let signable = SignableRequest::new("GET", uri, std::iter::empty(), body).ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        let token = request.uri().to_string();
        token.strip_prefix("http://").map(str::to_owned)
    }

    fn request(&self) -> String {
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

/// Of letters, digits and hyphens, as those of caches and regions are.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Written by `tests/golden/iam-tokens.py`, which knows nothing of this code.
    const GOLDEN: &str = include_str!("../../../../tests/golden/iam-tokens-v1.txt");

    fn credentials(session: bool) -> Credentials {
        let mut credentials = Credentials::builder()
            .access_key_id("AKIDEXAMPLE")
            .secret_access_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
            .provider_name("golden");
        credentials.set_session_token(session.then(|| "IQoJb3JpZ2luX2VjE+/=&%20".to_owned()));
        credentials.build()
    }

    #[test]
    fn tokens_are_those_that_others_compute() {
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
    fn what_is_no_name_is_refused() {
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
