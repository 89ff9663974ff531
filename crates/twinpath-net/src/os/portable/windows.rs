//! Datagrams with control messages on Windows: `WSARecvMsg` and `WSASendMsg`.

use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::windows::io::{AsRawSocket as _, RawSocket};
use std::ptr;

use socket2::SockAddr;
use twinpath_wire::{Rung, Stamp, Tos, Wall};
use windows_sys::Win32::Networking::WinSock::{
    IP_DONTFRAGMENT, IP_PKTINFO, IP_RECVTOS, IP_RECVTTL, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6,
    IPV6_DONTFRAG, IPV6_HOPLIMIT, IPV6_PKTINFO, IPV6_RECVTCLASS, IPV6_TCLASS, LPFN_WSARECVMSG,
    MSG_BCAST, MSG_MCAST, MSG_TRUNC, SIO_GET_EXTENSION_FUNCTION_POINTER, SIO_TIMESTAMPING,
    SO_TIMESTAMP, SOCKET, SOCKET_ERROR, SOL_SOCKET, TIMESTAMPING_CONFIG, TIMESTAMPING_FLAG_RX,
    WSABUF, WSAEMSGSIZE, WSAID_WSARECVMSG, WSAIoctl, WSAMSG, WSASendMsg, setsockopt,
};
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

use super::Received;
use super::marking::Marking;
use crate::clock;
use crate::error::BindError;
use crate::options::SocketOptions;
use crate::os::control::{Control, Writer, messages};
use crate::packet::Outbound;

/// Whether each packet tells where it was sent to.
pub(crate) const REPORTS_DESTINATION: bool = true;

/// A stamp that would be older than this was not made of the packet.
const OLDEST_STAMP_NS: i64 = 10_000_000_000;

pub(super) struct Layer {
    receive: unsafe extern "system" fn(
        SOCKET,
        *mut WSAMSG,
        *mut u32,
        *mut windows_sys::Win32::System::IO::OVERLAPPED,
        windows_sys::Win32::Networking::WinSock::LPWSAOVERLAPPED_COMPLETION_ROUTINE,
    ) -> i32,
    is_v6: bool,
    marking: Marking,
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layer")
            .field("marking", &self.marking)
            .finish_non_exhaustive()
    }
}

impl Layer {
    pub(super) fn prepare(
        socket: &socket2::Socket,
        options: &SocketOptions,
    ) -> Result<Self, BindError> {
        let option = |what| BindError::of_option(options.near, what);
        let raw = socket.as_raw_socket();
        let is_v6 = options.near.is_ipv6();
        let receive = receive_function(raw).map_err(option("WSARecvMsg"))?;
        let (level, info) = if is_v6 {
            (IPPROTO_IPV6, IPV6_PKTINFO)
        } else {
            (IPPROTO_IP, IP_PKTINFO)
        };
        set(raw, level, info, 1).map_err(option("IP_PKTINFO"))?;
        // What a version of Windows does not tell is not known.
        let told = if is_v6 {
            [IPV6_HOPLIMIT, IPV6_RECVTCLASS]
        } else {
            [IP_RECVTTL, IP_RECVTOS]
        };
        for name in told {
            let _unsupported = set(raw, level, name, 1);
        }
        let _unsupported = stamp_arrivals(raw);
        if options.path.dont_fragment {
            let name = if is_v6 {
                IPV6_DONTFRAG
            } else {
                IP_DONTFRAGMENT
            };
            set(raw, level, name, 1).map_err(option("DF"))?;
        }
        let layer = Self {
            receive,
            is_v6,
            marking: Marking::of(options.tos()),
        };
        layer.mark(raw, None).map_err(option("the ToS"))?;
        Ok(layer)
    }

    /// The next packet leaves with this ToS, or the usual one, where the system's policy allows it.
    fn mark(&self, raw: RawSocket, tos: Option<Tos>) -> io::Result<()> {
        let (level, name) = if self.is_v6 {
            (IPPROTO_IPV6, IPV6_TCLASS)
        } else {
            (IPPROTO_IP, IP_TOS)
        };
        self.marking.mark(tos, |value| set(raw, level, name, value))
    }

    pub(super) fn receive(&self, socket: &UdpSocket, slot: &mut [u8]) -> io::Result<Received> {
        let mut control = Control::EMPTY;
        let mut flags = 0;
        let mut used = 0;
        let room = slot.len();
        let mut buffer = buffer_of(slot.as_mut_ptr(), room);
        let receive = |name: *mut socket2::SockAddrStorage, octets: *mut i32| {
            let mut message = WSAMSG {
                name: name.cast(),
                // SAFETY: `try_init` gives the length of the storage.
                namelen: unsafe { *octets },
                lpBuffers: &raw mut buffer,
                dwBufferCount: 1,
                Control: buffer_of(control.0.as_mut_ptr(), control.0.len()),
                dwFlags: 0,
            };
            let mut count = 0;
            // SAFETY: name, buffer and control messages live across the call and are as long as is said.
            let result = unsafe {
                (self.receive)(
                    as_socket(socket.as_raw_socket()),
                    &raw mut message,
                    &raw mut count,
                    ptr::null_mut(),
                    None,
                )
            };
            let mut received = usize::try_from(count).unwrap_or(room);
            if result == SOCKET_ERROR {
                let error = io::Error::last_os_error();
                // A datagram that is longer than the slot, whose beginning is there.
                if error.raw_os_error() != Some(WSAEMSGSIZE) {
                    return Err(error);
                }
                message.dwFlags |= MSG_TRUNC;
                received = room;
            }
            (flags, used) = (message.dwFlags, message.Control.len);
            // SAFETY: as above.
            unsafe { *octets = message.namelen };
            Ok(received)
        };
        // SAFETY: an address was written there, of the length that is set.
        let (octets, from) = unsafe { SockAddr::try_init(receive) }?;
        let from = from.as_socket().ok_or(io::ErrorKind::InvalidData)?;
        let mut received = Received {
            is_truncated: flags & MSG_TRUNC != 0,
            ..Received::of(octets.min(room), from)
        };
        let used = usize::try_from(used).unwrap_or(0);
        self.read(control.0.get(..used).unwrap_or_default(), &mut received);
        if flags & (MSG_BCAST | MSG_MCAST) != 0 {
            received.to = Some(IpAddr::V4(Ipv4Addr::BROADCAST));
        }
        Ok(received)
    }

    fn read(&self, control: &[u8], received: &mut Received) {
        for message in messages(control) {
            let int = || message.int().and_then(|value| u8::try_from(value).ok());
            match (message.level, message.kind) {
                (IPPROTO_IP, IP_PKTINFO) => {
                    let address = message.data.first_chunk::<4>();
                    received.to = address.map(|octets| Ipv4Addr::from(*octets).into());
                    received.interface = word(message.data, 4);
                }
                (IPPROTO_IPV6, IPV6_PKTINFO) => {
                    let address = message.data.first_chunk::<16>();
                    received.to = address.map(|octets| Ipv6Addr::from(*octets).into());
                    received.interface = word(message.data, 16);
                }
                // IP_HOPLIMIT is the number of IP_RECVTTL, by which some versions tell it.
                (IPPROTO_IP, IP_TTL | IP_RECVTTL) | (IPPROTO_IPV6, IPV6_HOPLIMIT) => {
                    received.ttl = int();
                }
                (IPPROTO_IP, IP_TOS) | (IPPROTO_IPV6, IPV6_TCLASS) => {
                    received.tos = int().map(Tos);
                }
                (SOL_SOCKET, kind) if kind.cast_unsigned() == SO_TIMESTAMP => {
                    let ticks = message
                        .data
                        .first_chunk()
                        .map(|ticks| u64::from_ne_bytes(*ticks));
                    received.at = ticks.and_then(at);
                }
                _ => {}
            }
        }
    }

    pub(super) fn send(&self, socket: &UdpSocket, octets: &[u8], out: &Outbound) -> io::Result<()> {
        let raw = socket.as_raw_socket();
        // A reply whose marking the system refuses leaves without it.
        let _refused = self.mark(raw, out.tos);
        let mut control = Control::EMPTY;
        let mut writer = Writer::new(&mut control);
        if out.from.is_some() || out.interface != 0 {
            packet_info(&mut writer, out);
        }
        let used = writer.used();
        let to = SockAddr::from(out.to);
        // The system only reads the octets.
        let mut buffer = buffer_of(octets.as_ptr().cast_mut(), octets.len());
        let message = WSAMSG {
            name: to.as_ptr().cast_mut().cast(),
            namelen: to.len(),
            lpBuffers: &raw mut buffer,
            dwBufferCount: 1,
            Control: if used == 0 {
                buffer_of(ptr::null_mut(), 0)
            } else {
                buffer_of(control.0.as_mut_ptr(), used)
            },
            dwFlags: 0,
        };
        let mut sent = 0;
        // SAFETY: name, octets and control messages live across the call and are as long as is said.
        let result = unsafe {
            WSASendMsg(
                as_socket(raw),
                &raw const message,
                0,
                &raw mut sent,
                ptr::null_mut(),
                None,
            )
        };
        if result == SOCKET_ERROR {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

/// The address to send from and the interface to send by.
fn packet_info(writer: &mut Writer<'_>, out: &Outbound) {
    let interface = out.interface.to_ne_bytes();
    if out.to.is_ipv6() {
        let from = match out.from {
            Some(IpAddr::V6(from)) => from,
            _ => Ipv6Addr::UNSPECIFIED,
        };
        let mut data = [0; 20];
        data[..16].copy_from_slice(&from.octets());
        data[16..].copy_from_slice(&interface);
        writer.push(IPPROTO_IPV6, IPV6_PKTINFO, &data);
    } else {
        let from = match out.from {
            Some(IpAddr::V4(from)) => from,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let mut data = [0; 8];
        data[..4].copy_from_slice(&from.octets());
        data[4..].copy_from_slice(&interface);
        writer.push(IPPROTO_IP, IP_PKTINFO, &data);
    }
}

fn as_socket(raw: RawSocket) -> SOCKET {
    // Both have the width of a pointer.
    raw as SOCKET
}

fn buffer_of(octets: *mut u8, length: usize) -> WSABUF {
    WSABUF {
        len: u32::try_from(length).unwrap_or(u32::MAX),
        buf: octets,
    }
}

fn word(data: &[u8], at: usize) -> u32 {
    let word = data.get(at..).and_then(|rest| rest.first_chunk());
    word.map_or(0, |word| u32::from_ne_bytes(*word))
}

/// Sets an option that is an `int`.
fn set(raw: RawSocket, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the value lives across the call and is as long as is said.
    let result = unsafe {
        setsockopt(
            as_socket(raw),
            level,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as i32,
        )
    };
    if result == SOCKET_ERROR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Where `WSARecvMsg` is, which no library exports.
fn receive_function(
    raw: RawSocket,
) -> io::Result<
    unsafe extern "system" fn(
        SOCKET,
        *mut WSAMSG,
        *mut u32,
        *mut windows_sys::Win32::System::IO::OVERLAPPED,
        windows_sys::Win32::Networking::WinSock::LPWSAOVERLAPPED_COMPLETION_ROUTINE,
    ) -> i32,
> {
    let id = WSAID_WSARECVMSG;
    let mut found: LPFN_WSARECVMSG = None;
    control(raw, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, &mut found)?;
    found.ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Has the system stamp packets as they arrive (Windows 11, Windows Server 2022).
fn stamp_arrivals(raw: RawSocket) -> io::Result<()> {
    // SAFETY: flags and a count, for which zero is a value.
    let mut config: TIMESTAMPING_CONFIG = unsafe { zeroed() };
    config.Flags = TIMESTAMPING_FLAG_RX;
    control(raw, SIO_TIMESTAMPING, &config, &mut ())
}

/// A request to the socket, with what it takes and what it gives.
fn control<I, O>(raw: RawSocket, code: u32, input: &I, output: &mut O) -> io::Result<()> {
    let mut count = 0;
    // SAFETY: both live across the call and are as long as is said; the system writes a value of the type that belongs
    // to the code.
    let result = unsafe {
        WSAIoctl(
            as_socket(raw),
            code,
            ptr::from_ref(input).cast(),
            size_of::<I>() as u32,
            ptr::from_mut(output).cast(),
            size_of::<O>() as u32,
            &raw mut count,
            ptr::null_mut(),
            None,
        )
    };
    if result == SOCKET_ERROR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The time of a stamp, which counts as the performance counter does.
fn at(ticks: u64) -> Option<Stamp> {
    let (mut now, mut each_second) = (0, 0);
    // SAFETY: both live across the calls.
    unsafe {
        QueryPerformanceCounter(&raw mut now);
        QueryPerformanceFrequency(&raw mut each_second);
    }
    let wall = clock::wall();
    let age = i128::from(now) - i128::from(ticks);
    let age_ns = (age * 1_000_000_000).checked_div(each_second.into())?;
    let age_ns = i64::try_from(age_ns).ok()?;
    (0..OLDEST_STAMP_NS).contains(&age_ns).then(|| Stamp {
        at: Wall::from_unix_ns(wall.unix_ns() - age_ns),
        rung: Rung::Kernel,
    })
}
