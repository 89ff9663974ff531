//! What DSCP and ECN bits become on each way.

use twinpath_wire::Ecn;

use super::super::copies::lost_too;
use super::{OfCodepoint, class, name};
use crate::doctor::{Judged, Seen};

/// Who tells what requests arrive with.
const SAYS: &str = "as the reflector's Class of Service TLV says";

/// Of classes: those sent, with which replies `came` back, and with which requests `arrived`, if the replies say.
pub(super) fn judge_dscp(came: &[(u8, u8)], arrived: &[(u8, u8)]) -> Judged {
    if came.is_empty() {
        return Judged::unknown("this system does not tell the DSCP of packets");
    }
    let changed_out = changed(arrived, "arrives as");
    let changed_back = changed(came, "comes back as");
    if !changed_out.is_empty() {
        return changed_on_the_way_out(came, arrived, &changed_out);
    }
    let is_told = arrived.len() == came.len();
    match (changed_back.as_str(), is_told) {
        ("", true) => Judged::ok("requests arrive with their DSCP, and replies come back with it"),
        ("", false) => Judged::ok("replies come back with the DSCP of their requests"),
        (_, true) => changed_on_the_way_back(came, &changed_back),
        (_, false) => changed_somewhere(came, &changed_back),
    }
}

/// As the reflector says.
fn changed_on_the_way_out(came: &[(u8, u8)], arrived: &[(u8, u8)], changed_out: &str) -> Judged {
    let changed_back = changed(came, "comes back as");
    if changed_back.is_empty() {
        // A reflector that reports nothing else has zeros there.
        return Judged::warn(format!(
            "{changed_out}, {SAYS}, and replies come back with the DSCP of their requests"
        ))
        .advise("what the reflector reports may be wrong: capture packets there");
    }
    let is_copied = came.iter().all(|(sent, back)| {
        let mut told = arrived.iter().filter(|(of, _)| of == sent);
        told.all(|(_, arrived)| arrived >> 2 == back >> 2)
    });
    let back = if is_copied {
        "replies come back with what arrived".to_owned()
    } else {
        changed_back
    };
    Judged::warn(format!("{changed_out}, {SAYS}; {back}")).advise(
        "look for a device on the way out that remarks: packets are not treated as the class that they are sent in",
    )
}

/// Requests arrive as they were sent.
fn changed_on_the_way_back(came: &[(u8, u8)], changed_back: &str) -> Judged {
    if let Some(back) = only_class(came) {
        let cause = if back >> 2 == 0 {
            "the reflector does not copy the DSCP, or a device on the way back clears it"
        } else {
            "the reflector has a DSCP of its own for replies (as twinpath responder --dscp), or a device on the way back sets it"
        };
        return Judged::warn(format!(
            "requests arrive with their DSCP, and replies come back with DSCP {}, whatever the request has: {cause}",
            class(back)
        ))
        .advise("round trips of other classes are measured in them on the way out alone");
    }
    Judged::warn(format!(
        "requests arrive with their DSCP, and {changed_back}"
    ))
    .advise("a device on the way back remarks some classes, or the reflector chooses the DSCP of replies: look at both")
}

/// On which way is not told.
fn changed_somewhere(came: &[(u8, u8)], changed_back: &str) -> Judged {
    let Some(back) = only_class(came) else {
        return Judged::warn(changed_back).advise(
            "a device on the way out or back remarks some classes, or the reflector chooses the DSCP of replies: look at all three",
        );
    };
    let cause = if back >> 2 == 0 {
        "the reflector does not copy the DSCP, or a device on the way out or back clears it"
    } else {
        "the reflector has a DSCP of its own for replies, or a device on the way out or back sets it"
    };
    Judged::warn(format!(
        "replies come back with DSCP {}, whatever the request has: {cause}",
        class(back)
    ))
    .advise("do not take round trips for those of other classes; capture packets at the far end, to see with which DSCP they arrive")
}

/// Classes that changed, in words.
fn changed(pairs: &[(u8, u8)], how: &str) -> String {
    let changed = pairs.iter().filter(|(sent, then)| sent >> 2 != then >> 2);
    let changed = changed.map(|(sent, then)| format!("{} {how} {}", class(*sent), class(*then)));
    changed.collect::<Vec<_>>().join(", ")
}

/// The class of all replies, if requests of several came back in it.
fn only_class(came: &[(u8, u8)]) -> Option<u8> {
    let ((sent, back), others) = came.split_first()?;
    let is_one = others.iter().all(|(_, other)| other >> 2 == back >> 2);
    let are_several = others.iter().any(|(other, _)| other >> 2 != sent >> 2);
    (is_one && are_several).then_some(*back)
}

pub(super) fn judge_ecn(seen: &Seen, each: &[OfCodepoint]) -> Judged {
    let silent: Vec<&str> = each
        .iter()
        .filter(|of| !of.is_answered)
        .map(|of| name(of.sent))
        .collect();
    let is_none_answered = silent.len() == each.len();
    let silent = silent.join(" and ");
    if !silent.is_empty() && seen.is_lossy() {
        return lost_too(seen, &format!("no answer to packets with {silent}"));
    }
    if is_none_answered {
        return Judged::warn("packets with ECN bits are not answered, and others are")
            .advise("a filter on the way drops ECN-capable packets: mend it, TCP suffers too");
    }
    if !silent.is_empty() {
        return Judged::warn(format!(
            "packets with {silent} are not answered, and others with ECN bits are"
        ))
        .advise("look for a filter on the way that drops them");
    }
    let known: Vec<(Ecn, Ecn)> = each
        .iter()
        .filter_map(|of| Some((of.sent, of.back?)))
        .collect();
    if known.is_empty() {
        return Judged::unknown(
            "ECN-capable packets are answered, and this system does not tell the ECN bits of replies",
        );
    }
    let changed: Vec<String> = known
        .iter()
        .filter(|(sent, back)| sent != back && *back != Ecn::Ce)
        .map(|(sent, back)| format!("{} comes back as {}", name(*sent), name(*back)))
        .collect();
    let is_congested = known.iter().any(|(_, back)| *back == Ecn::Ce);
    let is_cleared = known.iter().all(|(_, back)| *back == Ecn::NotEct);
    let (way, passes) = match ecn_on_the_way_out(each, is_cleared) {
        Err(judged) => return judged,
        Ok(true) => (
            "the way back",
            "ECN-capable packets arrive with their ECN bits",
        ),
        Ok(false) => ("the way", "ECN-capable packets pass"),
    };
    if changed.is_empty() && is_congested {
        Judged::ok(format!(
            "{passes}, and replies come back with CE: a queue on one of the ways is congested"
        ))
    } else if changed.is_empty() {
        Judged::ok(format!("{passes}, and replies have them too"))
    } else if is_cleared {
        Judged::ok(format!(
            "{passes}; replies come without ECN bits: the reflector does not copy them, or a device on {way} clears them"
        ))
    } else {
        Judged::warn(changed.join(", ")).advise(format!(
            "a device on {way} changes ECN bits, or the reflector chooses those of replies: look at both"
        ))
    }
}

/// Whether all codepoints are known to arrive as they were sent; `Err`: some do not. `is_cleared`: none comes back.
fn ecn_on_the_way_out(each: &[OfCodepoint], is_cleared: bool) -> Result<bool, Judged> {
    let told = each.iter().filter_map(|of| Some((of.sent, of.arrived?)));
    let told: Vec<(Ecn, Ecn)> = told.collect();
    let changed: Vec<String> = told
        .iter()
        .filter(|(sent, arrived)| sent != arrived && *arrived != Ecn::Ce)
        .map(|(sent, arrived)| format!("{} arrives as {}", name(*sent), name(*arrived)))
        .collect();
    if !changed.is_empty() {
        let finding = format!("{}, {SAYS}", changed.join(", "));
        let advice = if is_cleared {
            "look for a device on the way out that clears ECN bits: congestion cannot be signalled on this path"
        } else {
            "a device on the way out changes ECN bits, or the reflector does not report them: capture packets there"
        };
        return Err(Judged::warn(finding).advise(advice));
    }
    Ok(told.len() == each.len())
}

#[cfg(test)]
mod tests {
    use twinpath_wire::Tos;

    use super::super::ECT;
    use super::*;
    use crate::doctor::{FarEndPlan, Keys, Status};

    #[test]
    fn ecn_bits_of_replies_are_judged_as_far_as_they_show() {
        let seen = Seen::new(FarEndPlan {
            name: "r1".to_owned(),
            host: "r1".to_owned(),
            addresses: Vec::new(),
            port: None,
            keys: Keys::default(),
        });
        let untold = [None, None];
        let same = [Some(2), Some(1)];
        let cleared = [Some(0), Some(0)];
        for (arrived, backs, status, said) in [
            (
                untold,
                untold,
                Status::Unknown,
                "does not tell the ECN bits",
            ),
            (untold, same, Status::Ok, "pass, and replies have them too"),
            (
                untold,
                cleared,
                Status::Ok,
                "pass; replies come without ECN bits: the reflector does not copy them, or a device on the way clears",
            ),
            (
                same,
                cleared,
                Status::Ok,
                "arrive with their ECN bits; replies come without ECN bits: the reflector does not copy them, or a device on the way back clears",
            ),
            (cleared, cleared, Status::Warn, "ECT(0) arrives as Not-ECT"),
            (cleared, same, Status::Warn, "ECT(0) arrives as Not-ECT"),
            (
                [Some(2), None],
                cleared,
                Status::Ok,
                "a device on the way clears",
            ),
            (
                untold,
                [Some(3), Some(1)],
                Status::Ok,
                "a queue on one of the ways",
            ),
            (
                untold,
                [Some(2), Some(0)],
                Status::Warn,
                "ECT(1) comes back as Not-ECT",
            ),
            (
                same,
                [Some(1), Some(1)],
                Status::Warn,
                "ECT(0) comes back as ECT(1)",
            ),
        ] {
            let of = |place: usize| OfCodepoint {
                sent: Tos(ECT[place]).ecn(),
                back: backs[place].map(|back| Tos(back).ecn()),
                arrived: arrived[place].map(|arrived| Tos(arrived).ecn()),
                is_answered: true,
            };
            let judged = judge_ecn(&seen, &[of(0), of(1)]);
            assert_eq!(judged.status, status, "{judged:?}");
            assert!(judged.finding.contains(said), "{judged:?}");
        }
    }
}
