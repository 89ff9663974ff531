//! What is to be said of a control connection and its sessions beside their figures.

use twinpath_wire::control::{Modes, SecurityMode};

use super::{Talk, by_name, named, of_class};
use crate::Note;
use crate::notes::{remark, warning};

impl Talk {
    /// What is to be said of one session beside its figures.
    pub(crate) fn session_notes(&self, index: usize) -> Vec<Note> {
        let Some(session) = self.sessions.get(index) else {
            return Vec::new();
        };
        let mut notes = Vec::new();
        let wished = session.wish.receiver_port;
        if wished != 0 && wished != session.port {
            let line = format!(
                "the server reflects on UDP port {}, where {wished} was wished for: that is taken \
                 there, by a session that just ended perhaps, or the server chooses its own",
                session.port
            );
            notes.push(remark("receiver-port", line));
        }
        if self.modes.contains(Modes::REFLECT_OCTETS) && !session.octets_reflected {
            let line = "the server did not give the octets to be reflected back as they were";
            notes.push(remark("octets-not-reflected", line.to_owned()));
        }
        if self.modes.security() == Some(SecurityMode::Authenticated) {
            // Row TT-35.
            let line = "the authenticated mode protects a packet's number and not its times: on the \
                        way they can be changed unseen (--mode encrypted protects them)";
            notes.push(remark("times-not-protected", line.to_owned()));
        }
        notes
    }

    /// What is to be said of the connection, and of sessions that were refused.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let server = named(self.plan.server);
        let mut notes = Vec::new();
        if self.keyed && self.modes.security() == Some(SecurityMode::Unauthenticated) {
            let line = format!(
                "{server} offers no secured mode, so nothing is secured though there is a key (with \
                 --mode there would have been no session)"
            );
            notes.push(warning("not-secured", line));
        }
        for session in self.refusals() {
            let line = format!(
                "{server} refuses {}: Accept {}; {}",
                of_class(session.dscp),
                by_name(session.refusal),
                session.advice
            );
            notes.push(warning("session-refused", line));
        }
        if let Some(error) = self.lost {
            let line = format!(
                "the server {server} was gone before the end ({error}); it may have stopped \
                 reflecting then"
            );
            notes.push(warning("server-gone", line));
        }
        if let Some(count) = self.odd_count {
            let line = format!(
                "{server} wants {count} PBKDF2 iterations, no power of 2 as the standard has it: \
                 made as asked"
            );
            notes.push(remark("odd-pbkdf2-count", line));
        }
        notes
    }
}
