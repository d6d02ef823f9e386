//! The address of a server, and how to log in.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::password::Password;
use crate::store::authorities::Authorities;

/// The address of a PostgreSQL server, and how to log in to it.
///
/// It opens no connection; [`PostgresStoreBuilder::connect`](crate::store::PostgresStoreBuilder::connect)
/// does. `Debug` shows neither login nor hosts.
///
/// A connection over the network is encrypted, and the server's certificate has to be for the host as it is
/// named here, signed by an authority that this machine trusts. A loopback address and a Unix socket are
/// reached in plain text.
///
/// ```
/// use cloakroom::store::PostgresServer;
///
/// let server = PostgresServer::host("127.0.0.1", 5432).credentials("shop", "secret");
/// assert!(!format!("{server:?}").contains("secret"));
/// ```
#[derive(Clone)]
#[must_use]
#[doc(alias("PgConnectOptions", "Config", "PostgresUrl"))]
pub struct PostgresServer {
    pub(super) hosts: Vec<Host>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Password>,
    pub(super) database: Option<String>,
    pub(super) application_name: String,
    pub(super) tls: Tls,
    pub(super) connect_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Tcp(String, u16),
    /// The folder of the socket, and the port in the socket's name.
    Unix(PathBuf, u16),
}

#[derive(Clone)]
pub(super) enum Tls {
    /// By this machine's authorities, except for hosts on this machine.
    ByHost,
    Verified(Authorities),
    Off,
}

impl PostgresServer {
    /// Creates the address of one server.
    ///
    /// The host must lead to the primary also after a failover, as the endpoint of an RDS instance and the
    /// *cluster endpoint* of Aurora do. A server that is read-only is not used.
    ///
    /// ```
    /// use cloakroom::store::PostgresServer;
    ///
    /// let server = PostgresServer::host("db.example", 5432);
    /// assert!(format!("{server:?}").contains("hosts: 1"));
    /// ```
    #[doc(alias("new", "tcp"))]
    pub fn host(host: impl Into<String>, port: u16) -> Self {
        Self::hosts([(host, port)])
    }

    /// Creates the address of several servers, of which one is the primary. They are asked in this order, at
    /// each new connection, and the first that takes writes is used.
    ///
    /// ```
    /// use cloakroom::store::PostgresServer;
    ///
    /// let server = PostgresServer::hosts([("db-1.example", 5432), ("db-2.example", 5432)]);
    /// assert!(format!("{server:?}").contains("hosts: 2"));
    /// ```
    #[doc(alias("target_session_attrs", "failover"))]
    pub fn hosts<H: Into<String>>(hosts: impl IntoIterator<Item = (H, u16)>) -> Self {
        Self::on(hosts.into_iter().map(|(host, port)| Host::Tcp(host.into(), port)).collect())
    }

    /// Creates the address of a server on this machine, by the folder of its Unix socket. The port is a part
    /// of the socket's name.
    ///
    /// ```
    /// use cloakroom::store::PostgresServer;
    ///
    /// let server = PostgresServer::unix_socket("/var/run/postgresql", 5432);
    /// assert!(format!("{server:?}").contains("hosts: 1"));
    /// ```
    pub fn unix_socket(folder: impl Into<PathBuf>, port: u16) -> Self {
        Self::on(vec![Host::Unix(folder.into(), port)])
    }

    fn on(hosts: Vec<Host>) -> Self {
        Self {
            hosts,
            user: None,
            password: None,
            database: None,
            application_name: "cloakroom".to_owned(),
            tls: Tls::ByHost,
            connect_timeout: Duration::from_secs(5),
        }
    }

    /// Sets the user to log in as, and the password.
    ///
    /// Default: the name of this process's user, without a password, as PostgreSQL's own tools do.
    ///
    /// ```
    /// use cloakroom::store::PostgresServer;
    ///
    /// let server = PostgresServer::host("127.0.0.1", 5432).credentials("shop", "secret");
    /// assert!(!format!("{server:?}").contains("shop"));
    /// ```
    #[doc(alias("username", "login", "auth"))]
    pub fn credentials(self, user: impl Into<String>, password: impl AsRef<str>) -> Self {
        let password = Password::Fixed(Arc::from(password.as_ref()));
        Self { password: Some(password), ..self.user(user) }
    }

    /// Sets the user to log in as, without a password: for a server that asks for none, or together with
    /// [`password_from`](Self::password_from).
    ///
    /// Default: the name of this process's user.
    ///
    /// ```
    /// use cloakroom::store::PostgresServer;
    ///
    /// let server = PostgresServer::unix_socket("/var/run/postgresql", 5432).user("shop");
    /// assert!(!format!("{server:?}").contains("shop"));
    /// ```
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Asks `ask` for the password before each connection: for the tokens of RDS's IAM authentication, which
    /// are valid for 15 minutes, or for a password that rotates.
    ///
    /// An error of `ask` means [`Unavailable`](crate::store::StoreErrorKind::Unavailable), and its text is in
    /// the error's chain, so it must not hold a secret. [The guide](crate::guide::postgres) has an example.
    ///
    /// Default: the password of [`credentials`](Self::credentials), or none.
    ///
    /// ```
    /// use cloakroom::store::PostgresServer;
    ///
    /// let token = || async { Ok::<_, std::io::Error>("a token made now".to_owned()) };
    /// let server = PostgresServer::host("127.0.0.1", 5432).user("shop").password_from(token);
    /// assert!(!format!("{server:?}").contains("token"));
    /// ```
    #[doc(alias("iam", "token", "credential_provider"))]
    pub fn password_from<F, E>(mut self, ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.password = Some(Password::asked(ask));
        self
    }

    /// Sets the database.
    ///
    /// Default: the one with the user's name, as PostgreSQL's own tools do.
    ///
    /// ```
    /// use cloakroom::store::PostgresServer;
    ///
    /// let server = PostgresServer::host("127.0.0.1", 5432).database("shop");
    /// assert!(!format!("{server:?}").contains("shop"));
    /// ```
    #[doc(alias("dbname"))]
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.database = Some(name.into());
        self
    }

    /// Sets the name that the server lists its connections by, in `pg_stat_activity` and in its log.
    ///
    /// Default: `cloakroom`, so that it is plain to see whose connections these are.
    ///
    /// ```
    /// use cloakroom::store::PostgresServer;
    ///
    /// let server = PostgresServer::host("127.0.0.1", 5432).application_name("shop");
    /// assert!(format!("{server:?}").contains("application_name: \"shop\""));
    /// ```
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = name.into();
        self
    }

    /// Encrypts, and accepts only a certificate that is for the host as it is named here and that one of these
    /// authorities has signed. A Unix socket is not encrypted.
    ///
    /// Default: the authorities that this machine trusts, for hosts that are not this machine. Those of RDS
    /// are usually not among them; AWS has them in a file, `global-bundle.pem`.
    ///
    /// ```
    /// use cloakroom::store::{Authorities, PostgresServer};
    ///
    /// # fn main() -> Result<(), cloakroom::store::StoreError> {
    /// # if Authorities::system().is_err() { return Ok(()) }
    /// let server = PostgresServer::host("127.0.0.1", 5432).tls(Authorities::system()?);
    /// assert!(format!("{server:?}").contains("tls: \"verified\""));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("ssl", "sslmode", "sslrootcert", "verify_full"))]
    pub fn tls(mut self, authorities: Authorities) -> Self {
        self.tls = Tls::Verified(authorities);
        self
    }

    /// Sends everything in plain text, sessions and a scrambled password included, also over a network. Whoever
    /// is on the way can read and change it.
    ///
    /// Default: plain text to this machine alone.
    ///
    /// ```
    /// use cloakroom::store::PostgresServer;
    ///
    /// let server = PostgresServer::host("10.0.0.5", 5432).insecure_plain_text();
    /// assert!(format!("{server:?}").contains("tls: \"off\""));
    /// ```
    pub fn insecure_plain_text(mut self) -> Self {
        self.tls = Tls::Off;
        self
    }

    /// Sets the longest that opening one connection to one host may take, the login included. Zero is refused
    /// by `connect`.
    ///
    /// Default: 5 seconds, which leaves a busy server time for TLS and the login. A command does not wait so
    /// long: its own time-out ends its waiting, and the connection is there for the next one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom::store::PostgresServer;
    ///
    /// let server = PostgresServer::host("127.0.0.1", 5432).connect_timeout(Duration::from_secs(2));
    /// assert!(format!("{server:?}").contains("2s"));
    /// ```
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Returns what cannot work, before anything is sent.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let has_nul = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains('\0'));
        if self.hosts.is_empty() {
            Some("the list of hosts is empty")
        } else if self.connect_timeout.is_zero() {
            Some("the connect timeout must be longer than zero")
        } else if has_nul(&self.user)
            || has_nul(&self.database)
            || self.application_name.contains('\0')
        {
            Some("the user, the database and the application's name cannot have a zero byte")
        } else {
            None
        }
    }
}

impl Host {
    /// Returns whether everything that is sent to it stays on this machine.
    pub(super) fn is_here(&self) -> bool {
        match self {
            Self::Unix(..) => true,
            Self::Tcp(host, _) => {
                host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
        }
    }
}

/// Names the server in errors.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => {
                write!(f, "the PostgreSQL server [{host}]:{port}")
            }
            Self::Tcp(host, port) => write!(f, "the PostgreSQL server {host}:{port}"),
            Self::Unix(folder, port) => {
                write!(f, "the PostgreSQL server at {}/.s.PGSQL.{port}", folder.display())
            }
        }
    }
}

/// Shows neither the user nor the password, nor the hosts: a host's name may contain an account's.
impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = match self.tls {
            Tls::ByHost => "by host",
            Tls::Verified(_) => "verified",
            Tls::Off => "off",
        };
        f.debug_struct("PostgresServer")
            .field("hosts", &self.hosts.len())
            .field("application_name", &self.application_name)
            .field("tls", &tls)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_in_plain_text() {
        let is_here = |host: &str| Host::Tcp(host.to_owned(), 5432).is_here();
        assert!(["localhost", "127.0.0.1", "127.9.9.9", "::1"].into_iter().all(is_here));
        let remote = ["db.example", "10.0.0.1", "localhost.example", "0.0.0.0", "::", ""];
        assert!(!remote.into_iter().any(is_here));
        assert!(Host::Unix("/run".into(), 5432).is_here());
    }

    #[test]
    fn a_host_is_named_with_its_port() {
        for (host, text) in [
            (Host::Tcp("db".into(), 1), "the PostgreSQL server db:1"),
            (Host::Tcp("::1".into(), 1), "the PostgreSQL server [::1]:1"),
            (Host::Unix("/run".into(), 1), "the PostgreSQL server at /run/.s.PGSQL.1"),
        ] {
            assert_eq!(host.to_string(), text);
        }
    }
}
