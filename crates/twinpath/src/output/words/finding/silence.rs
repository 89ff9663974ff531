//! What is known if nothing came back, and what to try.

use std::net::{IpAddr, SocketAddr};

use twinpath_proto::sender::Format;
use twinpath_report::finding::{Ids, Others, Silence};
use twinpath_wire::{LIGHT_PORT, TWAMP_TEST_PORT};

use super::{packets, replies};
use crate::output::UNAWAITED;
use crate::output::ends::{named, protocol_name};
use crate::output::units::{count, time};
use crate::output::words::error::{OWAMP, OWAMP_PORT};
use crate::output::words::no_reply::{DOCTOR, Hint, NoReply, SILENT, hint};

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
        Silence::OtherMicroSession {
            count,
            micro_session,
        } => other_micro_session(*count, *micro_session),
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
            ssid,
            micro_session,
            others,
        } => match (others, ssid) {
            (Some(others), _) => {
                nothing_came_back_though_others_are_answered(*far, *micro_session, others)
            }
            (None, _) if *is_negotiated => nothing_came_back_though_agreed(*far),
            (None, None) if *is_authenticated => nothing_came_back_to_stamp(*far, true, 0, None),
            (None, None) => nothing_came_back(*far),
            (None, Some(ssid)) => {
                nothing_came_back_to_stamp(*far, *is_authenticated, *ssid, *micro_session)
            }
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
    if let Some(to) = to {
        return format!(
            "replies to {packets} go to {to} (Return Path), to this session's source port: only there is it known whether they arrive; if none does, check that address, or leave out --tlv return-path to see whether the far end answers"
        );
    }
    let (were, them) = if count == 1 {
        ("was", "it")
    } else {
        ("were", "them")
    };
    format!(
        "{packets} {were} {UNAWAITED} (Return Path): if the far end accepts {them}, delays and losses are in its responder's summary (at its end, or at SIGQUIT, Ctrl-\\)"
    )
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

fn other_micro_session(count: u64, ids: Option<Ids>) -> String {
    let why = match ids {
        Some(Ids {
            far_id: Some(far), ..
        }) => format!("the reflector has no ID {far} (--micro-session-id {far})"),
        Some(Ids { id, far_id: None }) => format!(
            "the reflector has no ID (--micro-session-id), or has several and cannot tell which is meant (name it: --micro-session {id}:ID)"
        ),
        None => "the reflector has no such ID (--micro-session-id), or has several and cannot tell which is meant".to_owned(),
    };
    format!(
        "{} without this session's Micro-session IDs not measured: they came by another member link, or {why}",
        replies(count)
    )
}

/// `Micro-session 1:11`.
fn named_ids(ids: Ids) -> String {
    let far = ids.far_id.map_or_else(String::new, |far| format!(":{far}"));
    format!("Micro-session {}{far}", ids.id)
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

fn nothing_came_back_though_others_are_answered(
    far: SocketAddr,
    ids: Option<Ids>,
    others: &Others,
) -> String {
    let far = named(far);
    match ids {
        // Micro-sessions have one port, and each its own link.
        Some(ids) => format!(
            "no reply and no error from {far} for packets of {}, although {} of {} with this far end are answered: {}, or that link loses packets",
            named_ids(ids),
            others.answered,
            count(others.sessions, "session", "sessions"),
            of_link(ids)
        ),
        None => format!(
            "no reply and no error from {far} for packets{}",
            although_others(others)
        ),
    }
}

/// Why a reflector discards a micro-session's packets.
fn of_link(ids: Ids) -> String {
    let far = ids.far_id.map_or_else(
        || "a link with a Micro-session ID at the far end".to_owned(),
        |far| format!("the far end's member link {far} (--micro-session-id {far})"),
    );
    format!("member link {} does not lead to {far}", ids.id)
}

/// STAMP has reasons of its own to answer nothing.
fn nothing_came_back_to_stamp(
    far: SocketAddr,
    is_authenticated: bool,
    ssid: u16,
    ids: Option<Ids>,
) -> String {
    let mut causes: Vec<String> = ids.map(of_link).into_iter().collect();
    causes.push(
        if is_authenticated {
            "its reflector has no key or another one for these packets, no authenticated STAMP runs there"
        } else {
            "it answers authenticated STAMP alone (--authenticated and its key)"
        }
        .to_owned(),
    );
    causes.push(match ssid {
        0 => "it answers known SSIDs alone (--ssid)".to_owned(),
        ssid => format!("it does not answer SSID {ssid} (twinpath responder: --allow-ssid)"),
    });
    let (far_end, causes) = (named(far), causes.join(", "));
    // Who has a key or a member link for it knows that STAMP is there.
    let other = (!is_authenticated && ids.is_none()).then(|| other_protocol(far));
    format!(
        "no reply and no error from {far_end}: {causes}, {SILENT}{}{}; {DOCTOR}",
        other_port(far),
        other.unwrap_or_default()
    )
}

fn nothing_came_back(far: SocketAddr) -> String {
    format!(
        "{}{}{}; {DOCTOR}",
        hint_of(NoReply::Silence { is_up: false }, far).fact,
        other_port(far),
        other_protocol(far)
    )
}

/// Where the same may run.
fn other_port(far: SocketAddr) -> String {
    let other_port = match far.port() {
        TWAMP_TEST_PORT => LIGHT_PORT,
        _ => TWAMP_TEST_PORT,
    };
    format!(" (the other usual port is {other_port})")
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
