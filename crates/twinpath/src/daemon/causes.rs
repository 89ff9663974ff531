//! Why no replies come, as far as the network says it: the words are those of a sender's report.

use std::net::SocketAddr;

use twinpath_metrics::SessionState;
use twinpath_report::Finding;
use twinpath_report::finding::Unreached;
use twinpath_runtime::measure::Progress;

use super::settings::as_keys;
use crate::output::words::finding::line;

/// How a sender's report names the other way to measure, and how a configuration does.
const OTHER_COMMAND: &str = "use twinpath controller instead of sender";
const OTHER_PROTOCOL: &str = "use protocol = \"twamp\"";

/// What ICMP errors say of a far end that does not answer; `None`: it answers, or none came since it did.
/// `is_negotiated`: a server agreed to reflect there.
pub(super) fn of(progress: &Progress, far: SocketAddr, is_negotiated: bool) -> Option<String> {
    let icmp = progress.refused?;
    let is_silent = progress.reply_status.state == SessionState::Failed;
    let finding = Unreached::of_refusal(icmp, far, is_negotiated);
    is_silent.then(|| of_configuration(&line(&Finding::Unreached(finding))))
}

/// What it says in few words, without what to do.
pub(super) fn short(cause: &str) -> &str {
    cause.split_once(": ").map_or(cause, |(fact, _)| fact)
}

/// A line about commands as one about keys of a configuration.
fn of_configuration(line: &str) -> String {
    as_keys(line).replace(OTHER_COMMAND, OTHER_PROTOCOL)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use twinpath_metrics::ReplyStatus;
    use twinpath_report::IcmpRefusal;
    use twinpath_runtime::probe::IcmpKind;

    use super::*;

    const FAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 20_001);

    fn silent(kind: IcmpKind) -> Progress {
        Progress {
            refused: Some(IcmpRefusal {
                kind,
                from: Some(Ipv4Addr::new(192, 0, 2, 9).into()),
                is_own: true,
            }),
            reply_status: ReplyStatus {
                state: SessionState::Failed,
                ..ReplyStatus::default()
            },
            ..Progress::default()
        }
    }

    #[test]
    fn causes_are_said_in_keys_of_the_configuration() {
        for (kind, fact, key) in [
            (
                IcmpKind::PortUnreachable,
                "nothing listens on UDP port 20001 of 192.0.2.1",
                "protocol = \"twamp\"",
            ),
            (IcmpKind::Prohibited, "(says 192.0.2.9)", ""),
            (IcmpKind::HostUnreachable, "192.0.2.1", ""),
            (
                IcmpKind::TtlExceeded,
                "TTL expired on the path to 192.0.2.1",
                "raise ttl",
            ),
            (
                IcmpKind::TooBig { mtu: 1_400 },
                "packets are too big for the path",
                "smaller padding",
            ),
        ] {
            let cause = of(&silent(kind), FAR, false).unwrap();
            assert!(cause.contains(fact) && cause.contains(key), "{cause}");
            assert!(
                !cause.contains("--") && !cause.contains("twinpath "),
                "{cause}"
            );
            assert!(short(&cause).len() < 120, "{cause}");
        }
    }

    #[test]
    fn a_far_end_that_answers_needs_no_cause() {
        let mut progress = silent(IcmpKind::PortUnreachable);
        progress.reply_status.state = SessionState::Active;
        assert_eq!(of(&progress, FAR, false), None);
        let mut progress = silent(IcmpKind::PortUnreachable);
        progress.refused = None;
        assert_eq!(of(&progress, FAR, false), None);
    }
}
