//! The control connection, and what was agreed on by it.

use twinpath_proto::Refusal;
use twinpath_report::finding::Control;

use crate::output::ends::named;
use crate::output::words::{attempt, refusal};

pub(super) fn line(finding: &Control) -> String {
    match finding {
        Control::ReceiverPort { port, asked } => format!(
            "the server reflects on UDP port {port}, not on {asked} as asked for: it is taken there, or \
             the server does not let clients choose it"
        ),
        Control::OctetsNotReflected => {
            "the server did not return the octets to be reflected unchanged".to_owned()
        }
        Control::TimesNotProtected => "the authenticated mode protects a packet's first number and \
                                       nothing else: anyone on the path can change its times undetected, \
                                       and forge whole replies (--mode encrypted protects all but padding)"
            .to_owned(),
        Control::OtherAddress { server, attempts } => {
            let tried: Vec<String> = attempts.iter().map(attempt).collect();
            format!(
                "the connection is to {}, not to an earlier address of the name: {}",
                named(*server),
                tried.join("; ")
            )
        }
        Control::NotSecured { server } => format!(
            "{} offers no secured mode, so nothing is secured although there is a key (with --mode there \
             would have been no session)",
            named(*server)
        ),
        Control::PacketsNotSecured { server } => format!(
            "{} offers the mixed mode at best, so test packets are unprotected on the path although there \
             is a key (with --mode there would have been no session)",
            named(*server)
        ),
        Control::SessionRefused {
            server,
            dscp,
            step,
            accept,
            advice,
        } => {
            let refusal = Refusal {
                step: *step,
                octet: *accept,
            };
            format!(
                "{} refuses the session with DSCP {dscp}: Accept {refusal}; {}",
                named(*server),
                refusal::advice(refusal, *advice)
            )
        }
        Control::ServerGone { server, error } => format!(
            "the server {} was gone before the end ({error}); it may have stopped reflecting then",
            named(*server)
        ),
        Control::OddPbkdf2Count { server, count } => format!(
            "{} asks for {count} PBKDF2 iterations, not a power of 2 as the standard requires: used as \
             asked",
            named(*server)
        ),
        Control::EndedEarly => {
            "no replies came after that: the run was ended early".to_owned()
        }
        Control::SessionFailed { error } => error.clone(),
    }
}
