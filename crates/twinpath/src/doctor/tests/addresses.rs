//! Names with several addresses, one of which does not answer.

use std::net::{IpAddr, SocketAddr};

use twinpath_runtime::SendError;
use twinpath_runtime::probe::{Departure, Refusal};

use super::*;

const OTHER: &str = "203.0.113.8:0";

/// A name of two addresses. The second does this in place of what the first does.
struct Half {
    far: FakeFar,
    refusal: Option<IcmpKind>,
    connection: Connection,
    /// It cannot be sent to.
    is_unsent: bool,
}

impl Half {
    fn of(refusal: Option<IcmpKind>, connection: Connection) -> Self {
        Self {
            far: FakeFar::honest(),
            refusal,
            connection,
            is_unsent: false,
        }
    }

    fn is_dead(ask: &Ask) -> bool {
        let other = OTHER.parse::<SocketAddr>().unwrap().ip();
        let far = if let Ask::Train(far, ..) = ask {
            Some(*far)
        } else {
            ask.ping().or_else(|| ask.connect())
        };
        far.is_some_and(|far| far.ip() == other)
    }

    fn instead(&self, answer: &mut Answer) {
        if let Answer::Train(_, Ok(seen)) = answer {
            let from = Some("203.0.113.8".parse::<IpAddr>().unwrap());
            seen.replies.clear();
            let refusal = self.refusal.map(|kind| Refusal { kind, from });
            seen.refusals = refusal.into_iter().collect();
            if self.is_unsent {
                let failed = Departure::Failed(SendError::Unreachable);
                seen.departures.fill(failed);
            }
        } else if let Answer::Connect(seen) = answer {
            seen.connection = self.connection.clone();
        } else if let Answer::Ping(seen) = answer {
            *seen = PingSeen::Silent;
        }
    }
}

impl World for Half {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let mut answers = self.far.ask(asks);
        for (ask, answer) in asks.iter().zip(&mut answers) {
            if Self::is_dead(ask) {
                self.instead(answer);
            }
        }
        answers
    }
}

/// What is said of the addresses and of UDP, and the command.
fn said(mut half: Half) -> (Judged, Judged, Verdict) {
    let mut seen = Seen::new(FarEndPlan {
        addresses: vec![OTHER.parse().unwrap(), FAR.parse().unwrap()],
        ..plan()
    });
    let checks = examine(CHECKS, &mut seen, &mut half);
    let of = |id: &str| {
        let mut all = checks.iter();
        all.find(|checked| checked.id == id).unwrap().judged.clone()
    };
    let verdict = verdict(&seen, &checks);
    (of("reach.addresses"), of("reach.udp"), verdict)
}

#[test]
fn an_address_that_does_not_reflect_has_a_row_of_its_own() {
    for (refusal, finding) in [
        (None, "no reply and no error from UDP ports 862 and 20001"),
        (
            Some(IcmpKind::PortUnreachable),
            "nothing listens on UDP ports 862 and 20001",
        ),
        (Some(IcmpKind::Prohibited), "a firewall rejects packets"),
        (Some(IcmpKind::HostUnreachable), "cannot be reached"),
    ] {
        let (addresses, udp, verdict) = said(Half::of(refusal, Connection::Refused));
        assert_eq!(addresses.status, Status::Warn, "{addresses:?}");
        let begins = "203.0.113.8, another address of r1: ";
        assert!(addresses.finding.starts_with(begins), "{addresses:?}");
        assert!(addresses.finding.contains(finding), "{addresses:?}");
        let advice = addresses.advice.unwrap();
        assert!(advice.starts_with("measure with 203.0.113.7, "), "{advice}");
        assert_eq!(addresses.data["without_answers"][0], "203.0.113.8");
        assert_eq!(udp.status, Status::Ok, "{udp:?}");
        assert_eq!(
            verdict.command.as_deref(),
            Some("twinpath sender 203.0.113.7 --stamp")
        );
        assert!(verdict.sentence.ends_with("with 1 warning"), "{verdict:?}");
    }
}

#[test]
fn an_address_to_which_this_host_cannot_send_is_not_said_to_be_dead() {
    let half = Half {
        is_unsent: true,
        ..Half::of(None, Connection::Refused)
    };
    let (addresses, ..) = said(half);
    assert_eq!(addresses.status, Status::Ok, "{addresses:?}");
    assert!(
        addresses.finding.ends_with("not 203.0.113.8"),
        "{addresses:?}"
    );
}

#[cfg(feature = "control")]
#[test]
fn an_address_without_the_server_has_a_row_too() {
    for (connection, finding) in [
        (Connection::Refused, "TCP port 862 refuses connections"),
        (Connection::Silent, "no answer from TCP port 862"),
        (
            Connection::Open(Vec::new()),
            "TCP port 862 takes connections",
        ),
        (
            Connection::Rejected {
                kind: IcmpKind::Prohibited,
                from: None,
            },
            "an ICMP error rejects connections to TCP port 862",
        ),
    ] {
        let mut half = Half::of(None, connection);
        half.far.tcp = vec![(862, Connection::Open(greeting(1, 1_024, 7)))];
        half.far.ports = Vec::new();
        let (addresses, ..) = said(half);
        let said = format!("203.0.113.8, another address of r1: {finding}");
        assert!(addresses.finding.starts_with(&said), "{addresses:?}");
        assert_eq!(addresses.status, Status::Warn);
        assert!(
            addresses.rows.is_empty(),
            "UDP of a server is no matter: {addresses:?}"
        );
    }
}

#[test]
fn who_rejects_a_connection_is_said_where_an_icmp_error_tells() {
    let rejected = |kind, from: &str| Connection::Rejected {
        kind,
        from: Some(from.parse().unwrap()),
    };
    for (connection, finding) in [
        (
            rejected(IcmpKind::Prohibited, "203.0.113.254"),
            "a firewall (203.0.113.254) rejects connections to TCP port 862 of 203.0.113.7, by an ICMP error",
        ),
        (
            rejected(IcmpKind::PortUnreachable, "203.0.113.7"),
            "a firewall of the far end itself rejects connections to TCP port 862 of 203.0.113.7, by an ICMP error",
        ),
        (
            rejected(IcmpKind::HostUnreachable, "203.0.113.254"),
            "TCP port 862 of 203.0.113.7 cannot be reached (says 203.0.113.254)",
        ),
    ] {
        let far = FakeFar {
            tcp: vec![(862, connection)],
            ..FakeFar::honest()
        };
        let (checks, verdict) = examined(far, None);
        let tcp = checks
            .iter()
            .find(|checked| checked.id == "control.connect");
        let judged = &tcp.unwrap().judged;
        assert_eq!(
            (judged.status, judged.finding.as_str()),
            (Status::Unknown, finding)
        );
        assert_eq!(verdict.exit, Exit::Done);
    }
}
