//! Whether the far end answers: the last packet that it answered, and the losses since.

use serde::Serialize;
use twinpath_wire::{Fate, Sample, Wall};

/// Whether a session gets replies (row SL-87).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// The last packet whose fate is known was answered, or few after it were lost.
    Active,
    /// No reply yet, and few losses.
    #[default]
    Idle,
    /// As many losses in a row as [`MetricsConfig::failed_after`](crate::MetricsConfig::failed_after), and no
    /// reply since.
    Failed,
}

impl SessionState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Idle, Self::Active, Self::Failed];

    /// As in JSON and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Failed => "failed",
        }
    }
}

/// Whether the far end answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyStatus {
    /// T1 of the last packet that was answered, in time or late; `None` without one.
    pub answered_until: Option<Wall>,
    /// Losses after that packet.
    pub lost_since: u64,
    /// What that means.
    pub state: SessionState,
}

impl ReplyStatus {
    /// Losses in a row after which a session has failed, where nothing else is asked for.
    pub const FAILED_AFTER: u64 = 5;

    /// Of two runs: that of the later one, if each has an answered packet; else nothing is known of the end.
    pub(crate) fn merge(self, other: Self) -> Self {
        match (self.answered_until, other.answered_until) {
            (Some(ours), Some(theirs)) if theirs > ours => other,
            (Some(_), Some(_)) => self,
            (None, _) | (_, None) => Self {
                state: self.state.max(other.state),
                ..Self::default()
            },
        }
    }
}

/// Packets without a reply since the last answered one, in time or late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SinceReply {
    /// Number and T1 of the answered packet with the greatest number.
    answered: Option<(u64, Wall)>,
    lost: u64,
    failed_after: u64,
}

impl SinceReply {
    /// A session has failed after so many losses in a row.
    pub(crate) fn new(failed_after: u64) -> Self {
        Self {
            answered: None,
            lost: 0,
            failed_after: failed_after.max(1),
        }
    }

    /// A packet is lost only after its timeout, so replies to earlier ones are already known.
    pub(crate) fn record(&mut self, sample: &Sample) {
        let is_newer = self.answered.is_none_or(|(seq, _)| sample.seq > seq);
        match sample.fate {
            Fate::Received | Fate::Late if is_newer => {
                self.answered = Some((sample.seq, sample.t1.at));
                self.lost = 0;
            }
            Fate::Lost if is_newer => self.lost += 1,
            Fate::Received | Fate::Late | Fate::Lost | Fate::Duplicate | Fate::Unawaited => {}
        }
    }

    pub(crate) fn reply_status(&self) -> ReplyStatus {
        let state = if self.lost >= self.failed_after {
            SessionState::Failed
        } else if self.answered.is_some() {
            SessionState::Active
        } else {
            SessionState::Idle
        };
        ReplyStatus {
            answered_until: self.answered.map(|(_, at)| at),
            lost_since: self.lost,
            state,
        }
    }
}
