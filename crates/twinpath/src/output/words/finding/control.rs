//! The control connection, and what was negotiated on it.

use twinpath_proto::Refusal;
use twinpath_report::finding::Control;

use crate::output::ends::named;
use crate::output::words::{attempt, refusal};

pub(super) fn line(finding: &Control) -> String {
    match finding {
        Control::ReceiverPort { port, asked } => format!(
            "the server reflects on UDP port {port} instead of {asked}: that port is taken, or clients may not choose it"
        ),
        Control::OctetsNotReflected => {
            "the server did not return the octets to be reflected unchanged".to_owned()
        }
        Control::TimesNotProtected => "the authenticated mode protects only the sequence number of a packet: anyone on the path can change timestamps undetected and forge whole replies (--mode encrypted protects everything except padding)"
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
            "{} offers no secured mode, so nothing is secured despite the key (with --mode the session would have been refused)",
            named(*server)
        ),
        Control::PacketsNotSecured { server } => format!(
            "{} offers at best the mixed mode, so test packets are open to anyone on the path despite the key (with --mode the session would have been refused)",
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
            "the connection to {} was lost before the end ({error}); it may have stopped reflecting then",
            named(*server)
        ),
        Control::OddPbkdf2Count { server, count } => format!(
            "{} requires {count} PBKDF2 iterations, not a power of 2 as the standard demands; used as given",
            named(*server)
        ),
        Control::EndedEarly => {
            "no more replies after that: the run ended early".to_owned()
        }
        Control::SessionFailed { error } => error.clone(),
    }
}
