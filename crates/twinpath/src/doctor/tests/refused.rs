//! Ports that do not answer: who refuses, and what each port does.

use super::*;
use std::net::IpAddr;
use twinpath_runtime::probe::Refusal;

/// A far end without a reflector, whose ports are refused as `how` says: by an ICMP error, and whose.
struct Refusing {
    far: FakeFar,
    how: fn(u16) -> Option<(IcmpKind, &'static str)>,
}

impl World for Refusing {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let answers = asks.iter().zip(self.far.ask(asks));
        let refused = answers.map(|(ask, answer)| match (ask, answer) {
            (Ask::Train(far, ..), Answer::Train(requests, Ok(mut seen))) => {
                let refusal = (self.how)(far.port()).map(|(kind, from)| Refusal {
                    kind,
                    from: Some(from.parse::<IpAddr>().unwrap()),
                });
                seen.refusals = refusal.into_iter().collect();
                Answer::Train(requests, Ok(seen))
            }
            (_, answer) => answer,
        });
        refused.collect()
    }
}

/// What `reach.udp` and `control.connect` say.
fn said(how: fn(u16) -> Option<(IcmpKind, &'static str)>) -> [Judged; 2] {
    let far = FakeFar {
        ports: Vec::new(),
        closed: None,
        ..FakeFar::honest()
    };
    let mut seen = Seen::new(plan());
    let checks = examine(CHECKS, &mut seen, &mut Refusing { far, how });
    ["reach.udp", "control.connect"].map(|id| {
        let of = checks.iter().find(|checked| checked.id == id);
        of.unwrap().judged.clone()
    })
}

const FAR_HOST: &str = "203.0.113.7";
const ROUTER: &str = "203.0.113.254";

#[test]
fn a_port_that_a_router_rejects_is_not_said_to_be_closed() {
    let [udp, _] = said(|_| Some((IcmpKind::PortUnreachable, ROUTER)));
    assert_eq!(
        udp.finding,
        "UDP ports 862 and 20001 of 203.0.113.7 are rejected by 203.0.113.254"
    );
    let advice = udp.advice.unwrap();
    assert!(advice.contains("firewall of 203.0.113.254"), "{advice}");
    assert!(!advice.contains("start a reflector"), "{advice}");

    let [udp, _] = said(|_| Some((IcmpKind::PortUnreachable, FAR_HOST)));
    assert_eq!(
        udp.finding,
        "nothing listens on UDP ports 862 and 20001 of 203.0.113.7"
    );
    for (from, says) in [(ROUTER, " (says 203.0.113.254)"), (FAR_HOST, "")] {
        let how: fn(u16) -> _ = if from == ROUTER {
            |_| Some((IcmpKind::Prohibited, ROUTER))
        } else {
            |_| Some((IcmpKind::Prohibited, FAR_HOST))
        };
        let [udp, _] = said(how);
        let fact = "a firewall rejects packets to UDP ports 862 and 20001 of 203.0.113.7";
        assert_eq!(udp.finding, format!("{fact}{says}"));
    }
}

#[test]
fn each_state_of_ports_without_an_answer_has_its_row_862_first() {
    let [udp, _] = said(|port| (port == 862).then_some((IcmpKind::PortUnreachable, FAR_HOST)));
    let rows: Vec<&str> = udp.rows.iter().map(|row| row.finding.as_str()).collect();
    let [closed, silent] = rows[..] else {
        panic!("{rows:?}")
    };
    assert_eq!(closed, "nothing listens on UDP port 862 of 203.0.113.7");
    assert!(
        silent.starts_with("no reply and no error from UDP port 20001 of 203.0.113.7: "),
        "{silent}"
    );
    // Programs find both in one sentence.
    assert_eq!(udp.finding, format!("{closed}; {silent}"));
    assert!(udp.rows.iter().all(|row| row.advice.is_some()), "{udp:?}");
}

#[test]
fn a_port_that_is_silent_beside_one_that_a_firewall_rejects_is_in_its_row() {
    let by_limit = "silent, as where a firewall limits its ICMP errors";
    let [udp, _] = said(|port| (port == 862).then_some((IcmpKind::PortUnreachable, ROUTER)));
    assert_eq!(udp.rows, []);
    assert_eq!(
        udp.finding,
        format!(
            "UDP port 862 of 203.0.113.7 is rejected by 203.0.113.254; UDP port 20001 of 203.0.113.7 is {by_limit}"
        )
    );
    assert!(
        udp.advice
            .unwrap()
            .starts_with("allow them in the firewall")
    );
    let [udp, _] = said(|port| (port != 862).then_some((IcmpKind::Prohibited, ROUTER)));
    assert_eq!(
        udp.finding,
        format!(
            "a firewall rejects packets to UDP port 20001 of 203.0.113.7 (says 203.0.113.254); UDP port 862 of 203.0.113.7 is {by_limit}"
        )
    );
    assert_eq!(udp.advice.as_deref(), Some("allow UDP ports 862 and 20001"));
}

#[test]
fn a_refused_control_port_is_a_row_where_no_reflector_answers() {
    let [_, tcp] = said(|_| None);
    assert_eq!(tcp.status, Status::Unknown);
    assert!(
        tcp.finding
            .starts_with("TCP port 862 of 203.0.113.7 refuses connections: "),
        "{tcp:?}"
    );
    let (checks, _) = examined(FakeFar::honest(), None);
    let tcp = checks
        .iter()
        .find(|checked| checked.id == "control.connect");
    assert_eq!(tcp.unwrap().judged.status, Status::Skipped);
}

#[test]
fn ports_of_a_host_that_cannot_be_reached_are_no_riddles() {
    // Routers limit their ICMP errors: one for several packets is what comes.
    let said_by_router = "203.0.113.7 cannot be reached (says 203.0.113.254)";
    let [udp, _] = said(|port| (port == 862).then_some((IcmpKind::HostUnreachable, ROUTER)));
    assert_eq!(udp.finding, said_by_router);
    let kind = IcmpKind::HostUnreachable;
    let deaf = FakeFar {
        ports: Vec::new(),
        closed: None,
        ping: PingSeen::Rejected {
            kind,
            from: Some(ROUTER.parse().unwrap()),
        },
        ..FakeFar::honest()
    };
    let (checks, _) = examined(deaf, None);
    assert_eq!(judged(&checks, "reach.udp").finding, said_by_router);
    let icmp = &judged(&checks, "reach.icmp").finding;
    assert_eq!(
        icmp,
        "ICMP Echo does not reach 203.0.113.7 (says 203.0.113.254)"
    );
}

#[test]
fn an_echo_that_was_not_sent_is_not_said_to_be_unanswered() {
    let far = FakeFar {
        ping: PingSeen::Failed(std::io::ErrorKind::NetworkUnreachable),
        ..FakeFar::honest()
    };
    let (checks, _) = examined(far, None);
    assert_eq!(
        judged(&checks, "reach.icmp").finding,
        "this host cannot send ICMP Echo: network unreachable"
    );
}

#[test]
fn replies_that_take_longer_than_a_second_are_no_losses() {
    let late = FakeFar::erring(|_, mut replies| {
        for reply in &mut replies {
            reply.late = std::time::Duration::from_millis(1_200);
        }
        replies
    });
    let (checks, _) = examined(late, None);
    let light = judged(&checks, "light.answers");
    assert_eq!(light.status, Status::Ok, "{light:?}");
    assert!(light.finding.ends_with("replies take 1.2 s"), "{light:?}");
}
