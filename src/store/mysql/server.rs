//! The address of a server, the login, and the encryption of the connection.

use std::fmt;
use std::time::Duration;

use mysql_async::{Opts, OptsBuilder, PoolConstraints, PoolOpts, SslOpts};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};

use super::greeting::Greeting;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::authorities::Authorities;

/// A connection is closed at this age, with up to a fifth of it added at random: so that connections find
/// their way to a new primary behind the same name, and leave one that has become a replica.
const MAX_AGE: Duration = Duration::from_secs(300);
/// An idle connection is closed after this time.
const MAX_IDLE: Duration = Duration::from_secs(60);
/// After this time without data the kernel asks whether the server still lives.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// The largest statement that the driver sends. Because it is set, the driver does not ask the server for its
/// limit on each connection; `Greeting` does.
const MAX_STATEMENT_BYTES: usize = 64 << 20;

/// A MariaDB or MySQL server: where it is, the database, the login, and whether the connection is
/// encrypted.
///
/// `Debug` shows neither the user nor the password.
///
/// ```
/// use cloakroom::store::MysqlServer;
///
/// let server = MysqlServer::tcp("127.0.0.1", 3306, "shop").credentials("sessions", "open sesame");
/// let shown = format!("{server:?}");
/// assert!(shown.contains("127.0.0.1:3306") && !shown.contains("sesame"));
/// ```
#[derive(Clone)]
pub struct MysqlServer {
    place: Place,
    database: String,
    credentials: Option<(String, String)>,
    security: Security,
}

#[derive(Clone)]
enum Place {
    Tcp(String, u16),
    Socket(String),
}

#[derive(Clone)]
enum Security {
    /// Encrypted, unless the server is on this machine.
    Default,
    Tls(Authorities),
    PlainText,
}

impl MysqlServer {
    /// Names a server by its host and port, and the database.
    ///
    /// A connection to another machine is encrypted with TLS, and the server's certificate has to be
    /// signed by an authority that this machine trusts; [`tls`](Self::tls) names others. A connection to
    /// `localhost` or a loopback address is in plain text.
    ///
    /// ```
    /// use cloakroom::store::MysqlServer;
    ///
    /// let server = MysqlServer::tcp("db.example.com", 3306, "shop");
    /// assert!(format!("{server:?}").contains("db.example.com:3306"));
    /// ```
    pub fn tcp(host: impl Into<String>, port: u16, database: impl Into<String>) -> Self {
        Self::new(Place::Tcp(host.into(), port), database.into())
    }

    /// Names a server on this machine by the path of its socket, and the database.
    ///
    /// ```
    /// use cloakroom::store::MysqlServer;
    ///
    /// let server = MysqlServer::unix_socket("/run/mysqld/mysqld.sock", "shop");
    /// assert!(format!("{server:?}").contains("/run/mysqld/mysqld.sock"));
    /// ```
    pub fn unix_socket(path: impl Into<String>, database: impl Into<String>) -> Self {
        Self::new(Place::Socket(path.into()), database.into())
    }

    fn new(place: Place, database: String) -> Self {
        Self { place, database, credentials: None, security: Security::Default }
    }

    /// Logs in with this user and password.
    ///
    /// ```
    /// use cloakroom::store::MysqlServer;
    ///
    /// let server = MysqlServer::tcp("localhost", 3306, "shop").credentials("sessions", "secret");
    /// assert!(!format!("{server:?}").contains("secret"));
    /// ```
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Encrypts the connection, and trusts these authorities to sign the server's certificate.
    ///
    /// Default: encrypted to another machine, with the authorities that this machine trusts. RDS and
    /// Aurora have authorities of their own, whose certificates AWS offers as a file.
    ///
    /// The driver takes rustls' implementation of cryptography that the process has installed. If it has
    /// none, the store installs ring.
    ///
    /// ```
    /// use cloakroom::store::{Authorities, MysqlServer};
    ///
    /// let server = MysqlServer::tcp("db.example.com", 3306, "shop");
    /// if let Ok(trusted) = Authorities::pem_file("/etc/ssl/rds-global-bundle.pem") {
    ///     drop(server.tls(trusted));
    /// }
    /// assert!(Authorities::pem("not a certificate").is_err());
    /// ```
    #[must_use]
    pub fn tls(mut self, authorities: Authorities) -> Self {
        self.security = Security::Tls(authorities);
        self
    }

    /// Does not encrypt the connection, even to another machine.
    ///
    /// **Whoever can read or change the traffic gets every session**, and with some kinds of logins the
    /// password too. For networks that are encrypted by other means.
    ///
    /// ```
    /// use cloakroom::store::MysqlServer;
    ///
    /// let server = MysqlServer::tcp("10.0.0.7", 3306, "shop").insecure_plain_text();
    /// assert!(format!("{server:?}").contains("tls: false"));
    /// ```
    #[must_use]
    pub fn insecure_plain_text(mut self) -> Self {
        self.security = Security::PlainText;
        self
    }

    /// Returns the text that names this server in errors.
    pub(super) fn described(&self) -> String {
        match &self.place {
            Place::Tcp(host, port) => format!("the MySQL server {host}:{port}"),
            Place::Socket(path) => format!("the MySQL server {path}"),
        }
    }

    fn is_local(&self) -> bool {
        match &self.place {
            Place::Socket(_) => true,
            Place::Tcp(host, _) if host == "localhost" => true,
            Place::Tcp(host, _) => {
                host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
            }
        }
    }

    fn authorities(&self) -> Result<Option<Authorities>, StoreError> {
        match &self.security {
            Security::Default if self.is_local() => Ok(None),
            Security::Default => Authorities::system().map(Some),
            Security::Tls(authorities) => Ok(Some(authorities.clone())),
            Security::PlainText => Ok(None),
        }
    }

    /// Returns the driver's options.
    pub(super) fn opts(&self, most: usize, greeting: Greeting) -> Result<Opts, StoreError> {
        if self.database.is_empty() {
            return Err(misconfigured("the name of the database is missing"));
        }
        let authorities = self.authorities()?;
        let constraints = PoolConstraints::new(0, most)
            .ok_or_else(|| misconfigured("the number of connections must be at least 1"))?;
        let pool = PoolOpts::new()
            .with_constraints(constraints)
            // It would be a round trip after each command, and would undo the greeting. No command
            // leaves anything behind on its connection.
            .with_reset_connection(false)
            .with_inactive_connection_ttl(MAX_IDLE)
            .with_abs_conn_ttl(Some(MAX_AGE))
            .with_abs_conn_ttl_jitter(Some(MAX_AGE / 5));
        let (user, password) = self.credentials.clone().unzip();
        let opts = OptsBuilder::default()
            .pool_opts(pool)
            .user(user)
            .pass(password)
            .db_name(Some(self.database.clone()))
            // Rows that were found but not changed must not count as changed.
            .client_found_rows(false)
            // Otherwise the driver would go over to whatever socket the server names.
            .prefer_socket(false)
            .max_allowed_packet(Some(MAX_STATEMENT_BYTES))
            .wait_timeout(Some(MAX_AGE.as_secs() as usize))
            .after_connect(move |conn| Box::pin(greeting.greet(conn)));
        let opts = match &self.place {
            Place::Socket(path) if authorities.is_some() => {
                return Err(misconfigured(format!("TLS is not for the socket {path}")));
            }
            Place::Socket(path) => opts.socket(Some(path.clone())),
            Place::Tcp(host, port) => opts
                .ip_or_hostname(host.clone())
                .tcp_port(*port)
                .tcp_nodelay(true)
                .tcp_keepalive(Some(KEEPALIVE)),
        };
        Ok(opts.ssl_opts(authorities.map(|authorities| ssl_opts(&authorities))).into())
    }
}

fn ssl_opts(authorities: &Authorities) -> SslOpts {
    // The driver asks for the process's implementation, and panics if there are several and none is
    // chosen. Whoever has chosen one keeps it.
    if CryptoProvider::get_default().is_none() {
        drop(ring::default_provider().install_default());
    }
    let certificates = authorities.certificates().iter();
    let roots = certificates.map(|der| der.to_vec().into()).collect();
    SslOpts::default().with_root_certs(roots).with_disable_built_in_roots(true)
}

fn misconfigured(problem: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, problem.into())
}

impl fmt::Debug for MysqlServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = match self.security {
            Security::Default => !self.is_local(),
            Security::Tls(_) => true,
            Security::PlainText => false,
        };
        f.debug_struct("MysqlServer")
            .field("server", &self.described())
            .field("database", &self.database)
            .field("tls", &tls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_on_this_machine_is_spoken_to_in_plain_text() {
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1"] {
            assert!(MysqlServer::tcp(host, 3306, "d").is_local(), "{host}");
        }
        for host in ["10.0.0.1", "db", "localhost.example.com", "0.0.0.0", "::", "127.evil.com"] {
            assert!(!MysqlServer::tcp(host, 3306, "d").is_local(), "{host}");
        }
    }

    #[test]
    fn debug_shows_neither_user_nor_password() {
        let server = MysqlServer::tcp("h", 1, "d").credentials("a-user", "a-password");
        let shown = format!("{server:?} {server:#?}");
        assert!(!shown.contains("a-user") && !shown.contains("a-password"), "{shown}");
    }
}
