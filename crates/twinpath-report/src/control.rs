//! What a control connection came to, as its report and a raw file have it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use twinpath_proto::Refusal;
use twinpath_wire::Dscp;
use twinpath_wire::control::Modes;

use crate::{Finding, Note, SessionReport};

/// What a Control-Client with its Session-Senders found out.
#[derive(Clone, Debug)]
pub struct ControlReport {
    /// The Server's end of the control connection.
    pub server: SocketAddr,
    /// This host's end of it.
    pub near: SocketAddr,
    /// Other addresses of the Server, which did not take the connection before, in this order.
    pub attempts: Vec<Attempt>,
    /// Modes that the Server offers.
    pub offered: Modes,
    /// Modes chosen.
    pub modes: Modes,
    /// The sessions that were measured, in the order of the classes asked for.
    pub sessions: Vec<SessionReport>,
    /// The sessions that the Server refused, in the same order.
    pub refused: Vec<RefusedSession>,
    /// What is remarkable about the connection, and about sessions without figures, warnings first.
    pub findings: Vec<Finding>,
    /// The findings in words.
    pub notes: Vec<Note>,
}

/// A session that was asked for and that the Server does not make or start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSession {
    /// Its place among the classes asked for, from 1.
    pub number: usize,
    /// Its marking.
    pub dscp: Dscp,
    /// At which step, and by which Accept value.
    pub refusal: Refusal,
    /// What the reader can do about it; `None` of a file, which has the words.
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
