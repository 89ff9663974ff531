//! Control connections' marking, and sets of sockets.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};
use twinpath_net::{RecvBatch, SocketOptions, SocketSet, TestSocket, clock, stream};
use twinpath_wire::Tos;

use crate::errors::full;

fn connect(far: SocketAddr, tos: u8) -> TcpStream {
    let socket = Socket::new(Domain::for_address(far), Type::STREAM, None).unwrap();
    if far.is_ipv4() {
        socket.set_tos_v4(tos.into()).unwrap();
    } else {
        socket.set_tclass_v6(tos.into()).unwrap();
    }
    socket.connect(&far.into()).unwrap();
    socket.into()
}

fn marking(stream: &TcpStream, v6: bool) -> u32 {
    let stream = SockRef::from(stream);
    if v6 {
        stream.tclass_v6().unwrap()
    } else {
        stream.tos_v4().unwrap()
    }
}

#[test]
fn the_marking_of_a_syn_is_returned_once_and_can_be_sent_back() {
    if !full() {
        return;
    }
    for near in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = stream::listen(near.parse().unwrap(), None, None) else {
            eprintln!("skipped: this host has no {near}");
            continue;
        };
        listener.set_nonblocking(false).unwrap();
        let far = listener.local_addr().unwrap();
        for tos in [0, 0x88, 0xb8] {
            let _client = connect(far, tos);
            let (accepted, _) = listener.accept().unwrap();
            let told = stream::syn_tos(&accepted);
            assert_eq!(told, Some(Tos(tos)), "{near}");
            assert_eq!(stream::syn_tos(&accepted), None);
            stream::prepare(&accepted, far.is_ipv6(), told).unwrap();
            assert_eq!(marking(&accepted, far.is_ipv6()), u32::from(tos));
            let prepared = SockRef::from(&accepted);
            assert!(prepared.tcp_nodelay().unwrap() && prepared.keepalive().unwrap());
            let time = prepared.tcp_keepalive_time().unwrap();
            assert_eq!(time, Duration::from_mins(1));
        }
    }
}

#[test]
fn a_listening_socket_marks_what_it_accepts() {
    if !full() {
        return;
    }
    let near = "127.0.0.1:0".parse().unwrap();
    let listener = stream::listen(near, None, Some(Tos(0xb8))).unwrap();
    listener.set_nonblocking(false).unwrap();
    let _client = connect(listener.local_addr().unwrap(), 0);
    let (accepted, _) = listener.accept().unwrap();
    assert_eq!(stream::syn_tos(&accepted), None);
    stream::prepare(&accepted, false, None).unwrap();
    assert_eq!(marking(&accepted, false), 0xb8);
}

#[test]
fn a_set_reports_which_of_its_sockets_are_ready() {
    let (mut set, waker) = SocketSet::new().unwrap();
    let far: Vec<SocketAddr> = (0..20)
        .map(|place| {
            let options = SocketOptions::reflector("127.0.0.1:0".parse().unwrap());
            let socket = TestSocket::open(&options).unwrap();
            let far = socket.local();
            set.insert(place, socket).unwrap();
            far
        })
        .collect();
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let soon = || clock::mono() + Duration::from_secs(20);
    let mut ready = Vec::new();
    for place in [7, 19] {
        sender.send_to(b"x", far[place]).unwrap();
        set.wait(soon(), &mut ready);
        assert_eq!(ready, [place]);
        // It stays ready until it is read.
        set.wait(soon(), &mut ready);
        assert_eq!(ready, [place]);
        let mut batch = RecvBatch::new(4, 64);
        assert_eq!(set.get(place).unwrap().receive(&mut batch).unwrap(), 1);
    }
    assert!(set.remove(7).is_some());
    assert!(set.remove(7).is_none());
    sender.send_to(b"x", far[7]).unwrap();
    waker.wake();
    let began = Instant::now();
    set.wait(soon(), &mut ready);
    assert!(ready.is_empty());
    assert!(began.elapsed() < Duration::from_secs(19), "not woken");
    assert_eq!(set.iter().count(), 19);
}
