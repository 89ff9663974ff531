//! Control messages: read and written as octets, so that neither needs unsafe code.

use std::ffi::c_int;

/// The length of a control message, as the system has it.
#[cfg(any(target_os = "linux", target_os = "android", windows))]
type Length = usize;
#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
type Length = u32;

/// The alignment of messages and of their data.
const ALIGNMENT: usize = if cfg!(target_vendor = "apple") {
    4
} else {
    size_of::<usize>()
};
/// Where the data of a message begins: after its length, level and kind.
const HEADER: usize = (size_of::<Length>() + 2 * size_of::<c_int>()).next_multiple_of(ALIGNMENT);

/// Buffer for control messages, aligned as the kernel requires.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Control(pub(crate) [u8; Control::OCTETS]);

impl Control {
    pub(crate) const OCTETS: usize = 320;
    pub(crate) const EMPTY: Self = Self([0; Self::OCTETS]);
}

/// One control message.
pub(crate) struct Message<'a> {
    pub(crate) level: c_int,
    pub(crate) kind: c_int,
    pub(crate) data: &'a [u8],
}

impl Message<'_> {
    /// The value as an `int`; a single octet (`IP_TOS`) too.
    pub(crate) fn int(&self) -> Option<c_int> {
        match self.data.first_chunk() {
            Some(word) => Some(c_int::from_ne_bytes(*word)),
            None => self.data.first().map(|octet| c_int::from(*octet)),
        }
    }
}

/// The complete control messages in `octets`.
pub(crate) fn messages(octets: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (length, fields) = rest.split_first_chunk()?;
        let length = octets_of(Length::from_ne_bytes(*length))?;
        let (level, fields) = fields.split_first_chunk()?;
        let (kind, _) = fields.split_first_chunk()?;
        let data = rest.get(HEADER..length)?;
        rest = rest
            .get(length.next_multiple_of(ALIGNMENT)..)
            .unwrap_or_default();
        Some(Message {
            level: c_int::from_ne_bytes(*level),
            kind: c_int::from_ne_bytes(*kind),
            data,
        })
    })
}

/// A length of any width in octets.
fn octets_of(length: impl TryInto<usize>) -> Option<usize> {
    length.try_into().ok()
}

/// Writes control messages one after the other.
#[cfg(any(linux_sockets, windows))]
pub(crate) struct Writer<'a> {
    octets: &'a mut [u8; Control::OCTETS],
    used: usize,
}

#[cfg(any(linux_sockets, windows))]
impl<'a> Writer<'a> {
    pub(crate) fn new(control: &'a mut Control) -> Self {
        Self {
            octets: &mut control.0,
            used: 0,
        }
    }

    /// Octets written so far.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Appends a message. One that does not fit is left out, but the buffer is large enough for
    /// all.
    pub(crate) fn push(&mut self, level: c_int, kind: c_int, data: &[u8]) {
        let length = HEADER + data.len();
        let end = self.used + length.next_multiple_of(ALIGNMENT);
        let Some(room) = self.octets.get_mut(self.used..end) else {
            return;
        };
        let (fields, room) = room.split_at_mut(HEADER);
        let (word, fields) = fields.split_at_mut(size_of::<Length>());
        word.copy_from_slice(&length.to_ne_bytes());
        let (word, fields) = fields.split_at_mut(size_of::<c_int>());
        word.copy_from_slice(&level.to_ne_bytes());
        let (word, _) = fields.split_at_mut(size_of::<c_int>());
        word.copy_from_slice(&kind.to_ne_bytes());
        for (to, from) in room.iter_mut().zip(data) {
            *to = *from;
        }
        self.used = end;
    }
}

#[cfg(test)]
#[cfg(any(linux_sockets, windows))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut control = Control::EMPTY;
        let mut writer = Writer::new(&mut control);
        writer.push(3, 5, &[7; 12]);
        writer.push(3, 9, &184_i32.to_ne_bytes());
        let used = writer.used();
        let read: Vec<_> = messages(&control.0[..used])
            .map(|m| (m.level, m.kind, m.data.len()))
            .collect();
        assert_eq!(read, [(3, 5, 12), (3, 9, 4)]);
        let tos = messages(&control.0[..used]).nth(1).unwrap();
        assert_eq!(tos.int(), Some(184));
    }

    #[test]
    fn torn_messages_end_the_walk() {
        let mut control = Control::EMPTY;
        let mut writer = Writer::new(&mut control);
        writer.push(0, 2, &64_i32.to_ne_bytes());
        let used = writer.used();
        for cut in 0..used - ALIGNMENT {
            assert_eq!(messages(&control.0[..cut]).count(), 0, "{cut}");
        }
        control.0[0] = 1; // a length shorter than the header
        assert_eq!(messages(&control.0[..used]).count(), 0);
    }
}
