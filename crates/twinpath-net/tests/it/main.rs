//! Sockets over loopback: the arrivals that they report are true.
#![cfg(test)]
mod errors;
mod secrets;
mod stamps;
mod streams;

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_net::{RecvBatch, SocketOptions, TestSocket, clock};

/// A reflector's socket on a free port of `ip`.
fn open(ip: &str, change: impl FnOnce(&mut SocketOptions)) -> TestSocket {
    let mut options = SocketOptions::reflector(SocketAddr::new(ip.parse().unwrap(), 0));
    change(&mut options);
    TestSocket::open(&options).unwrap()
}

/// Makes it a sender's: every departure timestamped, ICMP errors reported.
fn sender(options: &mut SocketOptions) {
    *options = SocketOptions::sender(options.near, options.near);
}

/// Waits for packets, at most some seconds.
fn receive(socket: &TestSocket, batch: &mut RecvBatch) -> usize {
    let until = clock::mono() + Duration::from_secs(20);
    while clock::mono() < until {
        let count = socket.receive(batch).unwrap();
        if count > 0 {
            return count;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    0
}

/// Whether this host has an IPv6 loopback; prints a note if it has not.
fn has_v6() -> bool {
    let has = std::net::UdpSocket::bind("[::1]:0").is_ok();
    if !has {
        eprintln!("skipped: this host has no IPv6 loopback");
    }
    has
}
