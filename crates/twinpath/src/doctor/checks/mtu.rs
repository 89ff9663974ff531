//! The largest packet that passes without fragments each way, and whether fragments pass (RFC 1191, RFC 8899).

mod limits;
mod search;

use serde_json::Value;

use super::copies::lost_too;
use crate::doctor::ladder::headers;
use crate::doctor::{Ask, Check, Cost, Judged, Seen};
use limits::{BackEnd, Limits, OutEnd};

/// Octets of a sender's packet that are neither padding nor headers below UDP.
const HEADER_OF_TEST: usize = 14;

/// The largest packet that passes whole, each way.
pub(super) struct Unfragmented;

impl Check for Unfragmented {
    fn id(&self) -> &'static str {
        "path.mtu"
    }

    fn costs(&self) -> Vec<Cost> {
        vec![
            ("host".to_owned(), 0),
            ("unfragmented".to_owned(), search::MOST_PACKETS),
        ]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        let Some(far) = seen.subject() else {
            return Vec::new();
        };
        let Some(host) = seen.host(far) else {
            return vec![Ask::Host(far)];
        };
        let next = search::next(seen, far, host);
        let security = seen.subject_security();
        next.map(|ladder| Ask::Ladder(far, ladder, security))
            .into_iter()
            .collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let Some(limits) = limits_of(seen) else {
            return Judged::skipped("no replies");
        };
        let Some(out) = limits.out.passes else {
            return if seen.is_lossy() {
                lost_too(seen, "no larger packet with DF set is answered")
            } else {
                Judged::fail("no larger packet with DF set is answered, and others are")
                    .advise("look for a filter that drops such packets")
            };
        };
        if !limits.is_certain(seen) {
            return Judged::unknown(format!(
                "packets of {out} octets pass, and losses leave open whether larger ones do"
            ))
            .with("out_octets", out);
        }
        let padding = |octets: u16| {
            let below = limits.far.map_or(0, |far| headers(far) + HEADER_OF_TEST);
            usize::from(octets).saturating_sub(below)
        };
        let finding = sentence(&limits, out);
        let judged = match (limits.out_end(), limits.back_end()) {
            (OutEnd::Vanish | OutEnd::Unanswered, _) => Judged::warn(finding).advise(format!(
                "larger packets vanish without an ICMP error (a PMTU black hole), or the far end does not take them: let ICMP \"too big\" pass, TCP needs it; until then at most --padding {}",
                padding(out)
            )),
            (_, BackEnd::Lost) => Judged::warn(finding).advise(format!(
                "larger replies are lost on the way back: look at the MTU there; until then at most --padding {}",
                padding(limits.back.passes.unwrap_or(out))
            )),
            (_, BackEnd::Fragments) => Judged::warn(finding).advise(format!(
                "with more than --padding {} the way back is measured with fragments",
                padding(limits.back.passes.unwrap_or(out))
            )),
            (OutEnd::Interface | OutEnd::LargestTried | OutEnd::Told { .. }, BackEnd::NotFound) => {
                Judged::ok(finding)
            }
        };
        with_data(judged, &limits)
    }
}

/// Packets in fragments.
pub(super) struct Fragments;

impl Check for Fragments {
    fn id(&self) -> &'static str {
        "path.fragments"
    }

    fn costs(&self) -> Vec<Cost> {
        vec![("fragmented".to_owned(), search::FRAGMENTED_PACKETS)]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        let Some((far, host)) = seen.subject().and_then(|far| Some((far, seen.host(far)?))) else {
            return Vec::new();
        };
        // Once the limit is known.
        if search::next(seen, far, host).is_some() {
            return Vec::new();
        }
        let ladder = limits_of(seen).and_then(|limits| search::fragmented(seen, &limits, host));
        ladder
            .map(|ladder| Ask::Ladder(far, ladder, seen.subject_security()))
            .into_iter()
            .collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let Some(far) = seen.subject() else {
            return Judged::skipped("no replies");
        };
        let mut ladders = seen.ladders(far).filter(|(ladder, _)| !ladder.is_whole);
        let Some((ladder, exchange)) = ladders.next() else {
            return Judged::skipped("no size is known that makes fragments");
        };
        let octets = ladder.sizes().first().copied().unwrap_or(0);
        let reply = ladder
            .places(0)
            .find_map(|place| exchange.replies_to(place).next());
        let judged = match reply {
            Some((reply, _)) => {
                let back = if reply.fragment_octets.is_some() {
                    "in fragments"
                } else {
                    "whole"
                };
                Judged::ok(format!(
                    "packets of {octets} octets in fragments are answered; replies of {} come {back}",
                    reply.octets.len() + headers(far)
                ))
            }
            None if seen.is_lossy() => {
                lost_too(seen, "no answer to packets in fragments")
            }
            None if are_too_large(seen) => Judged::unknown(format!(
                "packets of {octets} octets in fragments are not answered: a fragment may be larger than what passes"
            ))
            .advise("mend the path's MTU first (see above)"),
            None => Judged::warn(format!(
                "packets of {octets} octets in fragments are not answered, and whole ones are"
            ))
            .advise(
                "measure with packets that need no fragments, or look for a filter of fragments",
            ),
        };
        judged
            .with("octets", octets)
            .with("answered", reply.is_some())
    }
}

/// What is larger than the path's MTU vanishes without a word: fragments, which have the interface's, may too.
fn are_too_large(seen: &Seen) -> bool {
    limits_of(seen).is_some_and(|limits| {
        let out = matches!(limits.out_end(), OutEnd::Vanish | OutEnd::Unanswered);
        out || limits.back_end() == BackEnd::Lost
    })
}

fn limits_of(seen: &Seen) -> Option<Limits> {
    Limits::of(seen, seen.subject()?)
}

/// What is said of both ways.
fn sentence(limits: &Limits, out: u16) -> String {
    let out_end = match limits.out_end() {
        OutEnd::Interface => "this host's interface".to_owned(),
        OutEnd::LargestTried => "the largest tried".to_owned(),
        OutEnd::Told { mtu, by } => {
            let by = by.map_or_else(|| "a router".to_owned(), |by| by.to_string());
            if mtu == u32::from(out) {
                format!("{by} says so")
            } else {
                format!("{by} says {mtu}")
            }
        }
        OutEnd::Vanish => "larger ones vanish".to_owned(),
        OutEnd::Unanswered => "larger ones or their replies vanish".to_owned(),
    };
    let back = match (limits.back.passes, limits.back_end()) {
        (None, _) => "; replies are shorter, so the way back is unknown".to_owned(),
        (Some(back), BackEnd::Fragments) => {
            format!(", and {back} on the way back (larger ones come in fragments)")
        }
        (Some(back), BackEnd::Lost) => {
            format!(", and {back} on the way back (larger ones are lost)")
        }
        (Some(back), BackEnd::NotFound) => format!(", and {back} or more on the way back"),
    };
    format!("the largest unfragmented packet has {out} octets on the way out ({out_end}){back}")
}

fn with_data(judged: Judged, limits: &Limits) -> Judged {
    let (told_mtu, told_by) = limits.told.map_or((Value::Null, Value::Null), |(mtu, by)| {
        (mtu.into(), by.map(|by| by.to_string()).into())
    });
    judged
        .with(
            "largest_octets",
            limits
                .out
                .passes
                .min(limits.back.passes.or(limits.out.passes)),
        )
        .with("out_octets", limits.out.passes)
        .with("out_next_octets", limits.out.fails)
        .with("out_end", limits.out_end().name())
        .with("back_octets", limits.back.passes)
        .with("back_next_octets", limits.back.fails)
        .with("back_end", limits.back_end().name())
        .with("told_mtu", told_mtu)
        .with("told_by", told_by)
}
