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
    let [udp, _] = said(|port| (port == 862).then_some((IcmpKind::PortUnreachable, ROUTER)));
    let rows: Vec<&str> = udp.rows.iter().map(|row| row.finding.as_str()).collect();
    let [rejected, silent] = rows[..] else {
        panic!("{rows:?}")
    };
    assert_eq!(
        rejected,
        "UDP port 862 of 203.0.113.7 is rejected by 203.0.113.254"
    );
    assert!(
        silent.starts_with("no reply and no error from UDP port 20001 of 203.0.113.7: "),
        "{silent}"
    );
    assert!(
        silent.ends_with(", or replies take longer than 1 s"),
        "{silent}"
    );
    // Programs find both in one sentence.
    assert_eq!(udp.finding, format!("{rejected}; {silent}"));
    assert!(udp.rows.iter().all(|row| row.advice.is_some()), "{udp:?}");
    let [udp, _] = said(|port| (port != 862).then_some((IcmpKind::Prohibited, FAR_HOST)));
    assert!(udp.rows[0].finding.contains("UDP port 862 of"), "{udp:?}");
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
