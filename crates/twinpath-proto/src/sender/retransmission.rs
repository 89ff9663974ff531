//! Repeats an Access Report that no reply has confirmed (RFC 8972 section 4.6; rows ST-46, ST-65).

use twinpath_wire::Mono;

use crate::extension::Retransmission;

/// The timer of a session's Access Report. All its packets carry the report, so a packet that is due in
/// time is a retransmission too, and each one arms the timer again.
#[derive(Debug)]
pub(super) struct ReportTimer {
    asked: Retransmission,
    left: u32,
    due: Option<Mono>,
}

impl ReportTimer {
    pub(super) fn new(asked: Retransmission) -> Self {
        Self {
            asked,
            left: asked.count,
            due: None,
        }
    }

    /// A packet with the report left.
    pub(super) fn arm(&mut self, now: Mono) {
        self.due = (self.left > 0).then(|| now + self.asked.after);
    }

    /// When the report is to be sent again, if no packet is sent before.
    pub(super) fn due(&self) -> Option<Mono> {
        self.due
    }

    /// Whether a retransmission is due, which is then counted.
    pub(super) fn take(&mut self, now: Mono) -> Option<Mono> {
        let due = self.due.take_if(|due| *due <= now)?;
        self.left = self.left.saturating_sub(1);
        Some(due)
    }

    /// A reply carried the report, or nothing more is to be sent.
    pub(super) fn end(&mut self) {
        (self.left, self.due) = (0, None);
    }
}
