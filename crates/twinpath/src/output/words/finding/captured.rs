//! What a capture is worth.

use std::net::SocketAddr;

use twinpath_report::finding::Captured;

use super::{packets, replies};
use crate::output::units::{asked, count};

pub(super) fn line(finding: &Captured) -> String {
    match finding {
        Captured::FromCapture => "recomputed from a capture: T1 and T4 are when packets passed where it was \
                                 taken, losses and delays are those from there to the reflector and back"
            .to_owned(),
        Captured::Unmatched { count, .. } => format!(
            "{} to requests that are not in the capture: it began after them or missed them, and no figure \
             includes them",
            replies(*count)
        ),
        Captured::Late { count } => format!(
            "{} more than twice the timeout after their requests: no figure includes them; read the capture \
             with a longer --timeout",
            replies(*count)
        ),
        Captured::Unanswered { to, more, count } => {
            let mut ends: Vec<String> = to.iter().map(SocketAddr::to_string).collect();
            if *more > 0 {
                ends.push(format!("{more} more"));
            }
            format!(
                "packets to {} that look like requests, and none was answered: {count}; name the port with \
                 --port",
                ends.join(", ")
            )
        }
        Captured::BrokenOff { file } => format!(
            "{} ends within a packet: it was cut, or is still being written",
            which(file.as_deref())
        ),
        Captured::Damaged { file, error } => format!(
            "{} is damaged ({error}): these are the packets before that; take the capture again, in pcap or \
             pcapng",
            which(file.as_deref())
        ),
        Captured::UnderWay {
            count: number,
            timeout,
        } => format!(
            "{} not answered yet when the capture ended, less than the timeout of {} after that: not \
             counted",
            packets(*number),
            asked(*timeout)
        ),
        Captured::CapturedAgain {
            count: number,
            interface,
            interfaces,
        } => {
            let copies = count(*number, "copy", "copies");
            let taken = match interface {
                Some(name) => format!(
                    "seen at {interfaces} interfaces, T1 and T4 are taken at interface {name}, nearest the \
                     sender"
                ),
                None => "T1 and T4 are those of the first copy".to_owned(),
            };
            format!("{copies} made by the capture, not counted as duplicates; {taken}")
        }
        Captured::EarlyReplies { count: number } => format!(
            "{} captured before the request: the times of the capture are out of order, as those of two \
             taps are, or of an interface that coalesces packets; delays are wrong by as much",
            replies(*number)
        ),
        Captured::MissingRequests {
            count,
            numbers,
            answered,
        } => {
            let answered = match answered {
                0 => String::new(),
                count => format!(
                    "; replies to {count} of them were captured: so the capture missed packets, and those \
                     counted as lost may have been answered"
                ),
            };
            format!(
                "{count} of {numbers} numbers between the first captured request and the last have no \
                 request in the capture: it missed them, or they were lost or filtered before it{answered}"
            )
        }
        Captured::CutReplies { count } => format!(
            "{} from the reflector cut too short to be read: up to that many of the packets counted as lost \
             were answered; capture with a larger snap length: tcpdump -s 0",
            packets(*count)
        ),
        Captured::Unordered { count } => format!(
            "{} out of order by more than 60 s or 65,536 packets: replies that come before their requests \
             count as lost; sort the capture with reordercap and read it again",
            packets(*count)
        ),
        Captured::Sorted { count } => format!(
            "{} out of order in the capture: put in order by their times",
            packets(*count)
        ),
        Captured::Foreign { count } => format!(
            "{} between the ends of sessions not counted: their numbers and times are far from those of the \
             test packets",
            packets(*count)
        ),
    }
}

fn which(file: Option<&str>) -> &str {
    file.unwrap_or("the capture")
}
