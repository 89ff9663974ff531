//! The meaning of a Server's refusal at each step, and what to do about it (RFC 4656 section 3.3;
//! rows TC-28, TC-29).

use twinpath_proto::{Refusal, Step};
use twinpath_report::Advice;
use twinpath_wire::control::Accept;

/// Server-Start's Accept 6 (RFC 7717 section 5.3; row TC-29).
const NO_ASSOCIATION: u8 = 6;

/// What the reader can do about it, in one clause; empty for [`Accept::Ok`].
pub(crate) fn advice(refusal: Refusal, advice: Advice) -> String {
    let meaning = meaning(refusal);
    match advice {
        Advice::AsRefused => meaning.to_owned(),
        Advice::LessPadding => format!("{meaning}, or use less --padding"),
        Advice::AllowSender { sender } => format!(
            "the server may refuse senders other than its client: allow them (twinpath server: --allow-sender {sender}); or it does not support the request"
        ),
        Advice::AskForLess {
            without_addresses: true,
        } => format!("{meaning} (--dscp be, --padding)"),
        Advice::AskForLess { .. } => format!("{meaning} (--nat, --dscp be, --padding)"),
    }
}

/// The remedy for the step and the value.
fn meaning(refusal: Refusal) -> &'static str {
    match (refusal.step, refusal.accept()) {
        (_, Accept::Ok) => "",
        (Step::SetUp, Accept::Failure) if refusal.octet == NO_ASSOCIATION => {
            "the server has no IKEv2 security association with this host (RFC 7717)"
        }
        (Step::SetUp, Accept::Failure) => {
            "the server gives no reason; in a secured mode, the key is unknown or the passphrase differs"
        }
        (Step::SetUp, Accept::NotSupported) => {
            "the server does not accept the chosen modes; choose others that it offers"
        }
        (Step::SetUp, Accept::PermanentLimit) => {
            "this address is not allowed, or this client has reached its limit of connections; close some"
        }
        (Step::SetUp, Accept::TemporaryLimit) => {
            "the server is full: all its connections are taken; try again later"
        }
        (Step::Request, Accept::NotSupported) => {
            "the server does not support the request; try zero addresses, DSCP 0, no features, or other padding"
        }
        (Step::Request, Accept::PermanentLimit) => {
            "the server's limit per client is reached; request fewer sessions"
        }
        (Step::Request, Accept::TemporaryLimit) => {
            "all sessions or ports of the server are taken, perhaps by ended sessions still waiting for their timeout; try again in a few seconds"
        }
        (Step::Start, Accept::NotSupported) => {
            "the server has no such session, or it is already running"
        }
        (Step::Start, Accept::PermanentLimit) => {
            "the server's limit per client is reached; start fewer sessions"
        }
        (Step::Start, Accept::TemporaryLimit) => {
            "the server cannot start more sessions now; try again later"
        }
        (Step::Stop, Accept::NotSupported) => "the server has no such session to stop",
        (Step::Stop, Accept::PermanentLimit | Accept::TemporaryLimit) => {
            "the server ends the session itself after REFWAIT"
        }
        (Step::Request | Step::Start | Step::Stop, Accept::Failure) => {
            "the server gives no reason; check its log"
        }
        (_, Accept::InternalError) => "the server itself failed; check its log",
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
                let words = advice(refusal, Advice::AsRefused);
                assert_eq!(words.is_empty(), octet == 0, "{refusal:?}");
            }
        }
    }

    #[test]
    fn advice_names_the_options_that_help() {
        let of = |octet, kind| {
            let step = Step::Request;
            advice(Refusal { step, octet }, kind)
        };
        assert!(of(4, Advice::LessPadding).ends_with("fewer sessions, or use less --padding"));
        let sender = [192, 0, 2, 7].into();
        let words = of(3, Advice::AllowSender { sender });
        assert!(words.contains("--allow-sender 192.0.2.7"), "{words}");
        for without_addresses in [false, true] {
            let words = of(3, Advice::AskForLess { without_addresses });
            assert_eq!(words.contains("--nat"), !without_addresses, "{words}");
        }
    }
}
