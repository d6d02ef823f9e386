//! Why cookie options are refused.

use std::fmt;

use crate::error_chain::WithCauses;

/// Cookie options that browsers would refuse; the text says what to write instead.
///
/// ```
/// use cloakroom::{CookieError, CookieOptions};
///
/// let error = CookieOptions::builder().insecure_plain_http().build().unwrap_err();
/// assert_eq!(error, CookieError::PrefixNeedsSecure);
/// assert!(error.to_string().contains("drop `insecure_plain_http`, or rename the cookie"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is empty, or has characters that a cookie name cannot have.
    #[error(
        "a cookie's name has only letters, digits and !#$%&'*+-.^_`|~, and at least one of them: rename it"
    )]
    Name,
    /// Name and ticket together would exceed 4096 bytes.
    #[error("the cookie's name and value may have 4096 bytes together: choose a shorter name")]
    NameTooLong,
    /// The path does not begin with `/`, is too long, or is one that no URL can have.
    #[error(
        "a cookie's path begins with `/`, has at most 1024 bytes, and is written as in a URL, without `;`, `?`, `#`, blanks and `..`: give such a path"
    )]
    Path,
    /// The domain is not a host name.
    #[error(
        "a cookie's domain is a host name alone, such as `example.org`: leave out scheme, port, path, `*.`, blanks and a dot at the end, and write other letters than those of ASCII in the `xn--` form"
    )]
    Domain,
    /// The domain is an IP address.
    #[error(
        "a cookie's domain cannot be an IP address: drop `domain`, and the cookie goes to the host that sets it"
    )]
    DomainIsAddress,
    /// The name has a prefix that demands `Secure`.
    #[error(
        "names that begin with `__Host-`, `__Secure-` or `__Http-` need Secure: drop `insecure_plain_http`, or rename the cookie, for example to `id`"
    )]
    PrefixNeedsSecure,
    /// The name has a prefix that demands `HttpOnly`.
    #[error(
        "names that begin with `__Http-` or `__Host-Http-` need HttpOnly: drop `insecure_script_access`, or use the prefix `__Host-` or `__Secure-`"
    )]
    PrefixNeedsHttpOnly,
    /// The name begins with `__Host-`, which excludes a path and a domain.
    #[error(
        "names that begin with `__Host-` need path `/` and no domain: drop `path` and `domain`, or use the prefix `__Secure-`"
    )]
    HostPrefix,
    /// `SameSite=None` demands `Secure`.
    #[error("`SameSite::None` needs Secure: drop `insecure_plain_http`, or use `SameSite::Lax`")]
    SameSiteNoneNeedsSecure,
    /// `Partitioned` demands `Secure`.
    #[error("`partitioned` needs Secure: drop `insecure_plain_http`, or `partitioned`")]
    PartitionedNeedsSecure,
    /// Another name than that of the layer's cookie.
    #[error(
        "all cookies of one layer have one name, which their signatures hold for: give these options the name of the layer's cookie"
    )]
    OtherName,
    /// The layer sends its tickets in a header.
    #[error(
        "this layer sends its tickets in a header and has no cookie: drop `cookie_when`, or `header`"
    )]
    NoCookie,
}

impl fmt::Debug for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}
