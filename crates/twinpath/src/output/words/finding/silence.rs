//! What is known if nothing came back, and what to try.

use std::net::{IpAddr, SocketAddr};

use twinpath_proto::sender::Format;
use twinpath_report::finding::{Others, Silence};
use twinpath_wire::{LIGHT_PORT, TWAMP_TEST_PORT};

use super::{packets, replies};
use crate::output::UNAWAITED;
use crate::output::ends::{named, protocol_name};
use crate::output::units::{count, time};
use crate::output::words::error::{OWAMP, OWAMP_PORT};
use crate::output::words::no_reply::{DOCTOR, Hint, NoReply, hint};

pub(super) fn line(finding: &Silence) -> String {
    match finding {
        Silence::AllRepliesLate { count, timeout } => format!(
            "{} arrived, all after the timeout of {}: raise --timeout",
            replies(*count),
            time(*timeout)
        ),
        Silence::AnswersFromElsewhere {
            from,
            far,
            is_silent: true,
            ..
        } => hint_of(NoReply::Elsewhere(*from), *far).line(),
        Silence::AnswersFromElsewhere { from, count, .. } => {
            format!("{} from {}: not counted", replies(*count), named(*from))
        }
        Silence::EchoService { far } => hint_of(NoReply::Echo, *far).line(),
        Silence::AnotherSsid { far, count } => format!(
            "{} answers with another SSID ({}): replies of another session",
            named(*far),
            replies(*count)
        ),
        Silence::ForgedReplies { count } => forged(*count),
        Silence::OtherMicroSession { count } => other_micro_session(*count),
        Silence::OtherMode {
            far,
            is_authenticated,
            count,
        } => other_mode(*far, *is_authenticated, *count),
        Silence::AnotherProtocol {
            far,
            protocol,
            count,
        } => another_protocol(*far, *protocol, *count),
        Silence::NothingLeft { far } => format!(
            "no packet to {} left this host: the link is down, or neither that address nor the gateway answers as a neighbour",
            named(*far)
        ),
        Silence::NothingCameBack {
            far,
            is_negotiated,
            is_authenticated,
            others,
        } => match others {
            Some(others) => nothing_came_back_though_others_are_answered(*far, others),
            None if *is_negotiated => nothing_came_back_though_agreed(*far),
            None if *is_authenticated => nothing_came_back_to_a_key(*far),
            None => nothing_came_back(*far),
        },
        Silence::FiguresAtFarEnd { count, to } => figures_at_far_end(*count, *to),
        Silence::NameChanged { name, used, now } => format!(
            "{} no longer answered, and {name} has another address, {}: measured there in a session of its own",
            named(*used),
            named(*now)
        ),
        Silence::OtherAddresses {
            name,
            used,
            others,
            is_version_chosen,
        } => other_addresses(name, *used, others, *is_version_chosen),
    }
}

fn figures_at_far_end(count: u64, to: Option<IpAddr>) -> String {
    let packets = packets(count);
    match to {
        Some(to) => format!(
            "replies to {packets} go to {to} (Return Path), to this session's source port: only there is it known whether they arrive; if none does, check that address, or leave out --tlv return-path to see whether the far end answers"
        ),
        None => {
            let (were, them) = if count == 1 {
                ("was", "it")
            } else {
                ("were", "them")
            };
            format!(
                "{packets} {were} {UNAWAITED} (Return Path): if the far end accepts {them}, delays and losses are in its responder's summary (at its end, or at SIGQUIT, Ctrl-\\)"
            )
        }
    }
}

fn other_addresses(name: &str, used: IpAddr, others: &[IpAddr], is_version_chosen: bool) -> String {
    let option = match (used, is_version_chosen) {
        (IpAddr::V4(_), true) => "leave out -4, or use one of them",
        (IpAddr::V6(_), true) => "leave out -6, or use one of them",
        (IpAddr::V4(_), false) => "use one of them, or -6 for IPv6",
        (IpAddr::V6(_), false) => "use one of them, or -4 for IPv4",
    };
    let others: Vec<String> = others.iter().map(IpAddr::to_string).collect();
    let others = others.join(", ");
    format!("{name} has other addresses than {used}: {others}; {option}")
}

fn another_protocol(far: SocketAddr, protocol: Format, count: u64) -> String {
    let other = match protocol {
        Format::Twamp(_) => "",
        Format::TwampLight => "try --stamp, or ",
        Format::Stamp { .. } => "try without --stamp, or ",
    };
    let name = protocol_name(protocol);
    let far = named(far);
    format!("{far} answers, but not with {name} ({count}): {other}check what listens there")
}

fn forged(count: u64) -> String {
    let these = replies(count);
    format!(
        "{these} with a wrong HMAC not measured: changed or forged on the path, or the reflector has other keys"
    )
}

fn other_micro_session(count: u64) -> String {
    let these = replies(count);
    format!(
        "{these} without this session's Micro-session IDs not measured: they came by another member link, or the reflector has no such ID (--micro-session-id), or has several and cannot tell which is meant (name its ID: --micro-session 1:11)"
    )
}

fn other_mode(far: SocketAddr, is_authenticated: bool, count: u64) -> String {
    let (how, remedy) = if is_authenticated {
        (
            "without authentication",
            "give it the key, or leave out --authenticated",
        )
    } else {
        (
            "in the authenticated mode",
            "use --authenticated and its key",
        )
    };
    format!("{} answers {how} ({count}): {remedy}", named(far))
}

fn nothing_came_back_though_others_are_answered(far: SocketAddr, others: &Others) -> String {
    format!(
        "no reply and no error from {} for packets{}",
        named(far),
        although_others(others)
    )
}

fn nothing_came_back_to_a_key(far: SocketAddr) -> String {
    format!(
        "no reply and no error from {}: its reflector has no key or another one for these packets, no authenticated STAMP runs there, a firewall silently drops packets or replies, or the address is wrong",
        named(far)
    )
}

fn nothing_came_back(far: SocketAddr) -> String {
    let other_port = match far.port() {
        TWAMP_TEST_PORT => LIGHT_PORT,
        _ => TWAMP_TEST_PORT,
    };
    format!(
        "{} (the other usual port is {other_port}){}; {DOCTOR}",
        hint_of(NoReply::Silence { is_up: false }, far).fact,
        other_protocol(far)
    )
}

fn hint_of(what: NoReply, far: SocketAddr) -> Hint {
    hint(what, &named(far), &[far.port()])
}

fn nothing_came_back_though_agreed(far: SocketAddr) -> String {
    format!(
        "no reply and no error from {}, although the server agreed to reflect there: a firewall silently drops packets or replies (allow UDP port {}, or request an open one with --receiver-port), NAT on the path (try --nat), or the reflector starts late (try --start-delay 1)",
        named(far),
        far.port()
    )
}

/// It is one of several sessions, and the far end answers others.
pub(super) fn although_others(others: &Others) -> String {
    format!(
        " from port {}, although {} of {} with this far end are answered: one of several paths, or one of several hosts behind one address, drops or rejects them",
        others.port,
        others.answered,
        count(others.sessions, "session", "sessions")
    )
}

/// What else may run there if no reflector answers.
pub(super) fn other_protocol(far: SocketAddr) -> String {
    let server = "; a TWAMP server reflects only negotiated sessions: use twinpath controller instead of sender";
    match far.port() {
        OWAMP_PORT => format!("; {OWAMP}{server}"),
        _ => server.to_owned(),
    }
}
