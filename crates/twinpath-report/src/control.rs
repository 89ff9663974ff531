//! What a control connection came to, as its report and a raw file have it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Deserializer, Serialize};
use twinpath_proto::Refusal;
use twinpath_wire::Dscp;
use twinpath_wire::control::Modes;

use crate::{Finding, Note, SessionReport, finding};

/// What a Control-Client with its Session-Senders found out. The keys are those of raw files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ControlReport {
    /// The Server's end of the control connection.
    pub server: SocketAddr,
    /// This host's end of it.
    #[serde(rename = "client")]
    pub near: SocketAddr,
    /// Other addresses of the Server, which did not take the connection before, in this order.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// Modes that the Server offers.
    #[serde(rename = "modes_offered")]
    pub offered: Modes,
    /// Modes chosen.
    pub modes: Modes,
    /// The sessions that were measured, in the order of the classes asked for.
    #[serde(skip)]
    pub sessions: Vec<SessionReport>,
    /// The sessions that the Server refused, in the same order.
    #[serde(default, deserialize_with = "known")]
    pub refused: Vec<RefusedSession>,
    /// What is remarkable about the connection, and about sessions without figures, warnings first.
    #[serde(default, deserialize_with = "finding::known")]
    pub findings: Vec<Finding>,
    /// The findings in words.
    pub notes: Vec<Note>,
}

impl ControlReport {
    /// One that was read from a file: what this version does not know keeps the file's words.
    #[must_use]
    pub fn as_read(mut self) -> Self {
        self.findings = finding::in_words(self.findings, std::mem::take(&mut self.notes));
        self
    }
}

/// Refused sessions of a file, without those at a step that this version does not know.
fn known<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<RefusedSession>, D::Error> {
    let values = Vec::<serde_json::Value>::deserialize(from)?;
    let known = values
        .into_iter()
        .filter_map(|value| RefusedSession::deserialize(value).ok());
    Ok(known.collect())
}

/// A DSCP as raw files have it: in its ToS octet.
mod tos {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use twinpath_wire::{Dscp, Tos};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    pub(super) fn serialize<S: Serializer>(dscp: &Dscp, to: S) -> Result<S::Ok, S::Error> {
        dscp.tos().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Dscp, D::Error> {
        Tos::deserialize(from).map(Tos::dscp)
    }
}

/// A session that was asked for and that the Server does not make or start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedSession {
    /// Its place among the classes asked for, from 1.
    pub number: usize,
    /// Its marking.
    #[serde(rename = "tos", with = "tos")]
    pub dscp: Dscp,
    /// At which step, and by which Accept value.
    #[serde(flatten)]
    pub refusal: Refusal,
    /// What the reader can do about it; `None` of a file, which has the words.
    #[serde(skip)]
    pub remedy: Option<Advice>,
    /// The same in words.
    pub advice: String,
}

/// What can be done about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Advice {
    /// What follows from the step and the Accept value.
    AsRefused,
    /// Also: ask for less padding.
    LessPadding,
    /// The Server may take no sessions of other senders than its client.
    AllowSender {
        /// Whom it would have to take.
        sender: IpAddr,
    },
    /// Ask for less: DSCP, padding, and addresses unless they were left out.
    AskForLess {
        /// The addresses were left out.
        without_addresses: bool,
    },
}

/// An address of a Server that did not take the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The address.
    #[serde(rename = "address")]
    pub server: SocketAddr,
    /// Why not, without the address.
    pub error: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.server, self.error)
    }
}
