//! A Server's refusals (RFC 4656 section 3.3).

use core::fmt;

use serde::{Deserialize, Serialize};
use twinpath_wire::control::Accept;

/// A step of a control connection that a Server can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Set-Up-Response, answered by Server-Start.
    SetUp,
    /// Request-TW-Session, answered by Accept-Session.
    Request,
    /// Start-Sessions or Start-N-Sessions.
    Start,
    /// Stop-N-Sessions.
    Stop,
}

impl Step {
    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SetUp => "set-up",
            Self::Request => "request",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// A Server's refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The refused step.
    pub step: Step,
    /// The octet as received: see [`Self::accept`].
    #[serde(rename = "accept")]
    pub octet: u8,
}

impl Refusal {
    /// The value; unknown ones are [`Accept::Failure`] (row TC-28).
    pub const fn accept(self) -> Accept {
        Accept::from_octet(self.octet)
    }
}

impl fmt::Display for Refusal {
    /// The number and its name in RFC 4656: `4, permanent resource limitation`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.octet {
            0..=5 => write!(f, "{}", self.accept()),
            unknown => write!(f, "{unknown}, read as {}", Accept::Failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_value_is_a_failure_with_its_number() {
        // Rows TC-28, TC-29.
        let value = |octet| {
            let step = Step::Start;
            Refusal { step, octet }.to_string()
        };
        assert_eq!(value(4), "4, permanent resource limitation");
        for octet in [6, 77] {
            let words = format!("{octet}, read as 1, failure, reason unspecified");
            assert_eq!(value(octet), words);
        }
    }
}
