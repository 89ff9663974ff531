//! Many messages with one call.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use super::message::Peer;
use super::sys::checked;

/// Messages of one call.
pub(super) const BATCH: usize = 64;
const ASKED: libc::c_uint = 64;
/// The longest datagram that a bare program takes.
const SLOT_OCTETS: usize = 2048;

/// Room for one batch, allocated once.
pub(super) struct Batch {
    octets: Vec<[u8; SLOT_OCTETS]>,
    lengths: Vec<usize>,
    peers: Vec<Peer>,
    parts: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    /// Control messages of the error queue: a timestamp and its packet's number.
    controls: Vec<[u64; 16]>,
}

impl Batch {
    pub(super) fn new() -> Self {
        let part = libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        };
        // SAFETY: an mmsghdr is made of integers and pointers, for which zeros are a value.
        let header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        Self {
            octets: vec![[0; SLOT_OCTETS]; BATCH],
            lengths: vec![0; BATCH],
            peers: vec![Peer::empty(); BATCH],
            parts: vec![part; BATCH],
            headers: vec![header; BATCH],
            controls: vec![[0; 16]; BATCH],
        }
    }

    /// The octets of slot `slot` for `length` octets to send.
    pub(super) fn fill(&mut self, slot: usize, length: usize) -> &mut [u8] {
        if let Some(room) = self.lengths.get_mut(slot) {
            *room = length;
        }
        self.octets
            .get_mut(slot)
            .and_then(|octets| octets.get_mut(..length))
            .unwrap_or_default()
    }

    /// Makes this the peer of every slot.
    pub(super) fn address(&mut self, to: SocketAddr) {
        self.peers.fill(Peer::of(to));
    }

    /// Receives up to [`BATCH`] messages, waiting for the first only where `flags` allow it.
    pub(super) fn receive(&mut self, socket: &impl AsFd, flags: libc::c_int) -> io::Result<usize> {
        self.lengths.fill(SLOT_OCTETS);
        for peer in &mut self.peers {
            peer.octets = Peer::room();
        }
        self.point(BATCH, true);
        let fd = socket.as_fd().as_raw_fd();
        let headers = self.headers.as_mut_ptr();
        // SAFETY: the descriptor is borrowed, so open; `point` made every header lead to slots of
        // this batch with their lengths, and there are BATCH of them.
        let got =
            checked(unsafe { libc::recvmmsg(fd, headers, ASKED, flags, std::ptr::null_mut()) })?;
        let got = usize::try_from(got).unwrap_or(0);
        for ((header, length), peer) in self
            .headers
            .iter()
            .zip(&mut self.lengths)
            .zip(&mut self.peers)
            .take(got)
        {
            *length = usize::try_from(header.msg_len).unwrap_or(0);
            peer.octets = header.msg_hdr.msg_namelen;
        }
        Ok(got)
    }

    /// Reads up to [`BATCH`] transmit timestamps from the error queue. Returns how many.
    pub(super) fn take_stamps(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        for (header, control) in self.headers.iter_mut().zip(&mut self.controls) {
            // SAFETY: an msghdr is made of integers and pointers, for which zeros are a value.
            header.msg_hdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = size_of_val(control);
        }
        let fd = socket.as_fd().as_raw_fd();
        let headers = self.headers.as_mut_ptr();
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        // SAFETY: the descriptor is borrowed, so open; every header leads to a control buffer of this
        // batch with its length and to nothing else, and there are BATCH of them.
        let got = unsafe { libc::recvmmsg(fd, headers, ASKED, flags, std::ptr::null_mut()) };
        for header in &mut self.headers {
            header.msg_hdr.msg_control = std::ptr::null_mut();
            header.msg_hdr.msg_controllen = 0;
        }
        match checked(got) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            got => Ok(usize::try_from(got?).unwrap_or(0)),
        }
    }

    /// Sends the first `count` slots: each to its own peer, or to the connected one. Says how many
    /// the system took.
    pub(super) fn send(
        &mut self,
        socket: &impl AsFd,
        count: usize,
        to_peers: bool,
    ) -> io::Result<usize> {
        let count = count.min(BATCH);
        self.point(count, to_peers);
        let fd = socket.as_fd().as_raw_fd();
        let headers = self.headers.as_mut_ptr();
        let asked = libc::c_uint::try_from(count).unwrap_or(0);
        // SAFETY: as for recvmmsg above; `count` is at most the number of headers.
        let sent = checked(unsafe { libc::sendmmsg(fd, headers, asked, 0) })?;
        Ok(usize::try_from(sent).unwrap_or(0))
    }

    /// Makes the first `count` headers lead to their slots.
    fn point(&mut self, count: usize, with_peers: bool) {
        let slots = self
            .octets
            .iter_mut()
            .zip(&self.lengths)
            .zip(&mut self.peers);
        let calls = self.parts.iter_mut().zip(&mut self.headers);
        for (((octets, &length), peer), (part, header)) in slots.zip(calls).take(count) {
            *part = libc::iovec {
                iov_base: octets.as_mut_ptr().cast(),
                iov_len: length.min(SLOT_OCTETS),
            };
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = if with_peers {
                (&raw mut peer.storage).cast()
            } else {
                std::ptr::null_mut()
            };
            header.msg_hdr.msg_namelen = if with_peers { peer.octets } else { 0 };
        }
    }
}
