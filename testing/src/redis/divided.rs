//! A proxy that divides the keys among two servers, as Envoy and twemproxy do.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use super::flavour::Flavour;
use super::standalone::Standalone;
use super::wire::{Reply, Wire};

/// The servers and the proxy. It ends with the test's process.
#[derive(Debug)]
pub struct Divided {
    pub servers: [Standalone; 2],
    pub port: u16,
}

impl Divided {
    pub fn start(flavour: Flavour) -> Self {
        let servers = [(); 2].map(|()| Standalone::start(flavour));
        let ports = [servers[0].port, servers[1].port];
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming() {
                thread::spawn(move || serve(client?, ports));
            }
        });
        Self { servers, port }
    }
}

/// Serves a client until it goes.
fn serve(client: TcpStream, ports: [u16; 2]) -> io::Result<()> {
    let mut client = Wire::of_client(client)?;
    let mut servers = [Wire::tcp(ports[0])?, Wire::tcp(ports[1])?];
    loop {
        let Reply::List(words) = client.reply()? else { return Ok(()) };
        let words: Vec<Vec<u8>> = words
            .into_iter()
            .filter_map(|word| if let Reply::Bytes(word) = word { Some(word) } else { None })
            .collect();
        let reply = match words[0].to_ascii_uppercase().as_slice() {
            b"MGET" => {
                let mut parts = Vec::new();
                for key in &words[1..] {
                    parts.push(servers[place(key)].ask(&[b"GET", &key[..]])?);
                }
                Reply::List(parts)
            }
            // Only the first key counts.
            b"EVAL" | b"EVALSHA" => servers[place(&words[3])].ask(&words)?,
            b"GET" | b"SET" => servers[place(&words[1])].ask(&words)?,
            _ => servers[0].ask(&words)?,
        };
        client.answer(&reply)?;
    }
}

fn place(key: &[u8]) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    usize::from(hasher.finish() % 2 == 1)
}
