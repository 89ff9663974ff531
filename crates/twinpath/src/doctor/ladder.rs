//! Datagrams of several sizes to one port, between two small ones: which sizes pass, and on which way the
//! others are lost.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::Wall;

use super::packets::PacketWriter;

/// Sizes of a ladder at most.
pub(crate) const MOST_SIZES: usize = 13;
/// The small ones at its ends.
const ENDS: usize = 2;
/// IP and UDP headers, in octets.
const HEADERS_V4: usize = 28;
const HEADERS_V6: usize = 48;

/// Sizes of IP packets, ascending, each sent several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ladder {
    /// Octets; the first `steps` of them.
    sizes: [u16; MOST_SIZES],
    steps: usize,
    /// Packets of each size.
    pub(crate) each: usize,
    /// With DF set.
    pub(crate) is_whole: bool,
    /// How long replies are waited for, in milliseconds.
    pub(crate) patience_ms: u16,
}

impl Ladder {
    /// Of these sizes, with DF set, each twice.
    pub(crate) fn of(sizes: &[u16], patience_ms: u16) -> Self {
        let mut ladder = Self {
            sizes: [0; MOST_SIZES],
            steps: sizes.len().min(MOST_SIZES),
            each: 2,
            is_whole: true,
            patience_ms,
        };
        for (to, from) in ladder.sizes.iter_mut().zip(sizes) {
            *to = *from;
        }
        ladder
    }

    /// Its question's kind.
    pub(crate) fn name(&self) -> &'static str {
        if self.is_whole {
            "unfragmented"
        } else {
            "fragmented"
        }
    }

    /// How many packets.
    pub(crate) fn count(&self) -> usize {
        self.each * self.steps + ENDS
    }

    /// The sizes, ascending.
    pub(crate) fn sizes(&self) -> &[u16] {
        self.sizes.get(..self.steps).unwrap_or_default()
    }

    /// Places of the packets of a size, by its place in [`Self::sizes`].
    pub(crate) fn places(&self, step: usize) -> impl Iterator<Item = usize> + use<> {
        let (each, first) = (self.each, 1 + step);
        let steps = self.steps;
        (0..each).map(move |again| first + again * steps)
    }

    /// The packet with this number and this time.
    pub(crate) fn packet(
        &self,
        writer: PacketWriter<'_>,
        far: SocketAddr,
        number: u32,
        now: Wall,
    ) -> Vec<u8> {
        let place = usize::try_from(number).unwrap_or(0);
        let is_end = place == 0 || place + 1 >= self.count();
        let size = match place.checked_sub(1) {
            Some(step) if !is_end => self.sizes().get(step % self.steps.max(1)).copied(),
            _ => None,
        };
        let octets = size.map_or(0, usize::from);
        writer.padded(number, now, octets.saturating_sub(headers(far)))
    }

    pub(crate) fn path(&self) -> PathOptions {
        PathOptions {
            dont_fragment: self.is_whole,
            ..PathOptions::default()
        }
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms.into())
    }
}

/// Between departures: a router that is slow with large packets keeps up.
pub(crate) const INTERVAL: Duration = Duration::from_millis(5);

/// Octets of the headers below the UDP payload.
pub(crate) fn headers(far: SocketAddr) -> usize {
    if far.is_ipv4() {
        HEADERS_V4
    } else {
        HEADERS_V6
    }
}
