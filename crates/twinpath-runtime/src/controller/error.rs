//! Why a control connection came to nothing: one line each, and what to do about it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::Refusal;
use twinpath_proto::control::ClientError;
use twinpath_report::Attempt;
use twinpath_report::notes::{OWAMP, OWAMP_PORT};
use twinpath_wire::control::{Accept, Modes};

use crate::error::{OUT_OF_FILES, RunError, StartError, is_out_of_files};
use crate::names::named;

/// Why nothing was agreed on or measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    /// Nobody answered the connection.
    #[error("cannot connect to {}: {}", named(*server), unanswered(*after))]
    Unanswered {
        /// Where to.
        server: SocketAddr,
        /// How long was waited.
        after: Duration,
    },
    /// The port answers, and says nothing.
    #[error(
        "{} takes the connection but sends no Server Greeting within {} s",
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
        "{} is no TWAMP server: instead of a Server Greeting it sends \"{said}\"",
        named(*server)
    )]
    NotTwamp {
        /// Where to.
        server: SocketAddr,
        /// The first of it, as plain characters.
        said: String,
    },
    /// The Server refused a step.
    #[error("{} refuses {what}: Accept {}", named(*server), by_name(*refusal))]
    Refused {
        /// The Server.
        server: SocketAddr,
        /// What was refused, in words.
        what: String,
        /// With which value.
        refusal: Refusal,
        /// What the reader can do about it.
        advice: String,
    },
    /// The connection failed before a session ran.
    #[error("{}: {error}", named(*server))]
    Lost {
        /// The Server.
        server: SocketAddr,
        /// How.
        error: ClientError,
    },
    /// The Server closed the connection before a session ran.
    #[error("{} closed the connection before a session ran", named(*server))]
    Closed {
        /// The Server.
        server: SocketAddr,
    },
    /// Told to stop before a session ran.
    #[error("stopped before a session ran")]
    Interrupted,
    /// A Session-Sender could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A Session-Sender measured nothing.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl ControlError {
    /// What the reader can do, in one clause.
    pub fn remedy(&self) -> Option<String> {
        if self
            .server()
            .is_some_and(|server| server.port() == OWAMP_PORT)
        {
            return Some(OWAMP.to_owned());
        }
        let words = match self {
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused => {
                "no server listens on that TCP port: start one there, or give its port; a reflector \
                 without a server (TWAMP Light, STAMP) is measured by twinpath sender"
            }
            Self::Connect { source, .. } if is_out_of_files(source) => OUT_OF_FILES,
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable => {
                "see `ip address` for this host's addresses"
            }
            Self::Connect { .. } => "see `ip route get` for that address, or name an --interface",
            Self::Unanswered { .. } => {
                "the host is down, the address is wrong, or a firewall drops TCP to that port; a \
                 reflector without a server (TWAMP Light, STAMP) is measured by twinpath sender"
            }
            Self::Mute { .. } | Self::NotTwamp { .. } => {
                "another service has that port: TWAMP-Control's own is 862"
            }
            Self::Refused { advice, .. } => return Some(advice.clone()),
            Self::Lost { error, .. } => return lost(*error),
            Self::Closed { .. } => {
                "check the server's log; this address may not be allowed, or the server is full"
            }
            Self::Unreached { tried } => {
                // An address that answers tells more than one that is silent.
                let refused = tried.iter().find(|error| error.is_refusal());
                return refused.or(tried.last()).and_then(Self::remedy);
            }
            Self::Interrupted => return None,
            Self::Start(error) => return error.remedy(),
            Self::Run(error) => return error.remedy(),
        };
        Some(words.to_owned())
    }
}

impl ControlError {
    /// The host is there, and nothing listens.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused)
    }

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
    fn server(&self) -> Option<SocketAddr> {
        match self {
            Self::Connect { server, .. }
            | Self::Unanswered { server, .. }
            | Self::Mute { server, .. }
            | Self::NotTwamp { server, .. }
            | Self::Refused { server, .. }
            | Self::Lost { server, .. }
            | Self::Closed { server } => Some(*server),
            Self::Unreached { tried } => tried.first().and_then(Self::server),
            Self::Interrupted | Self::Start(_) | Self::Run(_) => None,
        }
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

/// The number and its name in RFC 4656.
pub(crate) fn by_name(refusal: Refusal) -> String {
    match refusal.octet {
        0..=5 => refusal.accept().to_string(),
        unknown => format!("{unknown}, read as {}", Accept::Failure),
    }
}

fn lost(error: ClientError) -> Option<String> {
    let words = match error {
        ClientError::TurnedAway => {
            Some("it is full, or does not serve this address: try again later")
        }
        ClientError::NoMode { offered, wanted }
            if wanted.contains(Modes::UNAUTHENTICATED)
                && !offered.contains(Modes::UNAUTHENTICATED) =>
        {
            Some("the server requires authentication: use --keys FILE or --key-id NAME")
        }
        ClientError::NoMode { offered, wanted } if let Some(remedy) = missing(offered, wanted) => {
            return Some(remedy);
        }
        ClientError::NoMode { .. } => Some("choose with --mode and features of what it offers"),
        ClientError::OtherPort { .. } => Some(
            "leave out --strict, wish for a port that it has free, or try again in a few seconds",
        ),
        ClientError::EndedBefore(_) => {
            Some("the server's log may say why; it may not serve this address")
        }
        ClientError::Silent(_) => Some("the server is overloaded or stuck, or the path is broken"),
        ClientError::Unexpected { .. } | ClientError::SessionCount { .. } => {
            Some("the server breaks the protocol: a capture of the connection shows its vendor how")
        }
        ClientError::Count { count, most } if count > most => {
            Some("let it cost so much with --max-pbkdf2-count, or lower the server's count")
        }
        ClientError::Count { .. } => {
            Some("so few would make the passphrase easy to guess: raise the server's count")
        }
        ClientError::Forged => Some("the keys differ, or somebody changes the messages"),
        ClientError::EndedWhileRunning { .. } | ClientError::Stuck | _ => None,
    };
    words.map(str::to_owned)
}

/// Features that are wanted and not offered, and the options that want them.
fn missing(offered: Modes, wanted: Modes) -> Option<String> {
    let features = [
        (Modes::REFLECT_OCTETS, "--reflect-octets"),
        (Modes::SYMMETRICAL_SIZE, "--symmetrical-size"),
        (Modes::DSCP_MONITORING, "--dscp-monitoring"),
        (Modes::PTP_TIME, "--timestamp-format ptp"),
    ];
    let options: Vec<&str> = features
        .into_iter()
        .filter(|(feature, _)| wanted.contains(*feature) && !offered.contains(*feature))
        .map(|(_, option)| option)
        .collect();
    (!options.is_empty()).then(|| format!("leave out {}", options.join(" and ")))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_is_not_offered_is_named_by_its_option() {
        let offered = Modes::UNAUTHENTICATED | Modes::DSCP_MONITORING;
        let wanted = offered | Modes::REFLECT_OCTETS | Modes::PTP_TIME;
        let remedy = lost(ClientError::NoMode { offered, wanted });
        let options = "leave out --reflect-octets and --timestamp-format ptp";
        assert_eq!(remedy.as_deref(), Some(options));
        let wanted = Modes::AUTHENTICATED;
        let remedy = lost(ClientError::NoMode { offered, wanted }).unwrap();
        assert!(remedy.contains("--mode"), "{remedy}");
    }

    #[cfg(unix)]
    #[test]
    fn a_process_without_descriptors_is_told_of_its_limit() {
        let error = ControlError::Connect {
            server: "192.0.2.1:862".parse().unwrap(),
            source: io::Error::from_raw_os_error(24),
        };
        let line = "cannot connect to 192.0.2.1:862: too many open files";
        assert_eq!(error.to_string(), line);
        assert!(error.remedy().unwrap().contains("ulimit -n"));
    }
}
