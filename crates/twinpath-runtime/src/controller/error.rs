//! Why a control connection came to nothing: one line each.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::Refusal;
use twinpath_proto::control::ClientError;
use twinpath_report::{Advice, Attempt};

use crate::error::{RunError, StartError, is_out_of_files};
use crate::names::named;

/// Why nothing was agreed on or measured.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The connection could not be made.
    #[error("cannot connect to {}: {}", named(*server), words(source))]
    Connect {
        /// Where to.
        server: SocketAddr,
        /// The system's word.
        source: io::Error,
    },
    /// None of several addresses of one Server took the connection.
    #[error("cannot connect to {}", each(tried))]
    Unreached {
        /// Why not, address by address.
        tried: Vec<ControlError>,
    },
    /// The connection was not answered.
    #[error("cannot connect to {}: {}", named(*server), unanswered(*after))]
    Unanswered {
        /// Where to.
        server: SocketAddr,
        /// How long was waited.
        after: Duration,
    },
    /// The port answers, and says nothing.
    #[error(
        "{} accepts the connection but sends no Server Greeting within {} s",
        named(*server),
        after.as_secs_f64()
    )]
    Mute {
        /// Where to.
        server: SocketAddr,
        /// How long was waited.
        after: Duration,
    },
    /// The port answers with something else than a Server Greeting.
    #[error(
        "{} is not a TWAMP server: it sends \"{said}\" instead of a Server Greeting",
        named(*server)
    )]
    NotTwamp {
        /// Where to.
        server: SocketAddr,
        /// The first of it, as plain characters.
        said: String,
    },
    /// The Server refused a step.
    #[error("{} refuses {what}: Accept {refusal}", named(*server))]
    Refused {
        /// The Server.
        server: SocketAddr,
        /// What was refused, in words.
        what: String,
        /// With which value.
        refusal: Refusal,
        /// What the reader can do about it.
        advice: Advice,
    },
    /// The connection failed before a session ran.
    #[error("{}: {error}{}", named(*server), before(*accepted, *sessions))]
    Lost {
        /// The Server.
        server: SocketAddr,
        /// How.
        error: ClientError,
        /// Sessions that were accepted before.
        accepted: usize,
        /// Sessions that were asked for.
        sessions: usize,
    },
    /// The Server closed the connection before a session started.
    #[error("{} closed the connection before a session started", named(*server))]
    Closed {
        /// The Server.
        server: SocketAddr,
    },
    /// Told to stop before a session ran.
    #[error("stopped before {} {awaited}", named(*server))]
    Interrupted {
        /// The Server.
        server: SocketAddr,
        /// What it was to do next, in words.
        awaited: &'static str,
    },
    /// A Session-Sender could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A Session-Sender measured nothing.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl ControlError {
    /// The address that did not take the connection, and why not.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        let error = if let Self::Connect { source, .. } = self {
            words(source)
        } else if let Self::Unanswered { after, .. } = self {
            unanswered(*after)
        } else {
            self.to_string()
        };
        let server = self.server()?;
        Some(Attempt { server, error })
    }

    /// The Server that it is about.
    pub fn server(&self) -> Option<SocketAddr> {
        match self {
            Self::Connect { server, .. }
            | Self::Unanswered { server, .. }
            | Self::Mute { server, .. }
            | Self::NotTwamp { server, .. }
            | Self::Refused { server, .. }
            | Self::Lost { server, .. }
            | Self::Closed { server }
            | Self::Interrupted { server, .. } => Some(*server),
            Self::Unreached { tried } => tried.first().and_then(Self::server),
            Self::Start(_) | Self::Run(_) => None,
        }
    }
}

/// How far several sessions had come.
fn before(accepted: usize, sessions: usize) -> String {
    match accepted {
        1.. if sessions > 1 => format!(", after {accepted} of {sessions} sessions were accepted"),
        _ => String::new(),
    }
}

fn unanswered(after: Duration) -> String {
    format!(
        "no answer within {} s",
        (after.as_secs_f64() * 10.0).round() / 10.0
    )
}

/// Addresses with what each said, in one line.
fn each(tried: &[ControlError]) -> String {
    let attempts = tried.iter().filter_map(ControlError::attempt);
    let attempts: Vec<String> = attempts
        .map(|attempt| format!("{}: {}", named(attempt.server), attempt.error))
        .collect();
    attempts.join("; to ")
}

/// The system's word without its number.
fn words(error: &io::Error) -> String {
    if is_out_of_files(error) {
        return "too many open files".to_owned();
    }
    let known = [
        (io::ErrorKind::ConnectionRefused, "connection refused"),
        (io::ErrorKind::HostUnreachable, "host unreachable"),
        (io::ErrorKind::NetworkUnreachable, "network unreachable"),
        (
            io::ErrorKind::ConnectionReset,
            "the connection was reset at once",
        ),
        (
            io::ErrorKind::AddrNotAvailable,
            "this host does not have the local address",
        ),
    ];
    let words = known.iter().find(|(kind, _)| *kind == error.kind());
    words.map_or_else(|| error.to_string(), |(_, words)| (*words).to_owned())
}
