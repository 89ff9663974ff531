//! The error queue: transmit timestamps and ICMP errors.

use std::cell::RefCell;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use libc::c_int;
use twinpath_wire::{Rung, Stamp, Wall};

use super::control::{Message, messages};
use super::headers::{Headers, Received};
use super::names::address;
use super::phc::Phc;
use super::system;
use crate::packet::{IcmpError, IcmpKind, QueueEvent, Quote};

/// Messages taken at once; most contain a timestamp and no octets.
const SLOTS: usize = crate::socket::EVENTS_AT_ONCE;
/// Octets per slot: the part kept of a quoted packet.
const SLOT_OCTETS: usize = Quote::OCTETS;

/// How packet sockets tell it (`linux/if_packet.h`).
const PACKET_TX_TIMESTAMP: c_int = 16;
/// `ee_info` of a timestamp: where it was taken.
const AT_DRIVER: u32 = 0;
const AT_QUEUE: u32 = 1;

thread_local! {
    static ROOM: RefCell<(Headers, [u8; SLOTS * SLOT_OCTETS])> =
        RefCell::new((Headers::new(SLOTS), [0; SLOTS * SLOT_OCTETS]));
}

/// Takes at most [`SLOTS`] messages from the queue, and returns how many.
pub(super) fn take(
    fd: BorrowedFd<'_>,
    phc: Option<&Phc>,
    tell: &mut dyn FnMut(QueueEvent),
) -> usize {
    ROOM.with_borrow_mut(|(headers, octets)| {
        let room = headers.prepare(SLOTS, octets, SLOT_OCTETS);
        // SAFETY: `prepare` has just pointed every header into `headers` and `octets`, which
        // are borrowed for the whole call.
        let result = unsafe { system::receive_messages(fd, room, libc::MSG_ERRQUEUE) };
        let count = result.unwrap_or(0);
        let quoted = octets.chunks_exact(SLOT_OCTETS);
        for (message, quoted) in headers.received(count).zip(quoted) {
            let quoted = quoted.get(..message.octets).unwrap_or(quoted);
            if let Some(told) = read(&message, quoted, phc) {
                tell(told);
            }
        }
        count
    })
}

/// `struct sock_extended_err`, as octets: errno 4, origin 1, type 1, code 1, pad 1, info 4, data 4,
/// then the offender's socket address.
struct Extended<'a>(&'a [u8]);

impl Extended<'_> {
    fn octet(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    fn word(&self, at: usize) -> u32 {
        self.0
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .map_or(0, |word| u32::from_ne_bytes(*word))
    }

    fn origin(&self) -> u8 {
        self.octet(4)
    }

    fn offender(&self) -> Option<IpAddr> {
        address(self.0.get(16..)?).map(|address| address.ip())
    }
}

fn read(message: &Received<'_>, quoted: &[u8], phc: Option<&Phc>) -> Option<QueueEvent> {
    let icmp = |kind, extended: &Extended<'_>| {
        QueueEvent::Icmp(IcmpError {
            kind,
            from: extended.offender(),
            to: message.name.address(),
            quote: Quote::of(quoted),
        })
    };
    let mut stamps = (0, 0);
    let mut extended = None;
    for control in messages(message.control) {
        match (control.level, control.kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => stamps = control.stamps_ns(),
            (libc::SOL_IP, libc::IP_RECVERR)
            | (libc::SOL_IPV6, libc::IPV6_RECVERR)
            | (libc::SOL_PACKET, PACKET_TX_TIMESTAMP) => {
                let Message { data, .. } = control;
                extended = Some(Extended(data));
            }
            _ => {}
        }
    }
    let extended = extended?;
    match c_int::from(extended.origin()) {
        origin if origin == c_int::from(libc::SO_EE_ORIGIN_TIMESTAMPING) => {
            let stamp = stamp(stamps, extended.word(8), phc)?;
            Some(QueueEvent::Sent {
                key: extended.word(12),
                stamp,
            })
        }
        origin if origin == c_int::from(libc::SO_EE_ORIGIN_ICMP) => {
            let (kind, code) = (extended.octet(5), extended.octet(6));
            Some(icmp(v4(kind, code, extended.word(8)), &extended))
        }
        origin if origin == c_int::from(libc::SO_EE_ORIGIN_ICMP6) => {
            let (kind, code) = (extended.octet(5), extended.octet(6));
            Some(icmp(v6(kind, code, extended.word(8)), &extended))
        }
        // Local errors (a packet over the known MTU) were already returned by the send call.
        _ => None,
    }
}

fn stamp((software, hardware): (i64, i64), point: u32, phc: Option<&Phc>) -> Option<Stamp> {
    if hardware != 0 {
        // A NIC's timestamp that cannot be converted to the system clock is not used.
        let at = phc?.to_wall(hardware)?;
        return Some(Stamp {
            at,
            rung: Rung::Hardware,
        });
    }
    let rung = match point {
        AT_DRIVER => Rung::Kernel,
        AT_QUEUE => Rung::Queue,
        _ => return None,
    };
    (software != 0).then(|| Stamp {
        at: Wall::from_unix_ns(software),
        rung,
    })
}

/// RFC 792, RFC 1812 section 5.2.7.
fn v4(kind: u8, code: u8, info: u32) -> IcmpKind {
    match (kind, code) {
        (3, 3) => IcmpKind::PortUnreachable,
        (3, 9 | 10 | 13) => IcmpKind::Prohibited,
        (3, 4) => IcmpKind::TooBig { mtu: info },
        (3, 0 | 6 | 11) => IcmpKind::NetworkUnreachable,
        (3, _) => IcmpKind::HostUnreachable,
        (11, 0) => IcmpKind::TtlExceeded,
        _ => IcmpKind::Other { kind, code },
    }
}

/// RFC 4443 section 3.
fn v6(kind: u8, code: u8, info: u32) -> IcmpKind {
    match (kind, code) {
        (1, 4) => IcmpKind::PortUnreachable,
        (1, 1 | 5 | 6) => IcmpKind::Prohibited,
        (1, 0) => IcmpKind::NetworkUnreachable,
        (1, _) => IcmpKind::HostUnreachable,
        (2, _) => IcmpKind::TooBig { mtu: info },
        (3, 0) => IcmpKind::TtlExceeded,
        _ => IcmpKind::Other { kind, code },
    }
}
