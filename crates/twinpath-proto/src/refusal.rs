//! What an Accept value means at each step, and what can be done about it (RFC 4656 section 3.3,
//! section 4 of our conformance table).

use core::fmt;

use twinpath_wire::control::Accept;

/// A step of a control connection that a Server can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// The word for documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SetUp => "set-up",
            Self::Request => "request",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// Server-Start's Accept 6 (RFC 7717 section 5.3; row TC-29).
const NO_ASSOCIATION: u8 = 6;

/// A Server's refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of what.
    pub step: Step,
    /// The octet as it came: see [`Self::accept`].
    pub octet: u8,
}

impl Refusal {
    /// The value; unknown ones are [`Accept::Failure`] (row TC-28).
    pub const fn accept(self) -> Accept {
        Accept::from_octet(self.octet)
    }

    /// What the reader can do about it, in one clause.
    pub const fn advice(self) -> &'static str {
        match (self.step, self.octet) {
            (Step::SetUp, NO_ASSOCIATION) => {
                "the server has no IKEv2 security association with this host (RFC 7717)"
            }
            _ => advice(self.step, self.accept()),
        }
    }
}

impl fmt::Display for Refusal {
    /// `4, permanent resource limitation: the server ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.octet {
            0..=5 => write!(f, "{}", self.accept())?,
            unknown => write!(f, "{unknown}, read as {}", Accept::Failure)?,
        }
        match self.accept() {
            Accept::Ok => Ok(()),
            Accept::Failure
            | Accept::InternalError
            | Accept::NotSupported
            | Accept::PermanentLimit
            | Accept::TemporaryLimit => write!(f, ": {}", self.advice()),
        }
    }
}

/// What a reader can do about `accept` at `step`, in one clause; empty for [`Accept::Ok`].
pub const fn advice(step: Step, accept: Accept) -> &'static str {
    match (step, accept) {
        (_, Accept::Ok) => "",
        (Step::SetUp, Accept::Failure) => {
            "the server does not say why; in a secured mode it does not know the key, or has \
             another passphrase for it"
        }
        (Step::SetUp, Accept::NotSupported) => {
            "the server does not do the modes chosen; choose other ones of those it offers"
        }
        (Step::SetUp, Accept::PermanentLimit) => {
            "the server does not serve this address, or this client has all the connections it \
             may have; close some of them"
        }
        (Step::SetUp, Accept::TemporaryLimit) => {
            "the server is full: all its connections are taken; try again later"
        }
        (Step::Request, Accept::NotSupported) => {
            "the server does not do what was asked; try zero addresses, DSCP 0, no features, or \
             other padding"
        }
        (Step::Request, Accept::PermanentLimit) => {
            "the server's limit for one client; ask for fewer sessions"
        }
        (Step::Request, Accept::TemporaryLimit) => {
            "all of the server's sessions or ports are taken, some by sessions that ended and wait \
             for their timeout perhaps; try again in a few seconds"
        }
        (Step::Start, Accept::NotSupported) => {
            "the server has no such session to start, or it runs already"
        }
        (Step::Start, Accept::PermanentLimit) => {
            "the server's limit for one client; start fewer sessions"
        }
        (Step::Start, Accept::TemporaryLimit) => {
            "the server cannot start more sessions now; try again later"
        }
        (Step::Stop, Accept::NotSupported) => "the server has no such session to stop",
        (Step::Stop, Accept::PermanentLimit | Accept::TemporaryLimit) => {
            "the server ends the session by itself after REFWAIT"
        }
        (Step::Request | Step::Start | Step::Stop, Accept::Failure) => {
            "the server does not say why; its log may"
        }
        (Step::SetUp | Step::Request | Step::Start | Step::Stop, Accept::InternalError) => {
            "the server itself failed; check its log"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_advice_at_every_step() {
        for step in [Step::SetUp, Step::Request, Step::Start, Step::Stop] {
            for octet in 0..=u8::MAX {
                let refusal = Refusal { step, octet };
                assert_eq!(refusal.advice().is_empty(), octet == 0, "{refusal:?}");
            }
        }
    }

    #[test]
    fn a_refusal_is_a_line_with_number_name_and_advice() {
        // Rows TC-28, TC-29.
        let line = |step, octet| Refusal { step, octet }.to_string();
        assert_eq!(
            line(Step::Request, 4),
            "4, permanent resource limitation: the server's limit for one client; ask for fewer \
             sessions"
        );
        assert_eq!(
            line(Step::SetUp, 6),
            "6, read as 1, failure, reason unspecified: the server has no IKEv2 security \
             association with this host (RFC 7717)"
        );
        assert_eq!(
            line(Step::Start, 77),
            "77, read as 1, failure, reason unspecified: the server does not say why; its log may"
        );
    }
}
