//! What is to be said of a control connection and its sessions beside their figures.

use twinpath_report::Attempt;
use twinpath_report::Note;
use twinpath_report::notes::{remark, warning};
use twinpath_wire::control::{Modes, SecurityMode};

use super::{Dialogue, by_name, named, of_class};

impl Dialogue {
    /// What is to be said of one session beside its figures.
    pub(crate) fn session_notes(&self, index: usize) -> Vec<Note> {
        let Some(session) = self.sessions.get(index) else {
            return Vec::new();
        };
        let mut notes = Vec::new();
        // The sender's own number, which is asked for otherwise, is nothing that a user wants.
        if let Some(wished) = self
            .plan
            .receiver_port
            .filter(|wished| *wished != session.port)
        {
            let line = format!(
                "the server reflects on UDP port {}, not on {wished} as asked for: it is taken \
                 there, or the server does not let clients choose it",
                session.port
            );
            notes.push(remark("receiver-port", line));
        }
        if self.modes.contains(Modes::REFLECT_OCTETS) && !session.octets_reflected {
            let line = "the server did not give the octets to be reflected back as they were";
            notes.push(remark("octets-not-reflected", line.to_owned()));
        }
        if self.modes.security() == Some(SecurityMode::Authenticated) {
            // Of a reply not even the Sender Sequence Number is covered, at octet 48 (RFC 5357
            // section 4.2.1).
            let line = "the authenticated mode protects a packet's first number and nothing else: \
                        whoever is on the way can change its times unseen, and make up whole \
                        replies (--mode encrypted protects all but padding)";
            notes.push(remark("times-not-protected", line.to_owned()));
        }
        notes
    }

    /// What is to be said of the connection, and of sessions that were refused.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let server = named(self.plan.server);
        let mut notes = Vec::new();
        if !self.attempts.is_empty() {
            let tried: Vec<String> = self.attempts.iter().map(Attempt::to_string).collect();
            let line = format!(
                "the connection is to {server}, not to an earlier address of the name: {}",
                tried.join("; ")
            );
            notes.push(remark("other-address", line));
        }
        if self.keyed && self.modes.security() == Some(SecurityMode::Unauthenticated) {
            let line = format!(
                "{server} offers no secured mode, so nothing is secured though there is a key (with \
                 --mode there would have been no session)"
            );
            notes.push(warning("not-secured", line));
        }
        let better = |mode: &SecurityMode| mode.secures_packets();
        if self.modes.security() == Some(SecurityMode::Mixed)
            && self.plan.security.iter().any(better)
        {
            let line = format!(
                "{server} offers the mixed mode at best, so test packets are open to whoever is on \
                 the way though there is a key (with --mode there would have been no session)"
            );
            notes.push(warning("packets-not-secured", line));
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
