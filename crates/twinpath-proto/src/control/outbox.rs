//! Outgoing messages, and how long the peer may take to read them (row TC-73).

use std::collections::VecDeque;
use std::time::Duration;

use twinpath_wire::Mono;

/// Whole messages, each written with one call if the socket takes it: deployed peers read a message
/// with one `recv` (section 14 of our conformance table).
#[derive(Debug)]
pub(super) struct Outbox {
    messages: VecDeque<Vec<u8>>,
    /// Octets of the first message already written.
    written: usize,
    /// Deadline for writing the first message.
    due: Option<Mono>,
    timeout: Duration,
}

impl Outbox {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            messages: VecDeque::new(),
            written: 0,
            due: None,
            timeout,
        }
    }

    pub(super) fn push(&mut self, now: Mono, message: Vec<u8>) {
        self.messages.push_back(message);
        self.due.get_or_insert(now + self.timeout);
    }

    /// What is left of the first message.
    pub(super) fn front(&self) -> Option<&[u8]> {
        self.messages.front()?.get(self.written..)
    }

    pub(super) fn wrote(&mut self, now: Mono, octets: usize) {
        let Some(message) = self.messages.front() else {
            return;
        };
        self.written = self.written.saturating_add(octets);
        if self.written >= message.len() {
            self.messages.pop_front();
            self.written = 0;
            self.due = (!self.messages.is_empty()).then(|| now + self.timeout);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn due(&self) -> Option<Mono> {
        self.due
    }

    /// Whether the peer does not read.
    pub(super) fn is_stuck(&self, now: Mono) -> bool {
        self.due.is_some_and(|due| now >= due)
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.written = 0;
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_pushed_behind_another_buys_no_time() {
        // Row TC-73.
        let timeout = Duration::from_mins(1);
        let start = Mono::from_ns(0);
        let mut outbox = Outbox::new(timeout);
        outbox.push(start, vec![1, 2]);
        let later = start + timeout / 2;
        outbox.push(later, vec![3]);
        outbox.wrote(later, 1);
        assert_eq!(outbox.due(), Some(start + timeout));
        assert_eq!(outbox.front(), Some(&[2][..]));
        outbox.wrote(later, 1);
        assert_eq!(outbox.due(), Some(later + timeout));
        assert!(outbox.is_stuck(later + timeout));
        outbox.wrote(later, 1);
        assert!(outbox.is_empty() && outbox.due().is_none());
    }
}
