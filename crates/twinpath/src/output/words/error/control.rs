//! What to do about a failed control connection.

use std::borrow::Cow;
use std::io;

use twinpath_proto::control::ClientError;
use twinpath_runtime::controller::ControlError;
use twinpath_runtime::is_out_of_files;
use twinpath_wire::control::Modes;

use super::{OUT_OF_FILES, OWAMP, OWAMP_PORT, Remedy};
use crate::args::MOST_PBKDF2_COUNT;
use crate::output::words::no_reply::TCP_SILENT;
use crate::output::words::refusal;

/// For an address at which no TCP server answers.
const WITHOUT_A_SERVER: &str = "for a reflector without a server (TWAMP Light, STAMP) use twinpath sender; twinpath doctor tells which it is";

impl Remedy for ControlError {
    fn remedy(&self) -> Option<Cow<'static, str>> {
        if self
            .server()
            .is_some_and(|server| server.port() == OWAMP_PORT)
        {
            return Some(OWAMP.into());
        }
        let words = match self {
            Self::Connect { source, .. } if is_out_of_files(source) => OUT_OF_FILES,
            Self::Connect { .. } if is_refused(self) => {
                let start = "no server listens on that TCP port: start one there, or give its port";
                return Some(format!("{start}; {WITHOUT_A_SERVER}").into());
            }
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable => {
                "see `ip address` for this host's addresses"
            }
            Self::Connect { .. } => "see `ip route get` for that address, or name an --interface",
            Self::Unanswered { .. } => {
                return Some(format!("{TCP_SILENT}; {WITHOUT_A_SERVER}").into());
            }
            Self::Mute { .. } | Self::NotTwamp { .. } => {
                "another service uses that port: the port of TWAMP-Control is 862"
            }
            Self::Refused {
                refusal, advice, ..
            } => return Some(refusal::advice(*refusal, *advice).into()),
            Self::Lost {
                error: ClientError::EndedBefore(_),
                accepted: 1..,
                ..
            } => "check the server's log",
            Self::Lost { error, .. } => return error.remedy(),
            Self::Closed { .. } => {
                "check the server's log; this address may not be allowed, or the server is full"
            }
            Self::Unreached { tried } => {
                // An address that answers is more informative than one that does not.
                let refused = tried.iter().find(|error| is_refused(error));
                return refused.or(tried.last()).and_then(Self::remedy);
            }
            Self::Interrupted { .. } => return None,
            Self::Start(error) => return error.remedy(),
            Self::Run(error) => return error.remedy(),
        };
        Some(words.into())
    }
}

/// The host answers, but nothing listens.
fn is_refused(error: &ControlError) -> bool {
    matches!(error, ControlError::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused)
}

impl Remedy for ClientError {
    fn remedy(&self) -> Option<Cow<'static, str>> {
        let words = match *self {
            Self::TurnedAway => "it is full, or this address is not allowed: try again later",
            Self::NoMode { offered, wanted }
                if wanted.contains(Modes::UNAUTHENTICATED)
                    && !offered.contains(Modes::UNAUTHENTICATED) =>
            {
                "the server requires authentication: use --keys FILE or --key-id NAME"
            }
            Self::NoMode { offered, wanted } => {
                let options = options_of(wanted, offered);
                if !options.is_empty() {
                    return Some(format!("leave out {}", options.join(" and ")).into());
                }
                "choose a mode (--mode) and features that it offers"
            }
            Self::OtherPort { .. } => {
                "leave out --strict, request a free port, or try again in a few seconds"
            }
            Self::EndedBefore(_) => "check the server's log; this address may not be allowed",
            Self::Silent(_) => "the server is overloaded or stuck, or the path is broken",
            Self::Unexpected { .. } | Self::SessionCount { .. } => {
                "the server violates the protocol: send its vendor a capture of the connection"
            }
            Self::Count { count, .. } if count > MOST_PBKDF2_COUNT => {
                let words = format!(
                    "lower the server's count: --max-pbkdf2-count goes up to {MOST_PBKDF2_COUNT}"
                );
                return Some(words.into());
            }
            Self::Count { count, most } if count > most => {
                "allow it with --max-pbkdf2-count, or lower the server's count"
            }
            Self::Count { .. } => {
                "with so few, the passphrase is easy to guess: raise the server's count"
            }
            Self::Forged => "the keys differ, or the messages are changed on the path",
            Self::EndedWhileRunning { .. } | Self::Stuck => return None,
        };
        Some(words.into())
    }
}

/// The options that need features not offered.
fn options_of(wanted: Modes, offered: Modes) -> Vec<&'static str> {
    let features = [
        (Modes::REFLECT_OCTETS, "--reflect-octets"),
        (Modes::SYMMETRICAL_SIZE, "--symmetrical-size"),
        (Modes::DSCP_MONITORING, "--dscp-monitoring"),
        (Modes::PTP_TIME, "--timestamp-format ptp"),
    ];
    let missing = |feature: &Modes| wanted.contains(*feature) && !offered.contains(*feature);
    let options = features.into_iter().filter(|(feature, _)| missing(feature));
    options.map(|(_, option)| option).collect()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use twinpath_proto::control::ExpectedAnswer;

    use super::*;

    fn remedy(error: &impl Remedy) -> String {
        error.remedy().unwrap_or_default().into_owned()
    }

    fn server(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn connect(port: u16, kind: io::ErrorKind) -> ControlError {
        ControlError::Connect {
            server: server(port),
            source: kind.into(),
        }
    }

    fn lost(error: ClientError) -> String {
        lost_after(0, error)
    }

    fn lost_after(accepted: usize, error: ClientError) -> String {
        remedy(&ControlError::Lost {
            server: server(862),
            error,
            accepted,
            sessions: 3,
        })
    }

    #[test]
    fn a_server_that_accepted_sessions_allows_this_address() {
        let ended = ClientError::EndedBefore(ExpectedAnswer::AcceptSession);
        assert!(lost_after(0, ended).contains("may not be allowed"));
        assert_eq!(lost_after(2, ended), "check the server's log");
    }

    #[test]
    fn a_feature_that_is_not_offered_is_named_by_its_option() {
        let offered = Modes::UNAUTHENTICATED | Modes::DSCP_MONITORING;
        let wanted = offered | Modes::REFLECT_OCTETS | Modes::PTP_TIME;
        let options = "leave out --reflect-octets and --timestamp-format ptp";
        assert_eq!(lost(ClientError::NoMode { offered, wanted }), options);
        let wanted = Modes::AUTHENTICATED;
        assert!(lost(ClientError::NoMode { offered, wanted }).contains("--mode"));
        let (offered, wanted) = (Modes::ENCRYPTED, Modes::UNAUTHENTICATED);
        assert!(lost(ClientError::NoMode { offered, wanted }).contains("--keys"));
    }

    #[test]
    fn a_connection_that_fails_has_the_remedy_of_its_cause() {
        let after = Duration::from_secs(1);
        let said = String::new;
        let at = server(862);
        for (error, part) in [
            (
                connect(862, io::ErrorKind::ConnectionRefused),
                "no server listens",
            ),
            (
                connect(862, io::ErrorKind::AddrNotAvailable),
                "`ip address`",
            ),
            (connect(862, io::ErrorKind::HostUnreachable), "--interface"),
            (connect(861, io::ErrorKind::HostUnreachable), OWAMP),
            (ControlError::Unanswered { server: at, after }, "firewall"),
            (ControlError::Mute { server: at, after }, "is 862"),
            (
                ControlError::NotTwamp {
                    server: at,
                    said: said(),
                },
                "is 862",
            ),
            (ControlError::Closed { server: at }, "the server's log"),
        ] {
            assert!(remedy(&error).contains(part), "{error}; {}", remedy(&error));
        }
        #[cfg(unix)]
        {
            let source = io::Error::from_raw_os_error(24);
            let error = ControlError::Connect { server: at, source };
            assert_eq!(remedy(&error), OUT_OF_FILES);
        }
        for (error, part) in [
            (ClientError::TurnedAway, "full"),
            (
                ClientError::OtherPort {
                    asked: 9,
                    offered: 10,
                },
                "--strict",
            ),
            (ClientError::EndedBefore(ExpectedAnswer::Greeting), "log"),
            (
                ClientError::Count {
                    count: 9_000,
                    most: 8_000,
                },
                "--max-pbkdf2-count",
            ),
            (
                ClientError::Count {
                    count: 9,
                    most: 8_000,
                },
                "raise the server's",
            ),
        ] {
            assert!(lost(error).contains(part), "{error}; {}", lost(error));
        }
    }

    #[test]
    fn of_several_addresses_the_one_that_answers_has_the_remedy() {
        let refused = || connect(862, io::ErrorKind::ConnectionRefused);
        let silent = || ControlError::Unanswered {
            server: server(862),
            after: Duration::from_secs(1),
        };
        for tried in [vec![refused(), silent()], vec![silent(), refused()]] {
            let error = ControlError::Unreached { tried };
            assert_eq!(remedy(&error), remedy(&refused()));
        }
    }
}
