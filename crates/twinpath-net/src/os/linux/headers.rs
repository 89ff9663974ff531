//! Message headers for a batch: written here for `sendmmsg`, filled by `recvmmsg` and read here.

use libc::{iovec, mmsghdr, msghdr};

use super::control::Control;
use super::names::Name;
use crate::batch::Datagram;
use crate::packet::Outbound;

/// Headers, names and control messages of a batch.
pub(crate) struct Headers {
    messages: Box<[mmsghdr]>,
    vectors: Box<[iovec]>,
    names: Box<[Name]>,
    controls: Box<[Control]>,
}

// SAFETY: the pointers within point into the batch that owns these headers, or to nothing, and are
// set again by `prepare` before each use.
unsafe impl Send for Headers {}
// SAFETY: as above; nothing is reached through a shared reference.
unsafe impl Sync for Headers {}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Headers")
            .field("slots", &self.messages.len())
            .finish_non_exhaustive()
    }
}

/// A header that points to nothing.
fn empty() -> mmsghdr {
    // SAFETY: a header is pointers and lengths, for which zero is a value.
    unsafe { std::mem::zeroed() }
}

/// The vector of octets to send, which the kernel only reads.
pub(crate) fn vector_of(octets: &[u8]) -> iovec {
    iovec {
        iov_base: octets.as_ptr().cast_mut().cast(),
        iov_len: octets.len(),
    }
}

/// The header of a datagram to send, valid until something that it points to moves.
pub(crate) fn outgoing(
    name: &mut Name,
    name_octets: u32,
    vectors: &mut [iovec],
    control: &mut Control,
    control_octets: usize,
) -> msghdr {
    let mut header = empty().msg_hdr;
    header.msg_name = name.0.as_mut_ptr().cast();
    header.msg_namelen = name_octets;
    header.msg_iov = vectors.as_mut_ptr();
    header.msg_iovlen = vectors.len() as _;
    if control_octets > 0 {
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = control_octets as _;
    }
    header
}

impl Headers {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            messages: (0..slots).map(|_| empty()).collect(),
            vectors: (0..slots).map(|_| vector_of(&[])).collect(),
            names: vec![Name::EMPTY; slots].into_boxed_slice(),
            controls: vec![Control::EMPTY; slots].into_boxed_slice(),
        }
    }

    /// Each header, and what it points at.
    fn each(
        &mut self,
    ) -> impl Iterator<Item = (((&mut mmsghdr, &mut iovec), &mut Name), &mut Control)> {
        let parts = self.messages.iter_mut().zip(&mut self.vectors);
        parts.zip(&mut self.names).zip(&mut self.controls)
    }

    /// Fills a header for each datagram to send, as far as there are headers; `write` writes the
    /// control messages of one and returns their length in octets. The headers are valid as long as
    /// the datagrams live, until one of these moves.
    pub(crate) fn fill<'a>(
        &mut self,
        datagrams: impl Iterator<Item = Datagram<'a>>,
        mut write: impl FnMut(&Outbound, &mut Control) -> usize,
    ) -> &mut [mmsghdr] {
        let mut count = 0;
        for ((((message, vector), name), control), (_, octets, out)) in self.each().zip(datagrams) {
            let name_octets;
            (*name, name_octets) = Name::of(&out.to);
            let control_octets = write(out, control);
            *vector = vector_of(octets);
            let vector = std::slice::from_mut(vector);
            message.msg_hdr = outgoing(name, name_octets, vector, control, control_octets);
            count += 1;
        }
        self.messages.get_mut(..count).unwrap_or_default()
    }

    /// Points each of the first `count` headers at its slot of `data` (in slots of `slot_octets`; 0: none), its
    /// name and its control messages. They are valid until one of these moves.
    pub(crate) fn prepare(
        &mut self,
        count: usize,
        data: &mut [u8],
        slot_octets: usize,
    ) -> &mut [mmsghdr] {
        let count = count.min(self.messages.len());
        let mut slots = data.chunks_exact_mut(slot_octets.max(1));
        for (((message, vector), name), control) in self.each().take(count) {
            if let Some(slot) = slots.next() {
                vector.iov_base = slot.as_mut_ptr().cast();
                vector.iov_len = slot.len();
            }
            let header: &mut msghdr = &mut message.msg_hdr;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_name = name.0.as_mut_ptr().cast();
            header.msg_namelen = 32;
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = Control::OCTETS as _;
            header.msg_flags = 0;
        }
        self.messages.get_mut(..count).unwrap_or_default()
    }

    /// The data that the kernel wrote for each of the first `count` messages.
    pub(crate) fn received(&self, count: usize) -> impl Iterator<Item = Received<'_>> {
        self.messages
            .iter()
            .zip(&self.names)
            .zip(&self.controls)
            .take(count)
            .map(|((message, name), control)| Received {
                octets: message.msg_len as usize,
                truncated: message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                name,
                control: control
                    .0
                    .get(..control_octets(&message.msg_hdr))
                    .unwrap_or_default(),
            })
    }
}

/// The C libraries disagree on this length's type.
#[allow(
    clippy::unnecessary_cast,
    reason = "another type with another C library"
)]
fn control_octets(header: &msghdr) -> usize {
    header.msg_controllen as usize
}

/// One received message without its octets.
pub(crate) struct Received<'a> {
    pub(crate) octets: usize,
    pub(crate) truncated: bool,
    pub(crate) name: &'a Name,
    pub(crate) control: &'a [u8],
}
