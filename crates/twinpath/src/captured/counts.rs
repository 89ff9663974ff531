//! Packets of a capture that were read or not, by kind, and findings about it.

use std::collections::BTreeMap;
use std::path::Path;

use twinpath_report::Finding;
use twinpath_report::finding::{self, Captured};

use super::file::End;
use super::files::Ended;
use super::flows::LeftOut;
use super::frame::{Datagram, NotDatagram};
use super::pairing::{Counts, SESSIONS};
use crate::output::captures::{CaptureCounts, NotRead, OnlyReplies};

/// The most kinds of links that are distinguished.
const LINKS: usize = 64;
/// The most ends that are named.
const NAMED: usize = 8;

/// Frames by outcome.
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
    pub(super) fn count(&mut self, read: &Result<Datagram<'_>, NotDatagram>) {
        self.frames += 1;
        match *read {
            Ok(datagram) => {
                self.datagrams += 1;
                self.first_fragments += u64::from(datagram.is_fragment);
            }
            Err(NotDatagram::Other) => {}
            Err(NotDatagram::Cut) => self.cut += 1,
            Err(NotDatagram::LaterFragment) => self.later_fragments += 1,
            Err(NotDatagram::Malformed) => self.malformed += 1,
            Err(NotDatagram::Wrapped(what)) => *self.wrapped.entry(what).or_default() += 1,
            Err(NotDatagram::Link(link)) => {
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
        unmatched_replies: left_out.replies.values().sum(),
        only_replies: left_out
            .replies
            .iter()
            .map(|(&(from, to), &replies)| OnlyReplies { from, to, replies })
            .collect(),
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

/// What is remarkable about it.
pub(super) fn findings(counts: &CaptureCounts, ended: &[Ended]) -> Vec<Finding> {
    let cut_replies = counts
        .sessions
        .iter()
        .map(|session| session.counts.cut_replies);
    let not_read = not_read(&counts.not_read, cut_replies.sum());
    let mut findings: Vec<Captured> = Vec::new();
    if let count @ 1.. = counts.out_of_window {
        findings.push(Captured::Unordered { count });
    } else if let count @ 1.. = counts.out_of_order {
        findings.push(Captured::Sorted { count });
    }
    let only: u64 = counts.only_replies.iter().map(|only| only.replies).sum();
    if only > 0 {
        let ways = counts.only_replies.iter();
        findings.push(Captured::OnlyReplies {
            ways: ways.take(NAMED).map(|only| (only.from, only.to)).collect(),
            more: counts.only_replies.len().saturating_sub(NAMED) as u64,
            count: only,
        });
    }
    if let count @ 1.. = counts.unmatched_replies.saturating_sub(only) {
        findings.push(Captured::Unmatched {
            count,
            packets: counts.test_packets,
        });
    }
    if let count @ 1.. = counts.late_replies {
        findings.push(Captured::Late { count });
    }
    if let count @ 1.. = counts.foreign {
        findings.push(Captured::Foreign { count });
    }
    if let count @ 1.. = counts.unanswered.values().sum() {
        findings.push(Captured::Unanswered {
            to: counts.unanswered.keys().take(NAMED).copied().collect(),
            more: counts.unanswered.len().saturating_sub(NAMED) as u64,
            count,
        });
    }
    for ended in ended {
        let file = counts.files.get(ended.place).cloned();
        let file = file.filter(|_| counts.files.len() > 1);
        findings.extend(match ended.end {
            End::Whole => None,
            End::BrokenOff => Some(Captured::BrokenOff { file }),
            End::Damaged(error) => Some(Captured::Damaged {
                file,
                error: error.to_owned(),
            }),
        });
    }
    let not_read = not_read.into_iter().map(Finding::from);
    not_read
        .chain(findings.into_iter().map(Finding::from))
        .collect()
}

/// `cut_replies`: those of the packets that are cut that are findings of their sessions.
fn not_read(counts: &NotRead, cut_replies: u64) -> Vec<finding::NotRead> {
    let mut findings = Vec::new();
    if let count @ 1.. = counts.cut.saturating_sub(cut_replies) {
        findings.push(finding::NotRead::Cut { count });
    }
    if let count @ 1.. = counts.secured {
        findings.push(finding::NotRead::Secured { count });
    }
    if !counts.encapsulations.is_empty() {
        let kinds = counts.encapsulations.iter();
        findings.push(finding::NotRead::Encapsulated {
            kinds: kinds
                .map(|(what, count)| ((*what).to_owned(), *count))
                .collect(),
        });
    }
    if !counts.link_types.is_empty() {
        let kinds = counts.link_types.iter();
        findings.push(finding::NotRead::Links {
            kinds: kinds.map(|(link, count)| (*link, *count)).collect(),
        });
    }
    if let count @ 1.. = counts.without_time {
        findings.push(finding::NotRead::WithoutTime { count });
    }
    if let count @ 1.. = counts.beyond_sessions {
        findings.push(finding::NotRead::Sessions {
            count,
            most: SESSIONS as u64,
        });
    }
    if let count @ 1.. = counts.later_fragments {
        findings.push(finding::NotRead::Fragments { count });
    }
    if let count @ 1.. = counts.malformed {
        findings.push(finding::NotRead::Malformed { count });
    }
    findings
}
