//! Looks at TCP segments over IPv4 as they arrive on this host.

use std::io::Read as _;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::program::only_port;

/// A segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) tos: u8,
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) payload: Vec<u8>,
}

/// All segments from or to a port that arrive from now on.
pub(super) struct Segments(Socket);

impl Segments {
    /// `None` where only root may; says so.
    pub(super) fn open(port: u16) -> Option<Self> {
        let socket = match Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::TCP)) {
            Ok(socket) => socket,
            Err(error) => {
                println!("skipped: no raw socket ({error})");
                return None;
            }
        };
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        socket.set_recv_buffer_size(4 << 20).unwrap();
        only_port(&socket, port);
        Some(Self(socket))
    }

    /// Reads until a segment fits.
    pub(super) fn wait_for(&mut self, fits: impl Fn(&Segment) -> bool) -> Segment {
        let until = Instant::now() + Duration::from_secs(30);
        let mut octets = vec![0; 1 << 16];
        while Instant::now() < until {
            let Ok(count) = self.0.read(&mut octets) else {
                continue;
            };
            if let Some(segment) = segment(&octets[..count]).filter(&fits) {
                return segment;
            }
        }
        panic!("no such segment arrived");
    }
}

/// RFC 791 section 3.1, RFC 9293 section 3.1.
fn segment(octets: &[u8]) -> Option<Segment> {
    let length = |octet: u8| usize::from(octet) * 4;
    let tcp = octets.get(length(octets.first()? & 15)..)?;
    let word = |at: usize| Some(u16::from_be_bytes(tcp.get(at..at + 2)?.try_into().ok()?));
    Some(Segment {
        tos: *octets.get(1)?,
        from: word(0)?,
        to: word(2)?,
        payload: tcp.get(length(*tcp.get(12)? >> 4)..)?.to_vec(),
    })
}
