//! pgbouncer in front of a server.

use std::ffi::OsString;

use super::account::{give, under_account};
use super::server::{DATABASE, PASSWORD, Server, USER};
use crate::processes::{Folder, Process, answers, free_port};

/// How long a client keeps a connection to the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    Session,
    Transaction,
}

#[derive(Debug)]
pub struct Bouncer {
    pub port: u16,
    pub process: Process,
    _folder: Folder,
}

impl Bouncer {
    /// Starts pgbouncer with `connections` to the server. `settings` are further lines of its file.
    pub fn start(server: &Server, mode: Mode, connections: usize, settings: &str) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let mode = match mode {
            Mode::Session => "session",
            Mode::Transaction => "transaction",
        };
        let users = folder.join("users.txt");
        std::fs::write(&users, format!("\"{USER}\" \"{PASSWORD}\"\n")).unwrap();
        let file = folder.join("pgbouncer.ini");
        let server_port = server.port;
        let text = format!(
            "[databases]\n{DATABASE} = host=127.0.0.1 port={server_port} dbname={DATABASE}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = plain\nauth_file = {}\npool_mode = {mode}\n\
             default_pool_size = {connections}\nmax_client_conn = 500\n{settings}\n",
            users.display(),
        );
        std::fs::write(&file, text).unwrap();
        give(&users);
        give(&file);
        let words: [OsString; 2] = ["pgbouncer".into(), file.into()];
        let process = Process::start(under_account(words), folder.join("log"));
        process.wait_until("pgbouncer answers", || answers(port));
        Self { port, process, _folder: folder }
    }

    pub fn url_of(&self, table: &str) -> String {
        let port = self.port;
        format!(
            "postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}?table={table}&create=true"
        )
    }
}
