//! Packets of a capture that were not read, why, and how to read them.

use twinpath_report::finding::NotRead;

use super::packets;

pub(super) fn line(finding: &NotRead) -> String {
    match finding {
        NotRead::Cut { count } => not_read(
            &packets(*count),
            "the snap length cut them before the fields of a test packet; capture with a larger snap length: \
             tcpdump -s 0",
        ),
        NotRead::Secured { count } => not_read(
            &packets(*count),
            "they look like authenticated TWAMP, whose numbers are encrypted; use the sender's own report",
        ),
        NotRead::Encapsulated { kinds } => {
            let kinds = kinds.iter();
            let kinds = kinds.map(|(what, count)| format!("{} in {what}", packets(*count)));
            not_read(
                &kinds.collect::<Vec<_>>().join(", "),
                "capture outside of these encapsulations",
            )
        }
        NotRead::Links { kinds } => {
            let kinds = kinds.iter();
            let kinds =
                kinds.map(|(link, count)| format!("{} of link type {link}", packets(*count)));
            not_read(
                &kinds.collect::<Vec<_>>().join(", "),
                "capture on Ethernet, on any interface, or raw IP",
            )
        }
        NotRead::WithoutTime { count } => {
            not_read(&packets(*count), "their blocks have no capture time")
        }
        NotRead::Sessions { count, most } => not_read(
            &packets(*count),
            &format!(
                "they belong to sessions beyond the first {most}; split the capture with a filter, by address \
                 for example"
            ),
        ),
        NotRead::Fragments { count } => not_read(
            &packets(*count),
            "fragments after the first; the first of a test packet has all of its fields",
        ),
        NotRead::Malformed { count } => not_read(
            &packets(*count),
            "their headers contradict themselves or end too early",
        ),
    }
}

fn not_read(packets: &str, why: &str) -> String {
    format!("{packets} not read: {why}")
}
