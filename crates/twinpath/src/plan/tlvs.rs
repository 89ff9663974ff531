//! From `--tlv` options to the TLVs of requests.

use std::time::Duration;

use twinpath_metrics::ReflectorKind;
use twinpath_proto::extension::{AskedTlv, Replies, RequestChain, SALT_OCTETS};
use twinpath_proto::sender::Schedule;
use twinpath_report::words;
use twinpath_runtime::SenderPlan;
use twinpath_wire::{TlvType, Tos};

use crate::args::StampPackets;
use crate::failure::Failure;

use super::micro_sessions;

/// The TLVs that a session asks with: in authenticated mode with an HMAC TLV (row ST-50).
pub(super) fn asked(packet: &StampPackets) -> Result<Vec<AskedTlv>, Failure> {
    let mut tlvs = packet.tlv.clone();
    if let Some(first) = packet.micro_session.first() {
        micro_sessions::check(packet)?;
        tlvs.push(micro_sessions::tlv(first)?);
    }
    if tlvs.is_empty() {
        return Ok(tlvs);
    }
    if !packet.stamp {
        return Err(Failure::usage(
            "--tlv needs --stamp: TWAMP Light has no TLVs",
        ));
    }
    if have(&tlvs, TlvType::DESTINATION_NODE_ADDRESS) && packet.ssid.is_none() {
        return Err(Failure::usage(
            "--tlv destination-node needs --ssid: replies are told by it (RFC 9503 section 3)",
        ));
    }
    let is_unanswered = |tlv: &AskedTlv| tlv.to_string() == "return-path=no-reply";
    match replies(&tlvs).map(|asked| asked.count) {
        Some(0) => {
            return Err(Failure::usage(
                "--tlv reflected-control with a COUNT of 0 asks for no reply: use return-path=no-reply instead",
            ));
        }
        Some(_) if tlvs.iter().any(is_unanswered) => {
            return Err(Failure::usage(
                "--tlv reflected-control and return-path=no-reply exclude each other: one asks for replies, the other for none",
            ));
        }
        Some(_) | None => {}
    }
    let needs_hmac = tlvs.len() > 1 || !have(&tlvs, TlvType::EXTRA_PADDING);
    if packet.authenticated && needs_hmac && !have(&tlvs, TlvType::HMAC) {
        tlvs.extend("hmac".parse());
    }
    // In open mode the HMAC TLV covers nothing else that differs from run to run: a reflector takes the requests
    // of the second for those of the first, sent again.
    let is_signed_alone = have(&tlvs, TlvType::HMAC) && !packet.authenticated;
    let asks_replies = replies(&tlvs).is_some();
    if asks_replies && is_signed_alone && !have(&tlvs, TlvType::EXTRA_PADDING) {
        tlvs.extend(format!("extra-padding={SALT_OCTETS}").parse());
    }
    Ok(tlvs)
}

pub(super) fn have(tlvs: &[AskedTlv], kind: TlvType) -> bool {
    tlvs.iter().any(|tlv| tlv.kind() == kind)
}

/// The replies to each request that they ask for; `None`: one, as without them.
fn replies(tlvs: &[AskedTlv]) -> Option<Replies> {
    tlvs.iter().find_map(AskedTlv::replies)
}

/// Has `plan` ask with these, and wait for all replies that they ask for.
///
/// # Errors
/// The next request would leave before the last reply (RFC 10052 section 5; row SL-69), or a counter
/// of replies is taken for one of requests.
pub(super) fn apply(tlvs: Vec<AskedTlv>, plan: &mut SenderPlan) -> Result<(), Failure> {
    let asked = replies(&tlvs);
    let again = tlvs.iter().find_map(AskedTlv::retransmission);
    plan.tlvs = tlvs;
    let Some(Replies {
        count, interval_ns, ..
    }) = asked.filter(|asked| asked.count > 1)
    else {
        return Ok(());
    };
    let burst = Duration::from_nanos(interval_ns.into()) * u32::from(count - 1);
    if plan.schedule.shortest_gap() < burst {
        let took = words::time(burst);
        let why = match plan.schedule {
            Schedule::Periodic { .. } => "the next packet would leave earlier",
            Schedule::Poisson { .. } | Schedule::Uniform { .. } | Schedule::Bursts { .. } => {
                "packets of this --schedule may leave sooner after each other"
            }
        };
        return Err(Failure::usage(format!(
            "--tlv reflected-control: the {count} replies to a packet take {took}, and {why}"
        ))
        .with_remedy(Some(format!("use --interval {} or more", as_option(burst)))));
    }
    if let Some(again) = again.filter(|again| again.count > 0 && again.after < burst) {
        return Err(Failure::usage(format!(
            "--tlv access-report: a report that no reply confirms would be sent again after {}, before the {count} replies to the last packet, which take {}",
            words::time(again.after),
            words::time(burst),
        ))
        .with_remedy(Some(format!("use a TIMER of {} or more", as_timer(burst)))));
    }
    if plan.figures.reflector == Some(ReflectorKind::Stateful) {
        return Err(Failure::usage(
            "--reflector stateful and several replies to a packet exclude each other: the reflector numbers all of them",
        ));
    }
    plan.figures.reflector = Some(ReflectorKind::Stateless);
    Ok(())
}

/// A time as an option takes it, not rounded.
fn as_option(time: Duration) -> String {
    let ns = time.as_nanos();
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    let mut whole = units
        .into_iter()
        .filter(|(unit, _)| ns.is_multiple_of(*unit));
    let (unit, name) = whole.next().unwrap_or((1, "ns"));
    format!("{}{name}", ns / unit)
}

/// A time as the TIMER of an Access Report takes it: in whole milliseconds.
fn as_timer(time: Duration) -> String {
    format!("{}ms", time.as_nanos().div_ceil(1_000_000))
}

/// That several replies are asked for without an HMAC (RFC 10052 section 5; row SL-66).
pub(crate) fn unsigned_control(plan: &SenderPlan) -> Option<String> {
    let is_signed = plan.wire.is_secured() || have(&plan.tlvs, TlvType::HMAC);
    (have(&plan.tlvs, TlvType::REFLECTED_CONTROL) && !is_signed).then(|| {
        "--tlv reflected-control without an HMAC: anyone can forge such requests, and a reflector should refuse them (RFC 10052 section 5); use --authenticated or --tlv hmac"
            .to_owned()
    })
}

/// The length of their chain.
pub(super) fn octets(tlvs: &[AskedTlv]) -> Result<u16, Failure> {
    let chain = RequestChain::new(tlvs, Tos::default())
        .map_err(|error| Failure::usage(format!("--tlv: {error}")))?;
    u16::try_from(chain.octets()).map_err(|_| Failure::usage("--tlv: the TLVs are too long"))
}
