//! How many routers lie on the way, by what is left of the TTL (row M-70).

use crate::SessionReport;
use twinpath_metrics::TtlFigures;

/// TTL with which a reflector sends (RFC 5357 section 4.2: it SHOULD).
const OF_REPLIES: u8 = 255;
/// No path has more: whoever seems farther away began with 128 or 64, the other usual beginnings, or
/// something on the way sends again.
const MOST_HOPS: u8 = 126;

/// Least and greatest number of hops.
pub(crate) type Hops = Option<(u8, u8)>;

/// Out: the sent TTL is known. `None` where the reflector does not give the one that it saw: it
/// says 0, more than was sent, or always 255 though the way back has hops.
pub(crate) fn forward(report: &SessionReport) -> Hops {
    let seen = report.figures.ttl_forward?;
    let routed = backward(report).is_some_and(|(least, _)| least > 0);
    let given = seen.min > 0 && !(seen.min == u8::MAX && routed);
    hops(report.identity.ttl, seen).filter(|_| given)
}

/// Back, if the reflector sends with 255.
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

    /// Hops out and back of these TTLs: as sent, seen by the reflector, of the replies.
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
        // Neighbours, and a reflector that does not look.
        assert_eq!(of(255, (255, 255), (255, 255)), [same(0), same(0)]);
        assert_eq!(of(255, (255, 255), (250, 250)), [None, same(5)]);
        assert_eq!(of(255, (0, 0), (250, 250)), [None, same(5)]);
        assert_eq!(of(64, (255, 255), (250, 250)), [None, same(5)]);
        // Replies that began with 64 or 128.
        assert_eq!(of(255, (250, 250), (59, 60)), [same(5), None]);
        assert_eq!(of(255, (250, 250), (120, 128)), [same(5), None]);
        // A relay on the way out.
        assert_eq!(of(255, (64, 64), (255, 255)), [None, same(0)]);
    }
}
