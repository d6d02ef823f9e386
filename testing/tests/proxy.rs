//! The proxy that breaks connections in the tests of stores, here in front of a server that echoes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_testing::processes::free_port;
use cloakroom_testing::proxy::{Cut, Fault, Proxy, Traffic};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// How long a test waits for something that must happen.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a test waits for something that must not happen.
const BRIEFLY: Duration = Duration::from_millis(100);

/// Starts a server that sends back all bytes and counts them. Returns its port and the count.
async fn echo() -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (port, heard) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU64::new(0)));
    let count = heard.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let count = count.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    count.fetch_add(length as u64, Ordering::SeqCst);
                    let _ = stream.write_all(&buffer[..length]).await;
                }
            });
        }
    });
    (port, heard)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).await.unwrap()
}

/// Returns the bytes until the connection ends, and how it ends.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, Result<(), ErrorKind>) {
    let mut answer = Vec::new();
    let end = timeout(TIMEOUT, stream.read_to_end(&mut answer)).await.unwrap();
    (answer, end.map(|_| ()).map_err(|error| error.kind()))
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

async fn receive(stream: &mut TcpStream, text: &str) {
    let mut answer = vec![0; text.len()];
    timeout(TIMEOUT, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), text);
}

async fn receive_nothing(stream: &mut TcpStream) {
    assert!(timeout(BRIEFLY, stream.read(&mut [0])).await.is_err());
}

async fn until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < TIMEOUT);
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn without_a_fault_all_passes_and_is_counted() {
    let (port, heard) = echo().await;
    let proxy = Proxy::on(free_port(), port).await;
    let (mut one, mut other) = (connect(&proxy).await, connect(&proxy).await);
    send(&mut one, "hello").await;
    receive(&mut one, "hello").await;
    send(&mut other, "hi").await;
    receive(&mut other, "hi").await;
    assert_eq!((proxy.open_connections(), heard.load(Ordering::SeqCst)), (2, 7));
    drop(one);
    until(|| proxy.open_connections() == 1).await;
    let expected = |bytes, is_open| Traffic { from_client: bytes, to_client: bytes, is_open };
    assert_eq!(proxy.traffic(), [expected(5, false), expected(2, true)]);
    assert_eq!(proxy.cuts(), 0);
}

#[tokio::test]
async fn a_stall_ends_with_everything_delivered() {
    let (port, heard) = echo().await;
    let proxy = Proxy::on(free_port(), port).await;
    let mut stream = connect(&proxy).await;
    send(&mut stream, "a").await;
    receive(&mut stream, "a").await;
    proxy.set(Fault::Stall);
    send(&mut stream, "b").await;
    let mut late = connect(&proxy).await;
    send(&mut late, "c").await;
    receive_nothing(&mut stream).await;
    assert_eq!(heard.load(Ordering::SeqCst), 1);
    proxy.set(Fault::None);
    receive(&mut stream, "b").await;
    receive(&mut late, "c").await;
}

#[tokio::test]
async fn a_delay_holds_replies_back() {
    let (port, _) = echo().await;
    let proxy = Proxy::on(free_port(), port).await;
    let mut stream = connect(&proxy).await;
    proxy.set(Fault::Delay(Duration::from_millis(150)));
    let begun = Instant::now();
    send(&mut stream, "a").await;
    receive(&mut stream, "a").await;
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn refusing_resets_and_then_listens_again() {
    let (port, _) = echo().await;
    let proxy = Proxy::on(free_port(), port).await;
    let mut stream = connect(&proxy).await;
    send(&mut stream, "a").await;
    receive(&mut stream, "a").await;
    proxy.set(Fault::Refuse);
    assert_eq!(rest(&mut stream).await, (vec![], Err(ErrorKind::ConnectionReset)));
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    proxy.set(Fault::None);
    let begun = Instant::now();
    let mut stream = loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).await {
            Ok(stream) => break stream,
            Err(_) => assert!(begun.elapsed() < TIMEOUT),
        }
        sleep(Duration::from_millis(5)).await;
    };
    send(&mut stream, "b").await;
    receive(&mut stream, "b").await;
}

#[tokio::test]
async fn what_is_swallowed_got_as_far_as_it_says() {
    let (port, heard) = echo().await;
    let proxy = Proxy::on(free_port(), port).await;
    let mut stream = connect(&proxy).await;
    proxy.set(Fault::SwallowRequests);
    send(&mut stream, "lost").await;
    receive_nothing(&mut stream).await;
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    proxy.set(Fault::SwallowReplies);
    let reset = (Vec::new(), Err(ErrorKind::ConnectionReset));
    assert_eq!(rest(&mut stream).await, reset, "a connection with a gap does not go on");
    let mut stream = connect(&proxy).await;
    send(&mut stream, "done").await;
    until(|| heard.load(Ordering::SeqCst) == 4).await;
    receive_nothing(&mut stream).await;
    proxy.set(Fault::None);
    assert_eq!(rest(&mut stream).await, reset);
    let mut stream = connect(&proxy).await;
    send(&mut stream, "again").await;
    receive(&mut stream, "again").await;
}

#[tokio::test]
async fn a_reply_is_cut_after_so_many_bytes() {
    let (port, heard) = echo().await;
    let proxy = Proxy::on(free_port(), port).await;
    let ends = [(Cut::Fin, Ok(())), (Cut::Reset, Err(ErrorKind::ConnectionReset))];
    for (cut, end) in ends {
        for most in [0, 1, 3, 5] {
            let before = heard.load(Ordering::SeqCst);
            let mut stream = connect(&proxy).await;
            send(&mut stream, "free").await;
            receive(&mut stream, "free").await;
            proxy.set_once(Fault::CutReply(most, cut));
            send(&mut stream, "01234").await;
            let (answer, ended) = rest(&mut stream).await;
            assert_eq!((answer, ended), (b"01234"[..most].to_vec(), end));
            assert_eq!(heard.load(Ordering::SeqCst), before + 9);
        }
    }
    assert_eq!(proxy.cuts(), 8);
    let mut stream = connect(&proxy).await;
    send(&mut stream, "whole").await;
    receive(&mut stream, "whole").await;
}

#[tokio::test]
async fn a_client_that_is_cut_off_after_its_request_is_still_obeyed() {
    let (port, heard) = echo().await;
    let proxy = Proxy::on(free_port(), port).await;
    let ends = [(Cut::Fin, Ok(())), (Cut::Reset, Err(ErrorKind::ConnectionReset))];
    for (sent, (cut, end)) in (1..).zip(ends) {
        let mut stream = connect(&proxy).await;
        proxy.set(Fault::CutAfterRequest(cut));
        send(&mut stream, "do it").await;
        assert_eq!(rest(&mut stream).await, (vec![], end));
        until(|| heard.load(Ordering::SeqCst) == sent * 5).await;
        assert_eq!(proxy.cuts(), sent);
    }
}
