//! What is peculiar about the far end and about the path.

use twinpath_report::finding::FarEnd;
use twinpath_wire::Dscp;

use super::{if_so, packets, replies};

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
            "{} of another size than the request: {reply_octets} octets to {request_octets}",
            replies(*count)
        ),
        FarEnd::SsidMissing => {
            "the reflector does not return the SSID: it does not know RFC 8972".to_owned()
        }
        FarEnd::ZBitWrong {
            count,
            is_borne_out,
        } => format!(
            "{} with the wrong timestamp format (Z bit): read in the other one{}",
            replies(*count),
            if_so(*is_borne_out, ", which agrees with this host's clock")
        ),
        FarEnd::ErrorEstimateZero => {
            "the reflector's Error Estimate has a Multiplier of 0: its error is unknown".to_owned()
        }
        FarEnd::DscpChanged { sent, came } => format!(
            "sent with DSCP {sent}, replies came back with {}",
            shares(came)
        ),
        FarEnd::DscpChangedForward { sent, came } => format!(
            "remarked outbound: sent with DSCP {sent}, arrived with {}",
            shares(came)
        ),
        FarEnd::EcnChangedForward { count } => format!(
            "the ECN field was changed outbound: {} did not arrive with the one sent",
            packets(*count)
        ),
        FarEnd::CongestionForward { count } => {
            format!("{} met congestion outbound (ECN mark)", packets(*count))
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
