//! The number of routers on the path, from the TTL on arrival (row M-70).

use crate::SessionReport;
use twinpath_metrics::TtlFigures;

/// TTL with which a reflector sends (RFC 5357 section 4.2: it SHOULD).
const OF_REPLIES: u8 = 255;
/// No path has more hops: a host that seems farther away started with 128 or 64, the other usual
/// values, or the packet was sent anew on the way.
const MOST_HOPS: u8 = 126;

/// Least and greatest number of hops.
pub(crate) type Hops = Option<(u8, u8)>;

/// Outbound, where the sent TTL is known. `None` if the reflector does not report the received TTL:
/// it writes 0, more than was sent, or always 255 although the inbound path has hops.
pub(crate) fn forward(report: &SessionReport) -> Hops {
    let seen = report.figures.ttl_forward?;
    let routed = backward(report).is_some_and(|(least, _)| least > 0);
    let is_known = report.origin.has_setup();
    let given = is_known && seen.min > 0 && !(seen.min == u8::MAX && routed);
    hops(report.identity.ttl, seen).filter(|_| given)
}

/// Inbound, if the reflector sends with 255.
pub(crate) fn backward(report: &SessionReport) -> Hops {
    let seen = report.figures.ttl_backward?;
    hops(OF_REPLIES, seen)
}

fn hops(sent: u8, seen: TtlFigures) -> Hops {
    let (least, most) = (sent.checked_sub(seen.max)?, sent.checked_sub(seen.min)?);
    (most <= MOST_HOPS).then_some((least, most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::quiet;

    /// Hops outbound and inbound from these TTLs: as sent, as received by the reflector, and of the
    /// replies.
    fn of(sent: u8, seen: (u8, u8), replies: (u8, u8)) -> [Hops; 2] {
        let ttl = |(min, max)| {
            Some(TtlFigures {
                min,
                max,
                changes: 0,
            })
        };
        let mut report = quiet();
        report.identity.ttl = sent;
        report.figures.ttl_forward = ttl(seen);
        report.figures.ttl_backward = ttl(replies);
        [forward(&report), backward(&report)]
    }

    #[test]
    fn hops_are_what_is_missing_of_the_ttl_sent_and_unknown_where_that_is_not_known() {
        let same = |hops| Some((hops, hops));
        assert_eq!(of(255, (251, 251), (250, 252)), [same(4), Some((3, 5))]);
        assert_eq!(of(64, (60, 61), (255, 255)), [Some((3, 4)), same(0)]);
        // Neighbours, and a reflector that does not report the TTL.
        assert_eq!(of(255, (255, 255), (255, 255)), [same(0), same(0)]);
        assert_eq!(of(255, (255, 255), (250, 250)), [None, same(5)]);
        assert_eq!(of(255, (0, 0), (250, 250)), [None, same(5)]);
        assert_eq!(of(64, (255, 255), (250, 250)), [None, same(5)]);
        // Replies sent with 64 or 128.
        assert_eq!(of(255, (250, 250), (59, 60)), [same(5), None]);
        assert_eq!(of(255, (250, 250), (120, 128)), [same(5), None]);
        // A relay outbound.
        assert_eq!(of(255, (64, 64), (255, 255)), [None, same(0)]);
    }
}
