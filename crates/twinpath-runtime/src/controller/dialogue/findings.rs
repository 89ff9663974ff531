//! What is remarkable about a control connection and its sessions beside their figures.

use twinpath_report::Finding;
use twinpath_report::finding::Control;
use twinpath_wire::control::{Modes, SecurityMode};

use super::Dialogue;

impl Dialogue {
    /// About one session.
    pub(crate) fn session_findings(&self, index: usize) -> Vec<Finding> {
        let Some(session) = self.sessions.get(index) else {
            return Vec::new();
        };
        let mut findings = Vec::new();
        // The sender's own number, which is asked for otherwise, is nothing that a user wants.
        if let Some(asked) = self
            .plan
            .receiver_port
            .filter(|asked| *asked != session.port)
        {
            let port = session.port;
            findings.push(Control::ReceiverPort { port, asked }.into());
        }
        if self.modes.contains(Modes::REFLECT_OCTETS) && !session.octets_reflected {
            findings.push(Control::OctetsNotReflected.into());
        }
        // Of a reply not even the Sender Sequence Number is covered, at octet 48 (RFC 5357 section
        // 4.2.1).
        if self.modes.security() == Some(SecurityMode::Authenticated) {
            findings.push(Control::TimesNotProtected.into());
        }
        findings
    }

    /// About the connection, and about sessions that were refused.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let server = self.plan.server;
        let mut findings: Vec<Control> = Vec::new();
        if !self.attempts.is_empty() {
            findings.push(Control::OtherAddress {
                server,
                attempts: self.attempts.clone(),
            });
        }
        if self.keyed && self.modes.security() == Some(SecurityMode::Unauthenticated) {
            findings.push(Control::NotSecured { server });
        }
        let better = |mode: &SecurityMode| mode.secures_packets();
        if self.modes.security() == Some(SecurityMode::Mixed)
            && self.plan.security.iter().any(better)
        {
            findings.push(Control::PacketsNotSecured { server });
        }
        for session in self.refusals() {
            let refused = session.remedy.map(|advice| Control::SessionRefused {
                server,
                dscp: session.dscp,
                step: session.refusal.step,
                accept: session.refusal.octet,
                advice,
            });
            // Once of all paths of a class.
            findings.extend(refused.filter(|refused| !findings.contains(refused)));
        }
        if let Some(error) = self.lost {
            let error = error.to_string();
            findings.push(Control::ServerGone { server, error });
        }
        if let Some(count) = self.odd_count {
            findings.push(Control::OddPbkdf2Count { server, count });
        }
        findings.into_iter().map(Finding::from).collect()
    }
}
