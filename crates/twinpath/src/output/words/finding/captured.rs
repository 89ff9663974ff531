//! Limits of a capture.

use std::net::SocketAddr;

use twinpath_report::finding::Captured;

use super::{packets, replies};
use crate::output::units::{count, time};

pub(super) fn line(finding: &Captured) -> String {
    match finding {
        Captured::FromCapture => "computed from a capture: T1 and T4 are taken at the capture point; losses and delays are from there to the reflector and back"
            .to_owned(),
        Captured::Unmatched { count, .. } => format!(
            "{} without a captured request: the capture started later or missed the requests; not in any figure",
            replies(*count)
        ),
        Captured::OnlyReplies { ways, more, count } => only_replies(ways, *more, *count),
        Captured::OnlyRequests { count } => only_requests(*count),
        Captured::Late { count } => format!(
            "{} more than twice the timeout after their requests: not in any figure; use a longer --timeout",
            replies(*count)
        ),
        Captured::Unanswered { to, more, count } => unanswered(to, *more, *count),
        Captured::BrokenOff { file } => format!(
            "{} ends within a packet: truncated, or still being written",
            which(file.as_deref())
        ),
        Captured::Damaged { file, error } => format!(
            "{} is damaged ({error}): only the packets before that are read; take the capture again, in pcap or pcapng",
            which(file.as_deref())
        ),
        Captured::UnderWay {
            count: number,
            timeout,
        } => format!(
            "{} not answered yet when the capture ended, less than the timeout of {} after that: not \
             counted",
            packets(*number),
            time(*timeout)
        ),
        Captured::CapturedAgain {
            count,
            interface,
            interfaces,
        } => captured_again(*count, interface.as_deref(), *interfaces),
        Captured::EarlyReplies { count: number } => format!(
            "{} captured before the request: capture times are out of order (two taps, or an interface that coalesces packets); delays are off by as much",
            replies(*number)
        ),
        Captured::MissingRequests {
            count,
            numbers,
            answered,
        } => missing_requests(*count, *numbers, *answered),
        Captured::CutReplies { count } => format!(
            "{} from the reflector cut too short to be read: up to that many of the packets counted as lost \
             were answered; capture with a larger snap length: tcpdump -s 0",
            packets(*count)
        ),
        Captured::HmacsUnchecked { count, has_key } => unchecked(*count, *has_key),
        Captured::NoHmacs => "no packet has an HMAC that the given key could verify".to_owned(),
        Captured::OtherKey { count } => format!(
            "no HMAC of this session is right with the given key ({}): it is not the session's key, or all packets were changed; HMACs are not verified",
            packets(*count)
        ),
        Captured::RequestsForged { count, verified } => format!(
            "the HMAC of {} is wrong, and right in {verified}: forged, changed before the capture point, or signed with another key",
            requests(*count)
        ),
        Captured::Unordered { count } => format!(
            "{} out of order by more than 60 s or 65,536 packets: replies before their requests count as lost; sort the capture with reordercap",
            packets(*count)
        ),
        Captured::Sorted { count } => format!(
            "{} out of order in the capture: sorted by time",
            packets(*count)
        ),
        Captured::Foreign { count } => format!(
            "{} between the ends of sessions not counted: their numbers and times are far from those of the \
             test packets",
            packets(*count)
        ),
    }
}

fn unchecked(count: u64, has_key: bool) -> String {
    let why = if has_key {
        "cut by the capture (tcpdump -s 0 keeps all), or not made by the far end"
    } else {
        "give the key (--hmac-key-file FILE)"
    };
    format!("the HMACs of {} are not verified: {why}", packets(count))
}

fn only_requests(requests: u64) -> String {
    format!(
        "no reply to any of {} was captured: either none came, or the capture has one direction only, and \
         then losses and delays are unknown; capture both directions",
        self::requests(requests)
    )
}

fn requests(number: u64) -> String {
    count(number, "request", "requests")
}

fn only_replies(ways: &[(SocketAddr, SocketAddr)], more: u64, packets: u64) -> String {
    let mut ways: Vec<String> = ways
        .iter()
        .map(|(from, to)| format!("from {from} to {to}"))
        .collect();
    if more > 0 {
        ways.push(format!("{more} more"));
    }
    format!(
        "{} of sessions whose requests were not captured, {}: in no figure; capture both directions",
        replies(packets),
        ways.join(", ")
    )
}

fn unanswered(to: &[SocketAddr], more: u64, packets: u64) -> String {
    let mut ends: Vec<String> = to.iter().map(SocketAddr::to_string).collect();
    if more > 0 {
        ends.push(format!("{more} more"));
    }
    format!(
        "unanswered packets to {} that look like requests: {packets}; give the port with --port",
        ends.join(", ")
    )
}

fn captured_again(copies: u64, interface: Option<&str>, interfaces: u64) -> String {
    let copies = count(copies, "copy", "copies");
    let taken = match interface {
        Some(name) => format!(
            "seen at {interfaces} interfaces, T1 and T4 are taken at interface {name}, nearest the \
             sender"
        ),
        None => "T1 and T4 are those of the first copy".to_owned(),
    };
    format!("{copies} made by the capture, not counted as duplicates; {taken}")
}

fn missing_requests(missing: u64, numbers: u64, answered: u64) -> String {
    let answered = match answered {
        0 => String::new(),
        count => format!(
            "; replies to {count} of them were captured, so the capture missed packets, and packets \
             reported as lost may have been answered"
        ),
    };
    format!(
        "{missing} of {numbers} numbers between the first captured request and the last have no \
         request in the capture: it missed them, or they were lost or filtered before it{answered}"
    )
}

fn which(file: Option<&str>) -> &str {
    file.unwrap_or("the capture")
}
