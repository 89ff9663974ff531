//! Peculiarities of the far end, and changes made to packets by the path.

use serde::{Deserialize, Serialize};
use twinpath_metrics::FarTimes;
use twinpath_proto::extension::{HmacFault, Learnt, ReplyDscp};
use twinpath_wire::{Dscp, Ecn, TlvType};

use super::{FarStamps, Finding, Losses, Silence, directions};
use crate::SessionReport;

findings! {
    /// Findings about the far end and the path.
    pub enum FarEnd {
        /// The reflector's counter restarted.
        Remark "reflector-restarts" ReflectorRestarts {
            /// How often.
            count: u64,
        }
        /// Replies whose size differs from their requests'.
        Remark "sizes-differ" SizesDiffer {
            /// How many.
            count: u64,
            /// Size of the last request.
            request_octets: usize,
            /// Size of its reply.
            reply_octets: usize,
        }
        /// Replies without the SSID.
        Remark "ssid-missing" SsidMissing
        /// The session was stopped by the first of them.
        Warning "stopped-without-ssid" StoppedWithoutSsid
        /// No reply took the way that a Return Path asks for.
        Remark "return-path-not-used" ReturnPathNotUsed {
            /// How many.
            count: u64,
        }
        /// Some replies took it and others did not: the figures are of two paths.
        Warning "return-path-changed" ReturnPathChanged {
            /// Replies that took it.
            used: u64,
            /// Replies that did not.
            not_used: u64,
        }
        /// A TLV had no effect on replies, or only a part of it.
        Remark "tlv-not-used" TlvNotUsed {
            /// Its name.
            tlv: String,
            /// In how many replies.
            count: u64,
            /// Of how many that had it.
            replies: u64,
            /// What the far end says.
            reason: TlvReason,
            /// Done in part: of these, replies that show that the far end's MTU is the reason.
            #[serde(default, skip_serializing_if = "is_zero")]
            over_mtu: u64,
            /// The same of a limit.
            #[serde(default, skip_serializing_if = "is_zero")]
            over_limit: u64,
        }
        /// Replies do not have the DSCP that Class of Service asks for.
        Remark "reply-dscp-refused" ReplyDscpRefused {
            /// Asked for.
            asked: Dscp,
        }
        /// The TLVs of replies were not used because of their HMAC.
        Warning "tlvs-not-verified" TlvsNotVerified {
            /// What is wrong in most of them.
            fault: HmacFault,
            /// How many.
            count: u64,
            /// Of how many with TLVs.
            replies: u64,
        }
        /// It answers STAMP packets with TLVs as TWAMP Light does, which knows neither.
        Remark "twamp-light" TwampLight {
            /// In so many replies TLVs are 27 octets further on.
            moved: u64,
            /// Replies have no SSID.
            is_ssid_missing: bool,
            /// TLVs came back where they were, none of them processed (U).
            is_unprocessed: bool,
        }
        /// Replies whose Z bit is wrong.
        Remark "z-bit-wrong" ZBitWrong {
            /// How many.
            count: u64,
            /// Read in the other format, their times are consistent with this host's.
            is_borne_out: bool,
        }
        /// An Error Estimate with a Multiplier of 0.
        Remark "error-estimate-zero" ErrorEstimateZero
        /// Replies came with another DSCP.
        Remark "dscp-changed" DscpChanged {
            /// Sent with.
            sent: Dscp,
            /// Replies came back with, and how many.
            came: Vec<(Dscp, u64)>,
        }
        /// Packets arrived at the reflector with another DSCP.
        Remark "dscp-changed-forward" DscpChangedForward {
            /// Sent with.
            sent: Dscp,
            /// Arrived with, and how many.
            came: Vec<(Dscp, u64)>,
        }
        /// Packets arrived at the reflector with another ECN field.
        Remark "ecn-changed-forward" EcnChangedForward {
            /// How many.
            count: u64,
        }
        /// Packets arrived at the reflector with a congestion mark.
        Remark "congestion-forward" CongestionForward {
            /// How many.
            count: u64,
        }
    }
}

impl FarEnd {
    /// Something was asked for that did not happen, or not in each reply.
    pub(super) fn is_of_request(&self) -> bool {
        match self {
            Self::ReturnPathNotUsed { .. }
            | Self::ReturnPathChanged { .. }
            | Self::TlvNotUsed { .. }
            | Self::ReplyDscpRefused { .. }
            | Self::TlvsNotVerified { .. }
            | Self::TwampLight { .. } => true,
            Self::ReflectorRestarts { .. }
            | Self::SizesDiffer { .. }
            | Self::SsidMissing
            | Self::StoppedWithoutSsid
            | Self::ZBitWrong { .. }
            | Self::ErrorEstimateZero
            | Self::DscpChanged { .. }
            | Self::DscpChangedForward { .. }
            | Self::EcnChangedForward { .. }
            | Self::CongestionForward { .. } => false,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What the far end says of a TLV that it did not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlvReason {
    /// It does not know it, cannot do it, or is not allowed to (U).
    NotUsed,
    /// Its Length is wrong (M).
    Malformed,
    /// It did a part of it (C, RFC 10052).
    InPart,
}

/// Holding a reply for longer than this is worth a warning (RFC 6673 section 4.4; row M-10).
const LONG_RESIDENCE_NS: i64 = 1_000_000_000;

pub(super) fn of(report: &SessionReport, findings: &mut Vec<Finding>) {
    let (anomalies, figures) = (&report.counters.anomalies, &report.figures);
    if figures.residence_never_measured && figures.far_times.are_usable() {
        findings.push(FarStamps::ResidenceNotMeasured.into());
    }
    let longest_ns = figures.residence.map_or(0, |residence| residence.max_ns);
    if longest_ns > LONG_RESIDENCE_NS {
        findings.push(FarStamps::ResidenceLong { longest_ns }.into());
    }
    findings.extend(directions::of(report).into_iter().map(Finding::from));
    if let count @ 1.. = figures.reflector_restarts {
        findings.push(FarEnd::ReflectorRestarts { count }.into());
    }
    if let (count @ 1.., Some((request, reply))) = (anomalies.size_differs, anomalies.last_sizes) {
        findings.push(
            FarEnd::SizesDiffer {
                count,
                request_octets: request,
                reply_octets: reply,
            }
            .into(),
        );
    }
    let light = twamp_light(report);
    not_used(report, light.is_some(), findings);
    if report.counters.stopped_without_ssid {
        findings.push(FarEnd::StoppedWithoutSsid.into());
    } else if let Some(light) = light {
        findings.push(light.into());
    } else if anomalies.ssid_missing > 0 {
        findings.push(FarEnd::SsidMissing.into());
    }
    if anomalies.z_wrong > 0 && figures.far_times.are_usable() {
        findings.push(
            FarEnd::ZBitWrong {
                count: anomalies.z_wrong,
                is_borne_out: figures.far_times == FarTimes::Agree,
            }
            .into(),
        );
    }
    if anomalies.error_multiplier_zero > 0 {
        findings.push(FarEnd::ErrorEstimateZero.into());
    }
    findings.extend(return_path(report).map(Finding::from));
    let learnt = report.learnt.as_deref();
    let sent = match learnt.and_then(Learnt::reply_dscp) {
        None => Some(report.identity.tos.dscp()),
        Some(ReplyDscp::AsAsked(dscp)) => Some(dscp),
        Some(ReplyDscp::Other) => None,
    };
    if let Some(sent) = sent
        && figures.dscp_backward.iter().any(|(dscp, _)| *dscp != sent)
    {
        findings.push(
            FarEnd::DscpChanged {
                sent,
                came: figures.dscp_backward.clone(),
            }
            .into(),
        );
    }
    if let Some(from) = anomalies.last_elsewhere {
        findings.push(
            Silence::AnswersFromElsewhere {
                from,
                far: report.identity.reflector,
                count: anomalies.answers_elsewhere,
                is_silent: false,
            }
            .into(),
        );
    }
    if let count @ 1.. = figures.late {
        findings.push(Losses::Late { count }.into());
    }
    forward_marking(report, findings);
}

/// Whether replies to packets with TLVs are those of TWAMP Light, or of a STAMP reflector that knows no
/// more than that (row ST-54).
fn twamp_light(report: &SessionReport) -> Option<FarEnd> {
    let learnt = report.learnt.as_ref()?;
    let is_ssid_missing = report.counters.anomalies.ssid_missing > 0;
    let has_ssid = report
        .identity
        .wire
        .format
        .ssid()
        .is_some_and(|ssid| ssid != 0);
    let is_unprocessed = !has_ssid && learnt.is_unprocessed();
    let is_light = learnt.moved > 0 || is_ssid_missing || is_unprocessed;
    is_light.then_some(FarEnd::TwampLight {
        moved: learnt.moved,
        is_ssid_missing,
        is_unprocessed,
    })
}

/// Whether replies took the way asked for (row SL-31).
pub(super) fn return_path(report: &SessionReport) -> Option<FarEnd> {
    let mut tlvs = report.learnt.iter().flat_map(|learnt| &learnt.tlvs);
    let seen = tlvs.find(|seen| seen.kind == TlvType::RETURN_PATH)?;
    match (seen.processed, seen.unrecognized) {
        (_, 0) => None,
        (0, count) => Some(FarEnd::ReturnPathNotUsed { count }),
        (used, not_used) => Some(FarEnd::ReturnPathChanged { used, not_used }),
    }
}

/// TLVs without the effect that was asked for. `is_light`: that no TLV has any is known.
fn not_used(report: &SessionReport, is_light: bool, findings: &mut Vec<Finding>) {
    let Some(learnt) = &report.learnt else { return };
    if let Some((fault, count)) = learnt.hmac_faults.main() {
        let replies = learnt.replies;
        findings.push(
            FarEnd::TlvsNotVerified {
                fault,
                count,
                replies,
            }
            .into(),
        );
    }
    if let Some(asked) = learnt.refused_dscp() {
        findings.push(FarEnd::ReplyDscpRefused { asked }.into());
    }
    for seen in &learnt.tlvs {
        let Some(tlv) = seen.name() else { continue };
        let is_told = is_light || seen.kind == TlvType::RETURN_PATH;
        for (count, reason) in [
            (
                if is_told { 0 } else { seen.unrecognized },
                TlvReason::NotUsed,
            ),
            (seen.malformed, TlvReason::Malformed),
            (seen.unmet, TlvReason::InPart),
        ] {
            if count > 0 {
                let (tlv, replies) = (tlv.to_owned(), seen.replies());
                let further = learnt.further_replies;
                let (over_mtu, over_limit) = match reason {
                    TlvReason::InPart => (further.over_mtu, further.over_limit),
                    TlvReason::NotUsed | TlvReason::Malformed => (0, 0),
                };
                findings.push(
                    FarEnd::TlvNotUsed {
                        tlv,
                        count,
                        replies,
                        reason,
                        over_mtu,
                        over_limit,
                    }
                    .into(),
                );
            }
        }
    }
}

/// Changes of the ToS octet outbound, if the reflector reports the received one (RFC 7750).
fn forward_marking(report: &SessionReport, findings: &mut Vec<Finding>) {
    let figures = &report.figures;
    let sent = report.identity.tos.dscp();
    if figures.dscp_forward.iter().any(|(dscp, _)| *dscp != sent) {
        findings.push(
            FarEnd::DscpChangedForward {
                sent,
                came: figures.dscp_forward.clone(),
            }
            .into(),
        );
    }
    let remarked = figures.remarked_forward.unwrap_or_default();
    if let count @ 1.. = remarked.ecn {
        findings.push(FarEnd::EcnChangedForward { count }.into());
    }
    if let Some(count @ 1..) = figures.congestion_forward
        && report.identity.tos.ecn() != Ecn::Ce
    {
        findings.push(FarEnd::CongestionForward { count }.into());
    }
}
