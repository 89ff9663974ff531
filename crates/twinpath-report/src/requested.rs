//! Additional figures of a report, and their assumptions.

use std::net::SocketAddr;

use twinpath_metrics::VoiceParameters;

use crate::words;

/// Figures in addition to the usual ones, and how addresses are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requested {
    /// The call that voice quality is estimated for.
    pub voice: VoiceParameters,
    /// Whether it was requested, so that text shows it too.
    pub voice_asked: bool,
    /// Percentiles with lost packets as infinite delays.
    pub with_loss: bool,
    /// Bins with edges that fit what was measured.
    pub automatic_bins: bool,
    /// Returns the name of an interface by its number, if the system knows it; `None`: zones are
    /// written as numbers.
    pub interface_name: Option<fn(u32) -> Option<String>>,
}

impl Requested {
    /// `192.0.2.1:862`, `[2001:db8::1]:862`, `[fe80::1%eth0]:862`.
    pub fn endpoint(&self, address: SocketAddr) -> String {
        words::endpoint(address, |index| self.interface_name?(index))
    }
}
