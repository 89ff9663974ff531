//! Peculiarities of the far end and of the path.

use twinpath_report::finding::FarEnd;
use twinpath_wire::Dscp;

use super::{if_so, packets, replies, tlvs};

pub(super) fn line(finding: &FarEnd) -> String {
    match finding {
        FarEnd::ReflectorRestarts { count } => {
            format!("the reflector's counter restarted during the run ({count})")
        }
        FarEnd::SizesDiffer {
            count,
            request_octets,
            reply_octets,
        } => format!(
            "{} differ in size from their requests: {reply_octets} octets for {request_octets}",
            replies(*count)
        ),
        FarEnd::SsidMissing => {
            "the reflector does not return the SSID: it does not support RFC 8972".to_owned()
        }
        FarEnd::StoppedWithoutSsid => {
            "stopped: the reflector does not return the SSID, it does not support RFC 8972 (--on-no-ssid stop)"
                .to_owned()
        }
        FarEnd::ReturnPathNotUsed { count } => format!(
            "{} came by the ordinary way: the reflector does not use the Return Path asked for (flag U): {}",
            replies(*count),
            tlvs::not_used("return-path")
        ),
        FarEnd::ReturnPathChanged { used, not_used } => format!(
            "{} by the Return Path asked for, {not_used} by the ordinary way: the figures are of two paths",
            replies(*used)
        ),
        FarEnd::TlvNotUsed {
            tlv,
            count,
            replies: all,
            reason,
            over_mtu,
            over_limit,
        } => tlvs::without_effect(tlv, *reason, (*count, *all), (*over_mtu, *over_limit)),
        FarEnd::ReplyDscpRefused { asked } => format!(
            "replies do not have the DSCP {asked} that the TLV cos asks for: the far end does not allow it (twinpath responder: --allow-dscp {asked})"
        ),
        FarEnd::TlvsNotVerified {
            fault,
            count,
            replies: all,
        } => tlvs::not_verified(*fault, *count, *all),
        FarEnd::TwampLight {
            moved,
            is_ssid_missing,
            is_unprocessed,
        } => twamp_light(*moved, *is_ssid_missing, *is_unprocessed),
        FarEnd::ZBitWrong {
            count,
            is_borne_out,
        } => format!(
            "{} with the wrong timestamp format (Z bit): read in the other format{}",
            replies(*count),
            if_so(*is_borne_out, ", which agrees with the sender's clock")
        ),
        FarEnd::ErrorEstimateZero => {
            "the reflector's Error Estimate has a Multiplier of 0: its clock error is unknown"
                .to_owned()
        }
        FarEnd::DscpChanged { sent, came } => format!(
            "sent with DSCP {sent}, replies arrived with {}",
            shares(came)
        ),
        FarEnd::DscpChangedForward { sent, came } => format!(
            "DSCP changed outbound: sent with {sent}, arrived with {}",
            shares(came)
        ),
        FarEnd::EcnChangedForward { count } => {
            format!("the ECN field of {} was changed outbound", packets(*count))
        }
        FarEnd::CongestionForward { count } => {
            format!(
                "{} marked Congestion Experienced outbound (ECN)",
                packets(*count)
            )
        }
    }
}

/// How many packets had which DSCP.
fn shares(counts: &[(Dscp, u64)]) -> String {
    let shares = counts
        .iter()
        .map(|(dscp, count)| format!("{dscp} ({count})"));
    shares.collect::<Vec<_>>().join(", ")
}

/// What shows that TLVs have no effect.
fn twamp_light(moved: u64, is_ssid_missing: bool, is_unprocessed: bool) -> String {
    let signs = [
        (
            moved > 0,
            "TLVs come back 27 octets further on, as its padding does",
        ),
        (is_ssid_missing, "replies have no SSID"),
        (is_unprocessed, "no TLV is processed"),
    ];
    let signs = signs.into_iter().filter(|(is_seen, _)| *is_seen);
    let signs: Vec<&str> = signs.map(|(_, sign)| sign).collect();
    let what = match moved {
        0 => "TWAMP Light or as STAMP without extensions (RFC 8762)",
        _ => "TWAMP Light",
    };
    let signs = signs.join(", ");
    format!("the reflector answers as {what}: {signs}; TLVs have no effect")
}
