//! A line for each message, so that an engineer reads what was offered, asked and accepted.

use core::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_wire::Dscp;
use twinpath_wire::control::{Accept, Modes, Sid};

use crate::Refusal;
use crate::security::KeyId;

/// A message in short. `Display` gives the line, `<` for what came and `>` for what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Said {
    /// Server Greeting came.
    Greeting {
        /// Modes.
        offered: Modes,
        /// PBKDF2 iterations; of no account in the unauthenticated mode.
        count: u32,
    },
    /// Set-Up-Response was sent.
    SetUp {
        /// Mode.
        chosen: Modes,
        /// Whose key, in a secured mode.
        key_id: Option<KeyId>,
    },
    /// Server-Start came.
    ServerStart(Refusal),
    /// Request-TW-Session was sent.
    Request {
        /// Which, from 0.
        index: usize,
        /// Sender Address; `None`: zero, this end of the connection.
        sender: Option<IpAddr>,
        /// Sender Port.
        sender_port: u16,
        /// Receiver Address; `None`: zero, the Server's end.
        receiver: Option<IpAddr>,
        /// Receiver Port.
        receiver_port: u16,
        /// Type-P.
        dscp: Dscp,
        /// Padding Length.
        padding_length: u32,
        /// Timeout.
        timeout: Duration,
    },
    /// Accept-Session came.
    AcceptSession {
        /// Which, from 0.
        index: usize,
        /// Accept.
        answer: Refusal,
        /// Port.
        port: u16,
        /// SID.
        sid: Sid,
    },
    /// Start-Sessions or Start-N-Sessions was sent.
    Start {
        /// Of how many sessions.
        sessions: usize,
        /// By their SIDs.
        individual: bool,
    },
    /// Start-Ack came.
    StartAck(Refusal),
    /// Start-N-Ack came.
    StartManyAck {
        /// Accept.
        answer: Refusal,
        /// Of how many sessions.
        sessions: usize,
    },
    /// Stop-Sessions or Stop-N-Sessions was sent.
    Stop {
        /// Of how many sessions.
        sessions: usize,
        /// By their SIDs.
        individual: bool,
        /// Accept.
        accept: Accept,
    },
    /// Stop-N-Ack came.
    StopManyAck {
        /// Accept.
        answer: Refusal,
        /// Of how many sessions.
        sessions: usize,
    },
}

/// An end as it is asked for; its address may be zero.
fn end(address: Option<IpAddr>, port: u16) -> String {
    address.map_or_else(
        || format!("zero address, port {port}"),
        |address| SocketAddr::new(address, port).to_string(),
    )
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |sessions: usize| if sessions == 1 { "" } else { "s" };
        let many = |individual: bool| if individual { "N-" } else { "" };
        match *self {
            Self::Greeting { offered, count } => {
                write!(f, "< Server Greeting: offers {offered}")?;
                if !offered.and(Modes::SECURED).is_empty() {
                    write!(f, "; {count} PBKDF2 iterations")?;
                }
                Ok(())
            }
            Self::SetUp { chosen, key_id } => {
                write!(f, "> Set-Up-Response: chooses {chosen}")?;
                match key_id {
                    // Quoted and escaped: a name may have anything in it.
                    Some(key_id) => write!(f, ", Key-ID {key_id:?}"),
                    None => Ok(()),
                }
            }
            Self::ServerStart(answer) => write!(f, "< Server-Start: {answer}"),
            Self::Request {
                index,
                sender,
                sender_port,
                receiver,
                receiver_port,
                dscp,
                padding_length,
                timeout,
            } => write!(
                f,
                "> Request-TW-Session {}: from {} to {}, DSCP {}, padding {padding_length}, timeout {} s",
                index + 1,
                end(sender, sender_port),
                end(receiver, receiver_port),
                dscp.value(),
                timeout.as_secs_f64()
            ),
            Self::AcceptSession {
                index,
                answer,
                port,
                sid,
            } => {
                write!(f, "< Accept-Session {}: {answer}", index + 1)?;
                if answer.accept() == Accept::Ok {
                    write!(f, "; port {port}, SID {sid}")?;
                }
                Ok(())
            }
            Self::Start {
                sessions,
                individual,
            } => write!(
                f,
                "> Start-{}Sessions: {sessions} session{}",
                many(individual),
                plural(sessions)
            ),
            Self::StartAck(answer) => write!(f, "< Start-Ack: {answer}"),
            Self::StartManyAck { answer, sessions } => write!(
                f,
                "< Start-N-Ack: {sessions} session{}: {answer}",
                plural(sessions)
            ),
            Self::Stop {
                sessions,
                individual,
                accept,
            } => {
                let (many, plural) = (many(individual), plural(sessions));
                write!(f, "> Stop-{many}Sessions: {sessions} session{plural}")?;
                if accept != Accept::Ok {
                    write!(f, ", Accept {accept}")?;
                }
                Ok(())
            }
            Self::StopManyAck { answer, sessions } => write!(
                f,
                "< Stop-N-Ack: {sessions} session{}: {answer}",
                plural(sessions)
            ),
        }
    }
}
