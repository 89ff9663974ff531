//! TTL or Hop Limit of received packets (RFC 5357 section 4.2.1; row M-70).

/// The least and the greatest TTL that were seen in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TtlRange(Option<(u8, u8)>);

impl TtlRange {
    /// The TTL of a received packet, where it is known.
    pub(crate) fn record(&mut self, ttl: Option<u8>) {
        if let Some(ttl) = ttl {
            let (min, max) = self.0.unwrap_or((ttl, ttl));
            self.0 = Some((min.min(ttl), max.max(ttl)));
        }
    }

    /// Least and greatest; `None` if no packet told its TTL.
    pub(crate) fn value(self) -> Option<(u8, u8)> {
        self.0
    }
}
