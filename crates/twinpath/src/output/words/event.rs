//! A line for each event of a control connection: what was offered, requested and accepted.

use std::net::{IpAddr, SocketAddr};

use twinpath_proto::Refusal;
use twinpath_proto::control::Message;
use twinpath_report::Advice;
use twinpath_runtime::controller::ControlEvent;
use twinpath_wire::control::{Accept, Modes};

use crate::output::ends::named;
use crate::output::units::count;
use crate::output::words::refusal;

/// One line, without a line end.
pub(crate) fn line(event: &ControlEvent) -> String {
    match event {
        ControlEvent::Connecting { server } => format!("connecting to {}", named(*server)),
        ControlEvent::Connected { near, server } => {
            format!("connected to {} from {}", named(*server), named(*near))
        }
        ControlEvent::Message(message) => self::message(message),
        ControlEvent::IrregularCount { count } => {
            format!("{count} PBKDF2 iterations are not a power of 2; continuing")
        }
        ControlEvent::UnexpectedAck { sid } => {
            format!("unexpected acknowledgement for SID {sid}")
        }
        ControlEvent::Running { index, session } => format!(
            "session {} started: {} to {}, DSCP {}",
            index + 1,
            named(session.sender),
            named(session.reflector),
            session.dscp
        ),
        ControlEvent::Finished { index } => format!("session {}: all packets sent", index + 1),
        ControlEvent::ServerGone(error) => {
            format!("lost the connection to the server ({error}); the measurement continues")
        }
        ControlEvent::Closed => "connection closed".to_owned(),
        ControlEvent::LeftOut { events } => format!(
            "{} left out: they came too fast",
            count(*events, "event is", "events are")
        ),
    }
}

/// A message in short: `<` for a received one, `>` for a sent one.
fn message(message: &Message) -> String {
    let sessions = |number: usize| count(number as u64, "session", "sessions");
    let many = |individual: bool| if individual { "N-" } else { "" };
    match *message {
        Message::Greeting { offered, count } => {
            let iterations = if offered.and(Modes::SECURED).is_empty() {
                String::new()
            } else {
                format!("; {count} PBKDF2 iterations")
            };
            format!("< Server Greeting: offers {offered}{iterations}")
        }
        Message::SetUp { chosen, key_id } => {
            // Quoted and escaped, because a name may contain any characters.
            let key = key_id.map_or_else(String::new, |id| format!(", Key-ID {id:?}"));
            format!("> Set-Up-Response: chooses {chosen}{key}")
        }
        Message::ServerStart(answer) => format!("< Server-Start: {}", refusal(answer)),
        Message::Request {
            index,
            sender,
            sender_port,
            receiver,
            receiver_port,
            dscp,
            padding_length,
            timeout,
        } => format!(
            "> Request-TW-Session {}: from {} to {}, DSCP {}, padding {padding_length}, timeout {} s",
            index + 1,
            end(sender, sender_port),
            end(receiver, receiver_port),
            dscp.value(),
            timeout.as_secs_f64()
        ),
        Message::AcceptSession {
            index,
            answer,
            port,
            sid,
        } => {
            let agreed = if answer.accept() == Accept::Ok {
                format!("; port {port}, SID {sid}")
            } else {
                String::new()
            };
            format!(
                "< Accept-Session {}: {}{agreed}",
                index + 1,
                refusal(answer)
            )
        }
        Message::Start {
            sessions: number,
            individual,
        } => format!("> Start-{}Sessions: {}", many(individual), sessions(number)),
        Message::StartAck(answer) => format!("< Start-Ack: {}", refusal(answer)),
        Message::StartManyAck {
            answer,
            sessions: number,
        } => format!("< Start-N-Ack: {}: {}", sessions(number), refusal(answer)),
        Message::Stop {
            sessions: number,
            individual,
            accept,
        } => {
            let accept = if accept == Accept::Ok {
                String::new()
            } else {
                format!(", Accept {accept}")
            };
            format!(
                "> Stop-{}Sessions: {}{accept}",
                many(individual),
                sessions(number)
            )
        }
        Message::StopManyAck {
            answer,
            sessions: number,
        } => format!("< Stop-N-Ack: {}: {}", sessions(number), refusal(answer)),
    }
}

/// The Accept value, and what can be done about it.
fn refusal(answer: Refusal) -> String {
    match refusal::advice(answer, Advice::AsRefused) {
        advice if advice.is_empty() => answer.to_string(),
        advice => format!("{answer}: {advice}"),
    }
}

/// An end as requested; its address may be zero.
fn end(address: Option<IpAddr>, port: u16) -> String {
    address.map_or_else(
        || format!("zero address, port {port}"),
        |address| SocketAddr::new(address, port).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use twinpath_proto::Step;
    use twinpath_proto::security::KeyId;
    use twinpath_wire::Dscp;
    use twinpath_wire::control::Sid;

    use super::*;

    #[test]
    fn each_message_is_a_line_with_its_direction() {
        let ok = |step| Refusal { step, octet: 0 };
        let sid = Sid([0xa0; 16]);
        let timeout = Duration::from_secs(2);
        let lines: Vec<String> = [
            Message::Greeting {
                offered: Modes::UNAUTHENTICATED | Modes::INDIVIDUAL_CONTROL,
                count: 1_024,
            },
            Message::Greeting {
                offered: Modes::MIXED,
                count: 2_048,
            },
            Message::SetUp {
                chosen: Modes::UNAUTHENTICATED,
                key_id: None,
            },
            Message::SetUp {
                chosen: Modes::MIXED,
                key_id: Some(KeyId::new("a\u{1b}[2Jb").unwrap()),
            },
            Message::ServerStart(ok(Step::SetUp)),
            Message::Request {
                index: 0,
                sender: None,
                sender_port: 20_000,
                receiver: Some([192, 0, 2, 2].into()),
                receiver_port: 20_001,
                dscp: Dscp::EF,
                padding_length: 27,
                timeout,
            },
            Message::AcceptSession {
                index: 0,
                answer: ok(Step::Request),
                port: 20_001,
                sid,
            },
            Message::AcceptSession {
                index: 1,
                answer: Refusal {
                    step: Step::Request,
                    octet: 4,
                },
                port: 0,
                sid,
            },
            Message::Start {
                sessions: 1,
                individual: false,
            },
            Message::StartAck(ok(Step::Start)),
            Message::StartManyAck {
                answer: ok(Step::Start),
                sessions: 2,
            },
            Message::Stop {
                sessions: 2,
                individual: true,
                accept: Accept::Failure,
            },
            Message::StopManyAck {
                answer: ok(Step::Stop),
                sessions: 1,
            },
        ]
        .map(|message| line(&ControlEvent::Message(message)))
        .into();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
