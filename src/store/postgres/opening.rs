//! Opens connections: finds the primary, logs in, and learns whether a pooler stands in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::config::{ChannelBinding, SslMode, TargetSessionAttrs};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::Problem;
use super::link::Link;
use super::server::{Host, PostgresServer, Tls};
use super::statements::{Kind, Statements};
use crate::abort_on_drop::AbortOnDrop;
use crate::entropy;
use crate::store::authorities::Authorities;

/// The SQLSTATEs by which poolers refuse a connection because of the options that it asks for.
const OPTIONS_REFUSED: [&str; 4] = ["08P01", "0A000", "22023", "42704"];

/// Opens the connections of one store.
pub(super) struct Opener {
    server: PostgresServer,
    authorities: Option<Authorities>,
    statements: Arc<Statements>,
    command_timeout: Duration,
    /// Whether a pooler has refused the options.
    without_options: AtomicBool,
}

impl Opener {
    pub(super) fn new(
        server: PostgresServer,
        statements: Arc<Statements>,
        command_timeout: Duration,
    ) -> Result<Self, crate::error::StoreError> {
        let is_remote = server.hosts.iter().any(|host| !host.is_here());
        let authorities = match &server.tls {
            Tls::Verified(authorities) => Some(authorities.clone()),
            Tls::ByHost if is_remote => Some(Authorities::system()?),
            Tls::ByHost | Tls::Off => None,
        };
        let without_options = AtomicBool::new(false);
        Ok(Self { server, authorities, statements, command_timeout, without_options })
    }

    pub(super) fn statements(&self) -> &Arc<Statements> {
        &self.statements
    }

    pub(super) fn command_timeout(&self) -> Duration {
        self.command_timeout
    }

    /// Opens a connection to the first host that is the primary, for commands of these kinds.
    ///
    /// If all hosts fail, it returns the first failure that a person has to mend: a host that is down, or a
    /// standby, is normal beside it.
    pub(super) async fn open(&self, kinds: &[Kind]) -> Result<Link, Problem> {
        let mut worst: Option<Problem> = None;
        for host in &self.server.hosts {
            let opening = timeout(self.server.connect_timeout, self.open_at(host, kinds));
            let opened = opening.await.unwrap_or_else(|_| {
                Err(Problem::not_sent("no connection within the connect timeout"))
            });
            match opened.map_err(|problem| problem.at(&host.to_string())) {
                Ok(link) => return Ok(link),
                Err(problem) => match &worst {
                    Some(worst) if !worst.may_pass() || problem.may_pass() => {}
                    _ => worst = Some(problem),
                },
            }
        }
        Err(worst.unwrap_or_else(|| Problem::not_sent("the list of hosts is empty")))
    }

    async fn open_at(&self, host: &Host, kinds: &[Kind]) -> Result<Link, Problem> {
        let token = self.token();
        let (client, driver) = match self.log_in(host, token.as_deref()).await {
            Err(problem) if token.is_some() && refuses_options(&problem) => {
                let opened = self.log_in(host, None).await?;
                self.without_options.store(true, Ordering::Relaxed);
                opened
            }
            opened => opened?,
        };
        let is_direct = match &token {
            Some(token) if !self.without_options.load(Ordering::Relaxed) => {
                is_direct(&client, token).await?
            }
            _ => false,
        };
        let link = Link::new(client, driver, self.statements.clone(), host.to_string());
        // Names of prepared statements are counted in each process. Behind a pooler that hands its
        // connections from one client to another, the name may stand for the statement of another process,
        // perhaps on another table, and the server would run that one.
        if is_direct {
            link.prepare(kinds).await?;
        }
        Ok(link)
    }

    /// Draws the name of a connection, by which it is known again.
    fn token(&self) -> Option<String> {
        if self.without_options.load(Ordering::Relaxed) {
            return None;
        }
        let mut bytes = [0; 8];
        entropy::operating_system(&mut bytes).ok()?;
        Some(format!("{:016x}", u64::from_be_bytes(bytes)))
    }

    async fn log_in(
        &self,
        host: &Host,
        token: Option<&str>,
    ) -> Result<(Client, AbortOnDrop<()>), Problem> {
        let mut config = self.config(host);
        if let Some(token) = token {
            config.options(options(token, self.command_timeout));
        }
        if let Some(password) = &self.server.password {
            config.password(password.get().await.map_err(Problem::not_sent)?);
        }
        let authorities = match host {
            Host::Tcp(..) if matches!(self.server.tls, Tls::ByHost) && host.is_here() => None,
            Host::Tcp(..) => self.authorities.as_ref(),
            Host::Unix(..) => None,
        };
        match authorities {
            Some(authorities) => {
                config.ssl_mode(SslMode::Require);
                let tls = MakeRustlsConnect::new((*authorities.config()).clone());
                let (client, connection) =
                    config.connect(tls).await.map_err(Problem::of_connecting)?;
                Ok((client, drive(connection)))
            }
            None => {
                config.ssl_mode(SslMode::Disable);
                let (client, connection) =
                    config.connect(NoTls).await.map_err(Problem::of_connecting)?;
                Ok((client, drive(connection)))
            }
        }
    }

    fn config(&self, host: &Host) -> Config {
        let mut config = Config::new();
        match host {
            Host::Tcp(host, port) => config.host(host).port(*port),
            Host::Unix(folder, port) => config.host_path(folder).port(*port),
        };
        if let Some(user) = &self.server.user {
            config.user(user);
        }
        if let Some(database) = &self.server.database {
            config.dbname(database);
        }
        config
            .application_name(&self.server.application_name)
            .connect_timeout(self.server.connect_timeout)
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .channel_binding(ChannelBinding::Prefer)
            // A connection that is idle for minutes would be forgotten by firewalls on the way.
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3);
        config
    }
}

/// Settings that a connection begins with.
///
/// Under the other levels of isolation a command that meets another one fails instead of waiting. The server's
/// own time-outs end a statement whose caller has long been answered, and prove that it was not applied. The
/// last setting means nothing to the server: whoever finds it again has the same connection.
fn options(token: &str, command_timeout: Duration) -> String {
    let millis = command_timeout.as_millis().clamp(1, i32::MAX as u128);
    format!(
        "-c default_transaction_isolation=read\\ committed -c lock_timeout={millis} \
         -c statement_timeout={millis} -c cloakroom.link={token}"
    )
}

fn refuses_options(problem: &Problem) -> bool {
    problem.code().is_some_and(|code| OPTIONS_REFUSED.contains(&code))
}

/// Whether the server's session is this connection's own: it knows the name that the connection began with.
async fn is_direct(client: &Client, token: &str) -> Result<bool, Problem> {
    let text = "SELECT current_setting('cloakroom.link', true) IS NOT DISTINCT FROM $1";
    let found = client.query_typed(text, &[(&token, Type::TEXT)]).await;
    let rows = found.map_err(Problem::of_connecting)?;
    Ok(rows.first().is_some_and(|row| row.try_get(0).unwrap_or(false)))
}

fn drive(
    connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
) -> AbortOnDrop<()> {
    AbortOnDrop::new(tokio::spawn(async move {
        if let Err(error) = connection.await {
            let problem = Problem::of_connecting(error).failure.for_read();
            tracing::debug!(?problem, "a connection to PostgreSQL has ended");
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_begins_with_its_own_settings() {
        let options = options("0123", Duration::from_millis(1_500));
        assert!(options.contains("-c default_transaction_isolation=read\\ committed "));
        assert!(options.contains("-c lock_timeout=1500 -c statement_timeout=1500 "));
        assert!(options.ends_with("-c cloakroom.link=0123"));
    }
}
