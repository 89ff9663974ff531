//! What happens on a control connection, as it happens.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;

use twinpath_proto::control::{ClientError, Message};
use twinpath_wire::control::Sid;

use super::NegotiatedSession;

/// Events that wait for a reader at most; beyond that they are dropped and counted.
pub(crate) const EVENTS: usize = 1_024;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlEvent {
    /// The connection is being made.
    Connecting {
        /// Where to.
        server: SocketAddr,
    },
    /// The connection is made.
    Connected {
        /// This host's end.
        near: SocketAddr,
        /// The Server's.
        server: SocketAddr,
    },
    /// A message was sent or came.
    Message(Message),
    /// The Server's PBKDF2 iterations, which are no power of 2; used as they are.
    IrregularCount {
        /// How many.
        count: u32,
    },
    /// An acknowledgement names a session that waits for none; ignored.
    UnexpectedAck {
        /// What it names.
        sid: Sid,
    },
    /// A session runs: its packets may be sent.
    Running {
        /// Its place among the classes, from 0.
        index: usize,
        /// What was agreed.
        session: NegotiatedSession,
    },
    /// A Session-Sender has sent all and knows what became of it.
    Finished {
        /// Its place among the classes, from 0.
        index: usize,
    },
    /// The connection failed while sessions ran: measuring goes on.
    ServerGone(ClientError),
    /// The connection ended as it should.
    Closed,
    /// Events that came faster than they were read, before the next one.
    LeftOut {
        /// How many.
        events: u64,
    },
}

/// Where events go; those that find no room are counted.
#[derive(Debug)]
pub(crate) struct EventSender {
    events: SyncSender<ControlEvent>,
    left_out: Cell<u64>,
    /// Sessions that the Server accepted.
    accepted: Arc<AtomicUsize>,
}

impl EventSender {
    pub(super) fn new(events: SyncSender<ControlEvent>) -> Self {
        Self {
            events,
            left_out: Cell::new(0),
            accepted: Arc::default(),
        }
    }

    /// How many sessions are accepted, to be read while it goes on.
    pub(super) fn accepted(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.accepted)
    }

    pub(super) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Never waits: the run itself matters more.
    pub(crate) fn emit(&self, event: ControlEvent) {
        let events = self.left_out.get();
        let has_room = events == 0 || self.put(ControlEvent::LeftOut { events });
        self.left_out.set(if has_room && self.put(event) {
            0
        } else if has_room {
            1
        } else {
            events + 1
        });
    }

    fn put(&self, event: ControlEvent) -> bool {
        self.events.try_send(event).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn events_without_room_are_counted_and_told_before_the_next() {
        let (sender, events) = sync_channel(3);
        let sender = EventSender::new(sender);
        let finished = |index| ControlEvent::Finished { index };
        for index in 0..8 {
            sender.emit(finished(index));
        }
        let told: Vec<_> = events.try_iter().collect();
        assert_eq!(told, [0, 1, 2].map(finished));
        sender.emit(finished(8));
        sender.emit(ControlEvent::Closed);
        let told: Vec<_> = events.try_iter().collect();
        let left_out = ControlEvent::LeftOut { events: 5 };
        assert_eq!(told, [left_out, finished(8), ControlEvent::Closed]);
    }
}
