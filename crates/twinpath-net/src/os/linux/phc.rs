//! A network interface's own clock (PHC) and its conversion to the system clock.
//!
//! A NIC's timestamp is in the NIC's time. It is converted to the system clock by an offset
//! measured from readings of both clocks; without such an offset it is not used.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Mutex;
use std::time::Duration;

use twinpath_wire::{Delta, Mono, Wall};

use super::{clock, system};
use crate::hardware::NoHardware;

/// How long an offset is valid: a NIC's free-running oscillator, 50 ppm off, drifts 5 ns per 0.1
/// ms.
const FRESH: Duration = Duration::from_millis(100);
/// A reading of both clocks that took longer is too inexact.
const WIDEST_NS: i64 = 100_000;
const TRIES: usize = 5;

/// Enables timestamps in the interface's driver (`linux/net_tstamp.h`).
#[repr(C)]
struct StampConfig {
    flags: i32,
    transmit: i32,
    receive: i32,
}

/// `struct ethtool_ts_info`: an interface's timestamping capabilities, and the index of its clock.
#[repr(C)]
struct StampInfo {
    command: u32,
    stamping: u32,
    clock_index: i32,
    rest: [u32; 8],
}

const GET_STAMP_INFO: u32 = 0x41;
const TRANSMIT_ON: i32 = 1;
const RECEIVE_ALL: i32 = 1;

#[derive(Debug)]
pub(crate) struct Phc {
    device: File,
    offset: Mutex<Option<(Mono, Delta)>>,
}

impl Phc {
    /// The clock of an interface, with timestamping enabled.
    ///
    /// # Errors
    /// [`NoHardware`]: it has none, or this process lacks the privilege.
    pub(crate) fn of_interface(name: &str) -> Result<Self, NoHardware> {
        let interface = || name.to_owned();
        let unknown = |error: io::Error| NoHardware::Unknown {
            interface: interface(),
            error: error.to_string(),
        };
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").map_err(unknown)?;
        let mut info = StampInfo {
            command: GET_STAMP_INFO,
            stamping: 0,
            clock_index: -1,
            rest: [0; 8],
        };
        match interface_call(&socket, name, ETHTOOL, (&raw mut info).cast()) {
            Ok(()) => {}
            // A driver that reports no timestamps has none.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                return Err(NoHardware::None {
                    interface: interface(),
                });
            }
            Err(error) => return Err(unknown(error)),
        }
        let index = u32::try_from(info.clock_index).ok();
        let stamps = info.stamping & libc::SOF_TIMESTAMPING_TX_HARDWARE != 0;
        let Some(index) = index.filter(|_| stamps) else {
            return Err(NoHardware::None {
                interface: interface(),
            });
        };
        let mut config = StampConfig {
            flags: 0,
            transmit: TRANSMIT_ON,
            receive: RECEIVE_ALL,
        };
        interface_call(&socket, name, SET_STAMPS, (&raw mut config).cast()).map_err(|error| {
            if error.kind() == io::ErrorKind::PermissionDenied {
                return NoHardware::Privilege {
                    interface: interface(),
                };
            }
            NoHardware::Refused {
                interface: interface(),
                error: error.to_string(),
            }
        })?;
        let clock = format!("/dev/ptp{index}");
        let unread = |error: String| NoHardware::Clock {
            interface: interface(),
            clock: clock.clone(),
            error,
        };
        let device = File::open(&clock).map_err(|error| unread(error.to_string()))?;
        let phc = Self {
            device,
            offset: Mutex::new(None),
        };
        match phc.to_wall(0) {
            Some(_) => Ok(phc),
            None => Err(unread("it takes too long".to_owned())),
        }
    }

    /// Converts a NIC's time to the system clock; `None` if the two cannot be compared now.
    pub(crate) fn to_wall(&self, phc_ns: i64) -> Option<Wall> {
        let now = clock::mono();
        let mut offset = self.offset.lock().ok()?;
        let fresh = offset.filter(|(at, _)| now.since(*at) < FRESH);
        let (_, delta) = if let Some(fresh) = fresh {
            fresh
        } else {
            let measured = (now, self.measure()?);
            *offset = Some(measured);
            measured
        };
        Some(Wall::from_unix_ns(phc_ns) + delta)
    }

    /// System clock minus the NIC's, from the tightest of a few readings.
    fn measure(&self) -> Option<Delta> {
        // A descriptor as a clock: its complement, shifted, marked 3 (`FD_TO_CLOCKID`).
        let id: libc::clockid_t = (!self.device.as_fd().as_raw_fd() << 3) | 3;
        let mut best: Option<(i64, i64)> = None;
        for _ in 0..TRIES {
            let before = clock::wall().unix_ns();
            let phc = system::clock_ns(id)?;
            let width = clock::wall().unix_ns().saturating_sub(before);
            let offset = before.saturating_add(width / 2).saturating_sub(phc);
            if best.is_none_or(|(narrowest, _)| width < narrowest) {
                best = Some((width, offset));
            }
        }
        best.filter(|(width, _)| (0..=WIDEST_NS).contains(width))
            .map(|(_, ns)| Delta::from_ns(ns))
    }
}

/// Requests, of the type that the C library has for them.
const ETHTOOL: libc::Ioctl = libc::SIOCETHTOOL as _;
const SET_STAMPS: libc::Ioctl = libc::SIOCSHWTSTAMP as _;

/// An interface `ioctl` with its own structure.
fn interface_call(
    socket: &std::net::UdpSocket,
    name: &str,
    request: libc::Ioctl,
    data: *mut libc::c_char,
) -> io::Result<()> {
    let mut call = system::interface_request(name)?;
    call.ifr_ifru.ifru_data = data;
    // SAFETY: `call` and what `data` points to live across the call; the request fits the structure.
    system::check(unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw mut call) })
}
