//! The result of a control connection, for its report and raw files.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Deserializer, Serialize};
use twinpath_proto::Refusal;
use twinpath_wire::Dscp;
use twinpath_wire::control::Modes;

use crate::{Finding, Note, finding};

/// Report of a Control-Client with its Session-Senders. The keys are those of raw files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ControlReport {
    /// The Server's end of the control connection.
    pub server: SocketAddr,
    /// This host's end of it.
    #[serde(rename = "client")]
    pub near: SocketAddr,
    /// Other addresses of the Server, tried before without success, in this order.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// Modes that the Server offers.
    #[serde(rename = "modes_offered")]
    pub offered: Modes,
    /// Modes chosen.
    pub modes: Modes,
    /// The sessions that the Server refused, in the order in which they were requested.
    #[serde(default, deserialize_with = "refused_from_file")]
    pub refused: Vec<RefusedSession>,
    /// Findings about the connection, and about sessions without figures, warnings first.
    #[serde(default, deserialize_with = "finding::from_file")]
    pub findings: Vec<Finding>,
    /// The findings in words.
    pub notes: Vec<Note>,
}

impl ControlReport {
    /// From a file: findings unknown to this version keep the file's words.
    #[must_use]
    pub fn as_read(mut self) -> Self {
        self.findings = finding::in_words(self.findings, std::mem::take(&mut self.notes));
        self
    }
}

/// Refused sessions of a file, without those at a step unknown to this version.
fn refused_from_file<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<RefusedSession>, D::Error> {
    let values = Vec::<serde_json::Value>::deserialize(from)?;
    let known = values
        .into_iter()
        .filter_map(|value| RefusedSession::deserialize(value).ok());
    Ok(known.collect())
}

/// A DSCP as stored in raw files: in its ToS octet.
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

/// A requested session that the Server does not accept or start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedSession {
    /// Its position among the requested sessions, from 1.
    pub number: usize,
    /// Its path, from 1, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<u16>,
    /// Its marking.
    #[serde(rename = "tos", with = "tos")]
    pub dscp: Dscp,
    /// At which step, and by which Accept value.
    #[serde(flatten)]
    pub refusal: Refusal,
    /// What the reader can do about it; `None` from a file, which contains the words.
    #[serde(skip)]
    pub remedy: Option<Advice>,
    /// The advice in words.
    pub advice: String,
}

/// What can be done about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Advice {
    /// The remedy for the step and the Accept value.
    AsRefused,
    /// Also: ask for less padding.
    LessPadding,
    /// The Server may not accept sessions of senders other than its client.
    AllowSender {
        /// The sender that it would have to accept.
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
    /// The reason, without the address.
    pub error: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.server, self.error)
    }
}
