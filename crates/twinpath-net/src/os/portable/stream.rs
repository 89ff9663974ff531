//! The marking of control connections, on systems that allow it.

use std::io;

use socket2::Socket;
use twinpath_wire::Tos;

use crate::packet::IcmpError;

pub(crate) fn mark(socket: &Socket, v6: bool, tos: Tos) -> io::Result<()> {
    if v6 {
        Ok(())
    } else {
        socket.set_tos_v4(tos.0.into())
    }
}

pub(crate) fn keep_syn(_socket: &Socket) {}

pub(crate) fn syn_tos(_socket: &Socket) -> Option<Tos> {
    None
}

pub(crate) fn report_icmp(_socket: &Socket, _v6: bool, _reports: bool) {}

pub(crate) fn icmp_error(_socket: &Socket) -> Option<IcmpError> {
    None
}
