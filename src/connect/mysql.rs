//! `mysql:`, `mariadb:`

use std::time::Duration;

use super::address::Address;
use super::authority::Authority;
use super::error::ConnectError;
use super::open::Open;
use crate::session::Backend;
use crate::store::{Authorities, MysqlServer, MysqlStore, MysqlStoreBuilder};

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

const PORT: u16 = 3306;

async fn open(mut address: Address) -> Result<Backend, ConnectError> {
    let server = server(&mut address)?;
    let store = options(&mut address)?;
    address.finish()?;
    Ok(store.connect(&server).await?.into())
}

fn server(address: &mut Address) -> Result<MysqlServer, ConnectError> {
    let authority = Authority::parse(address, PORT)?;
    let only = authority.only_host();
    let (host, port) = only.ok_or_else(|| {
        address.invalid("it takes one host: the name that always leads to the primary")
    })?;
    if authority.path.is_empty() || authority.path.contains('/') {
        return Err(address.invalid("the name of the database must follow the host, as in `/shop`"));
    }
    let server = match address.take("socket") {
        Some(_) if host != "localhost" => {
            return Err(address.invalid("with `socket` the host must be `localhost`"));
        }
        Some(path) if path.starts_with('/') => MysqlServer::unix_socket(path, authority.path),
        Some(_) => return Err(address.invalid("`socket` must be an absolute path")),
        None => MysqlServer::tcp(host, port, authority.path),
    };
    let server = with_tls(server, address)?;
    match (authority.user, authority.password) {
        (Some(user), password) => Ok(server.credentials(user, password.unwrap_or_default())),
        (None, None) => Ok(server),
        (None, Some(_)) => Err(address.invalid("a login needs a user")),
    }
}

fn with_tls(server: MysqlServer, address: &mut Address) -> Result<MysqlServer, ConnectError> {
    let mode = address.take("tls");
    match (mode.as_deref(), address.take("ca")) {
        (None | Some("verified"), Some(file)) => Ok(server.tls(Authorities::pem_file(file)?)),
        (Some("verified"), None) => Ok(server.tls(Authorities::system()?)),
        (None, None) => Ok(server),
        (Some("insecure_off"), None) => Ok(server.insecure_plain_text()),
        // Taking the authorities without effect would send everything in plain text to whoever answers.
        (Some("insecure_off"), Some(_)) => {
            Err(address.invalid("`ca` has no effect with `tls=insecure_off`"))
        }
        (Some(_), _) => Err(address.invalid("`tls` must be `verified` or `insecure_off`")),
    }
}

fn options(address: &mut Address) -> Result<MysqlStoreBuilder, ConnectError> {
    let mut store = MysqlStore::builder();
    if let Some(name) = address.take("table") {
        store = store.table(name);
    }
    if address.take_flag("create")? == Some(true) {
        store = store.create_table();
    }
    if let Some(timeout) = address.take_timeout()? {
        store = store.command_timeout(timeout);
    }
    if let Some(most) = address.take_number("max_connections")? {
        store = store.max_connections(most);
    }
    if let Some(bytes) = address.take_number("max_entry_bytes")? {
        store = store.max_entry_bytes(bytes);
    }
    if let Some(seconds) = address.take_number("sweep_secs")? {
        store = store.sweep_every((seconds > 0).then(|| Duration::from_secs(seconds)));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parsed(url: &str) -> Result<(MysqlServer, MysqlStoreBuilder), String> {
        let mut address = Address::parse(url).map_err(|error| error.to_string())?;
        let parse = |address: &mut Address| Ok((server(address)?, options(address)?));
        let parsed = parse(&mut address).map_err(|error: ConnectError| error.to_string())?;
        address.finish().map_err(|error| error.to_string())?;
        Ok(parsed)
    }

    #[test]
    fn the_server_and_every_option_reach_the_store() {
        let url = "mariadb://u:p%40@db:3307/shop?table=s&create=true&timeout_ms=70&max_connections=3\
                   &max_entry_bytes=9&sweep_secs=60&tls=insecure_off";
        let (server, store) = parsed(url).unwrap();
        let shown = format!("{server:?} {store:?}");
        for part in [
            "db:3307",
            "\"shop\"",
            "tls: false",
            "table: \"s\"",
            "create_table: true",
            "command_timeout: 70ms",
            "max_connections: 3",
            "max_entry_bytes: 9",
            "sweep_every: Some(60s)",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let (server, store) =
            parsed("mysql://u@localhost/d?socket=%2Frun%2Fx&sweep_secs=0").unwrap();
        assert!(format!("{server:?}").contains("/run/x"), "{server:?}");
        assert!(format!("{store:?}").contains("sweep_every: None"), "{store:?}");
    }

    #[test]
    fn another_machine_is_spoken_to_with_tls_unless_the_url_says_otherwise() {
        for (url, tls) in [
            ("mysql://u:p@db/d", "tls: true"),
            ("mysql://u:p@localhost/d", "tls: false"),
            ("mysql://u:p@db/d?tls=insecure_off", "tls: false"),
        ] {
            let (server, _) = parsed(url).unwrap();
            assert!(format!("{server:?}").contains(tls), "{url}: {server:?}");
        }
    }

    #[test]
    fn errors_name_the_mistake() {
        for (url, says) in [
            ("mysql:localhost/d", "`//` is missing"),
            ("mysql://u:p@h", "name of the database"),
            ("mysql://u:p@h/a/b", "name of the database"),
            ("mysql://u:p@h,i/d", "it takes one host"),
            ("mysql://:p@h/d", "a login needs a user"),
            ("mysql://h/d?tls=off", "`tls` must be"),
            ("mysql://h/d?tls=insecure_off&ca=x", "`ca` has no effect"),
            ("mysql://h/d?socket=%2Frun%2Fx", "must be `localhost`"),
            ("mysql://localhost/d?socket=x", "`socket` must be an absolute path"),
            ("mysql://h/d?create=yes", "`create` must be `true` or `false`"),
            ("mysql://h/d?prefix=a", "there is no option `prefix`"),
            ("mysql://h/d?timeout_ms=soon", "`timeout_ms` must be a whole number"),
        ] {
            let error = parsed(url).unwrap_err();
            assert!(error.contains(says), "{url}: {error}");
        }
    }
}
