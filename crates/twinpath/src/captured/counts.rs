//! What of a capture was read and what was not, by kind, and what is said of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use twinpath_report::Note;

use super::file::End;
use super::files::Ended;
use super::finding::LeftOut;
use super::frame::{Datagram, Unread};
use super::pairing::{Counts, SESSIONS};
use crate::output::captures::{CaptureCounts, NotRead};
use crate::output::units;

/// Kinds of links that are told apart at most.
const LINKS: usize = 64;
/// Ends that are named at most.
const NAMED: usize = 8;

/// Frames by what became of them.
#[derive(Clone, Debug, Default)]
pub(super) struct FrameCounts {
    pub(super) frames: u64,
    pub(super) datagrams: u64,
    first_fragments: u64,
    later_fragments: u64,
    /// Without the end of their headers.
    cut: u64,
    malformed: u64,
    wrapped: BTreeMap<&'static str, u64>,
    links: BTreeMap<u32, u64>,
}

impl FrameCounts {
    pub(super) fn count(&mut self, read: &Result<Datagram<'_>, Unread>) {
        self.frames += 1;
        match *read {
            Ok(datagram) => {
                self.datagrams += 1;
                self.first_fragments += u64::from(datagram.is_fragment);
            }
            Err(Unread::Other) => {}
            Err(Unread::Cut) => self.cut += 1,
            Err(Unread::LaterFragment) => self.later_fragments += 1,
            Err(Unread::Malformed) => self.malformed += 1,
            Err(Unread::Wrapped(what)) => *self.wrapped.entry(what).or_default() += 1,
            Err(Unread::Link(link)) => {
                if self.links.len() < LINKS || self.links.contains_key(&link) {
                    *self.links.entry(link).or_default() += 1;
                }
            }
        }
    }

    /// The type of the links, if none of the frames is of one that is read here.
    pub(super) fn unknown_link(&self) -> Option<u32> {
        let unread: u64 = self.links.values().sum();
        let (link, _) = self.links.first_key_value()?;
        (unread == self.frames).then_some(*link)
    }
}

/// What a capture has before its packets are paired. `left_out`: what was found beside flows.
pub(super) fn found<'a>(
    files: impl Iterator<Item = &'a Path>,
    frames: &FrameCounts,
    left_out: &LeftOut,
    ended: &[Ended],
) -> CaptureCounts {
    let is = |what: fn(&Ended) -> bool| ended.iter().any(what);
    CaptureCounts {
        files: files.map(|path| path.display().to_string()).collect(),
        frames: frames.frames,
        datagrams: frames.datagrams,
        out_of_window: left_out.unordered,
        unmatched_replies: left_out.replies,
        unanswered: left_out.unanswered.clone(),
        first_fragments: frames.first_fragments,
        end: if is(|ended| matches!(ended.end, End::Damaged(_))) {
            "damaged"
        } else if is(|ended| ended.end == End::BrokenOff) {
            "broken-off"
        } else {
            "whole"
        },
        not_read: NotRead {
            cut: frames.cut + left_out.cut,
            later_fragments: frames.later_fragments,
            encapsulations: frames.wrapped.clone(),
            link_types: frames.links.clone(),
            malformed: frames.malformed,
            secured: left_out.secured,
            without_time: ended.iter().map(|ended| ended.without_time).sum(),
            beyond_sessions: left_out.beyond,
        },
        ..CaptureCounts::default()
    }
}

/// The same with what became of its packets.
pub(super) fn paired(found: &CaptureCounts, paired: Counts) -> CaptureCounts {
    let not_read = &found.not_read;
    CaptureCounts {
        test_packets: paired.used,
        captured_again: paired.copies,
        out_of_order: paired.out_of_order,
        // Where there is no session, nothing was put in order.
        out_of_window: if paired.used == 0 {
            found.out_of_window
        } else {
            paired.out_of_window
        },
        unmatched_replies: found.unmatched_replies + paired.unmatched,
        late_replies: paired.late,
        foreign: paired.foreign,
        not_read: NotRead {
            cut: not_read.cut.saturating_sub(paired.cut_used),
            beyond_sessions: not_read.beyond_sessions + paired.beyond,
            ..not_read.clone()
        },
        ..found.clone()
    }
}

/// A remark on so many of something, if there are any. `warning`: figures are wrong or incomplete by it.
pub(super) fn note(
    (count, one, many): (u64, &str, &str),
    warning: bool,
    key: &'static str,
    what: &str,
) -> Option<Note> {
    let note = Note::remark(key, format!("{} {what}", units::count(count, one, many)));
    (count > 0).then_some(Note { warning, ..note })
}

fn packets(count: u64, warning: bool, key: &'static str, what: &str) -> Option<Note> {
    note((count, "packet", "packets"), warning, key, what)
}

fn replies(count: u64, warning: bool, key: &'static str, what: &str) -> Option<Note> {
    note((count, "reply", "replies"), warning, key, what)
}

/// What has to be said of it: with a remedy where there is one.
pub(super) fn notes(counts: &CaptureCounts, ended: &[Ended]) -> Vec<Note> {
    let cut_replies = counts
        .sessions
        .iter()
        .map(|session| session.counts.cut_replies);
    let mut notes = not_read(&counts.not_read, cut_replies.sum());
    let is_unordered = counts.out_of_window > 0;
    let many_unmatched = counts.unmatched_replies * 100 > counts.test_packets;
    let of_packets = [
        packets(
            counts.out_of_window,
            true,
            "capture-unordered",
            "out of order by more than 60 s or 65,536 packets: replies that come before their requests \
             count as lost; sort the capture with reordercap and read it again",
        ),
        packets(
            if is_unordered { 0 } else { counts.out_of_order },
            false,
            "capture-sorted",
            "out of order in the capture: put in order by their times",
        ),
        replies(
            counts.unmatched_replies,
            many_unmatched,
            "capture-unmatched",
            "to requests that are not in the capture: it began after them or missed them, and no figure \
             has them",
        ),
        replies(
            counts.late_replies,
            true,
            "capture-late",
            "more than twice the timeout after their requests: no figure has them; read the capture with \
             a longer --timeout",
        ),
        packets(
            counts.foreign,
            false,
            "capture-foreign",
            "between the ends of sessions not counted: their numbers and times are far from those of \
             the test packets",
        ),
        unanswered(&counts.unanswered),
    ];
    notes.extend(of_packets.into_iter().flatten());
    for ended in ended {
        let file = counts
            .files
            .get(ended.place)
            .filter(|_| counts.files.len() > 1);
        let which = file.map_or_else(|| "the capture".to_owned(), Clone::clone);
        match ended.end {
            End::Whole => {}
            End::BrokenOff => notes.push(Note::warning(
                "capture-broken-off",
                format!("{which} ends within a packet: it was cut, or is still being written"),
            )),
            End::Damaged(what) => notes.push(Note::warning(
                "capture-damaged",
                format!(
                    "{which} is damaged ({what}): these are the packets before that; take the \
                     capture again, in pcap or pcapng"
                ),
            )),
        }
    }
    notes
}

fn unanswered(counts: &BTreeMap<SocketAddr, u64>) -> Option<Note> {
    let packets: u64 = counts.values().sum();
    if packets == 0 {
        return None;
    }
    let named = counts.keys().take(NAMED).map(SocketAddr::to_string);
    let mut ends: Vec<String> = named.collect();
    let others = counts.len().saturating_sub(NAMED);
    if others > 0 {
        ends.push(format!("{others} more"));
    }
    let ends = ends.join(", ");
    Some(Note::warning(
        "capture-unanswered",
        format!(
            "packets to {ends} that look like requests, and none was answered: {packets}; name the port \
             with --port"
        ),
    ))
}

/// `cut_replies`: those of the packets that are cut that are said of their sessions.
fn not_read(counts: &NotRead, cut_replies: u64) -> Vec<Note> {
    let notes = [
        packets(
            counts.cut.saturating_sub(cut_replies),
            true,
            "capture-cut",
            "not read: the snap length cut them before the fields of a test packet; capture with a larger \
             snap length: tcpdump -s 0",
        ),
        packets(
            counts.secured,
            true,
            "capture-secured",
            "not read: they look like authenticated TWAMP, whose numbers are encrypted; use the sender's \
             own report",
        ),
        kinds(
            counts
                .encapsulations
                .iter()
                .map(|(what, count)| (format!("in {what}"), *count)),
            "capture-encapsulated",
            "capture where test packets are not in them",
        ),
        kinds(
            counts
                .link_types
                .iter()
                .map(|(link, count)| (format!("of link type {link}"), *count)),
            "capture-links",
            "capture on Ethernet, on any interface, or raw IP",
        ),
        packets(
            counts.without_time,
            true,
            "capture-without-time",
            "not read: their blocks do not say when they were captured",
        ),
        packets(
            counts.beyond_sessions,
            true,
            "capture-sessions",
            &format!(
                "not read: they are of sessions beyond the first {SESSIONS}; split the capture with a \
                 filter, by address for example"
            ),
        ),
        packets(
            counts.later_fragments,
            false,
            "capture-fragments",
            "not read: fragments after the first; the first of a test packet has all of its fields",
        ),
        packets(
            counts.malformed,
            false,
            "capture-malformed",
            "not read: their headers contradict themselves or end too early",
        ),
    ];
    notes.into_iter().flatten().collect()
}

/// A warning of packets of these kinds, which are not read.
fn kinds(
    kinds: impl Iterator<Item = (String, u64)>,
    key: &'static str,
    remedy: &str,
) -> Option<Note> {
    let kinds = kinds.map(|(kind, count)| {
        let packets = units::count(count, "packet", "packets");
        format!("{packets} {kind}")
    });
    let kinds: Vec<String> = kinds.collect();
    let line = format!("{} not read: {remedy}", kinds.join(", "));
    (!kinds.is_empty()).then(|| Note::warning(key, line))
}
