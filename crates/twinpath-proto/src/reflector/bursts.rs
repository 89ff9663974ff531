//! Replies that follow the first one to a request (RFC 10052), until their time comes: a bounded table.

use std::collections::BTreeMap;
use std::time::Duration;

use twinpath_wire::{Arrival, Mono};

use super::reply::Reflection;

/// The most requests whose replies are not all sent.
const MOST: usize = 256;
/// The most octets of their replies, of which one is kept for each.
const MOST_OCTETS: usize = 1 << 20;

/// Bursts by the time of their next reply.
#[derive(Default)]
pub(super) struct Bursts {
    pending: BTreeMap<(Mono, u64), Burst>,
    /// All bursts so far; tells those with the same time apart.
    added: u64,
    /// Octets of the replies that are kept.
    octets: usize,
}

/// The further replies to one request.
pub(super) struct Burst {
    /// The one before.
    pub(super) reply: Box<[u8]>,
    pub(super) reflection: Reflection,
    pub(super) arrival: Arrival,
    /// That the request came by.
    pub(super) socket: u64,
    pub(super) interval: Duration,
    /// How many are left.
    pub(super) left: u16,
}

impl Bursts {
    /// The longest reply that there is room for.
    pub(super) fn room(&self) -> usize {
        if self.pending.len() < MOST {
            MOST_OCTETS.saturating_sub(self.octets)
        } else {
            0
        }
    }

    /// Adds one whose next reply leaves at `due`. Replies that are not sent, for lack of room.
    pub(super) fn add(&mut self, due: Mono, burst: Burst) -> u64 {
        if burst.reply.len() > self.room() {
            return burst.left.into();
        }
        self.octets += burst.reply.len();
        self.added += 1;
        self.pending.insert((due, self.added), burst);
        0
    }

    /// When the next reply leaves, and by which socket.
    pub(super) fn next(&self) -> Option<(Mono, u64)> {
        let ((due, _), burst) = self.pending.first_key_value()?;
        Some((*due, burst.socket))
    }

    /// Takes out the one whose reply leaves next.
    pub(super) fn take(&mut self) -> Option<(Mono, Burst)> {
        let ((due, _), burst) = self.pending.pop_first()?;
        self.octets -= burst.reply.len();
        Some((due, burst))
    }

    /// Ends those of a socket, or all. Replies that are not sent.
    pub(super) fn end(&mut self, socket: Option<u64>) -> u64 {
        let is_of = |burst: &Burst| socket.is_none_or(|socket| burst.socket == socket);
        let ended = self.pending.extract_if(.., |_, burst| is_of(burst));
        let mut left = 0;
        for (_, burst) in ended {
            self.octets -= burst.reply.len();
            left += u64::from(burst.left);
        }
        left
    }
}
