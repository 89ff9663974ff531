//! The loop of every reflector thread. It shares nothing with others but what its handle has.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use twinpath_net::clock;
use twinpath_proto::reflector::SessionReflector;
use twinpath_wire::Mono;

use super::threads::{MOST_LISTED, Shared, SoFar};
use super::{Packets, Snapshot, Sockets};
use crate::error::RunError;

/// Under load, sockets that were silent and other things to do are looked for as often.
const LOOK_EVERY: Duration = Duration::from_micros(50);
/// How long a stopped thread goes on answering what has arrived.
const DRAIN: Duration = Duration::from_millis(100);
/// How often the thread publishes its counts.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);
/// How often it reads what changes slowly: the clock's discipline, the sockets' drops.
const SURVEY_EVERY: Duration = Duration::from_secs(1);
/// The longest wait: nothing but packets and its waker needs the thread earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What a reflector thread does beside reflecting.
pub(crate) trait Duties {
    /// Does what is due; never waits. When it is called again at the latest, if packets or the waker do
    /// not bring it about; `None`: that does not matter.
    fn attend(
        &mut self,
        sockets: &mut Sockets,
        engine: &mut SessionReflector,
        now: Mono,
    ) -> Option<Mono>;
}

/// What a reflector thread owns.
pub(super) struct Worker<D: Duties> {
    sockets: Sockets,
    engine: SessionReflector,
    packets: Packets,
    duties: D,
    shared: Arc<Shared>,
    /// Indices of sockets that had something to read.
    busy: Vec<usize>,
    look_due: Mono,
    survey_due: Mono,
    snapshot_due: Mono,
    /// Packets came since the counts were published.
    unpublished: bool,
    /// As of the last survey.
    drops: u64,
}

impl<D: Duties> Worker<D> {
    pub(super) fn new(
        sockets: Sockets,
        engine: SessionReflector,
        raw_t3: bool,
        duties: D,
        shared: Arc<Shared>,
    ) -> Self {
        let start = Mono::from_ns(0);
        Self {
            sockets,
            engine,
            packets: Packets::new(raw_t3),
            duties,
            shared,
            busy: Vec::new(),
            look_due: start,
            survey_due: start,
            snapshot_due: start,
            unpublished: false,
            drops: 0,
        }
    }

    /// Until the stop; what has arrived by then is still answered.
    pub(super) fn run(mut self) -> Result<(), RunError> {
        let result = self.reflect_until_stopped();
        self.engine.end_copies(None);
        self.survey();
        self.publish();
        let one_way = self.packets.one_way();
        *(self.shared.one_way.lock()).unwrap_or_else(PoisonError::into_inner) = one_way;
        result
    }

    fn reflect_until_stopped(&mut self) -> Result<(), RunError> {
        let mut stop_by = None;
        loop {
            let now = clock::mono();
            let stopping = self.shared.stop.load(Ordering::Acquire);
            if stopping && now >= *stop_by.get_or_insert(now + DRAIN) {
                return Ok(());
            }
            let taken = self.reflect_batches(now).map_err(RunError::Receive)?;
            self.unpublished |= taken > 0;
            self.send_copies(now);
            if taken > 0 && now < self.look_due {
                continue;
            }
            self.look_due = now + LOOK_EVERY;
            let due = self.housekeeping(now);
            if taken > 0 && self.busy.len() >= self.sockets.count() {
                continue;
            }
            let until = if taken > 0 || stopping { now } else { due };
            self.sockets.wait(until, &mut self.busy);
            if stopping && taken == 0 && self.busy.is_empty() {
                return Ok(());
            }
        }
    }

    /// A batch from each socket that has something; those that have no more leave the list.
    fn reflect_batches(&mut self, now: Mono) -> io::Result<usize> {
        let mut taken = 0;
        let mut at = 0;
        while let Some(index) = self.busy.get(at) {
            let count = match self.sockets.get_mut(*index) {
                Some((socket, state)) => {
                    self.packets
                        .reflect_batch(socket, state, &mut self.engine, now)?
                }
                None => 0,
            };
            taken += count;
            if count == 0 {
                self.busy.swap_remove(at);
            } else {
                at += 1;
            }
        }
        Ok(taken)
    }

    /// Further replies to earlier requests, where they are due.
    fn send_copies(&mut self, now: Mono) {
        while let Some(socket) = self.engine.next_copy(now) {
            self.unpublished = true;
            match self.sockets.by_id(socket) {
                Some((socket, state)) => {
                    self.packets.send_copy(socket, state, &mut self.engine, now);
                }
                None => self.engine.end_copies(Some(socket)),
            }
        }
    }

    /// All that is due but packets. When there is more of it.
    fn housekeeping(&mut self, now: Mono) -> Mono {
        self.shared.turned.store(true, Ordering::Relaxed);
        let follow_due = self.sockets.follow(now);
        self.engine.handle_timeout(now);
        self.packets.departures.housekeeping(&mut self.engine);
        if now >= self.survey_due {
            self.survey_due = now + SURVEY_EVERY;
            self.survey();
        }
        let is_asked = self.shared.is_asked();
        if is_asked || now >= self.snapshot_due {
            self.snapshot_due = now + SNAPSHOT_EVERY;
            self.publish();
        }
        if is_asked {
            self.shared.answer(SoFar {
                one_way: self.packets.one_way(),
                sessions: self.engine.list(now, MOST_LISTED),
            });
        }
        let duties_due = self.duties.attend(&mut self.sockets, &mut self.engine, now);
        let snapshot_due = self.unpublished.then_some(self.snapshot_due);
        let all = [
            follow_due,
            duties_due,
            snapshot_due,
            self.engine.poll_timeout(),
        ];
        let next = all.into_iter().flatten().min();
        next.map_or(now + LONGEST_WAIT, |due| due.min(now + LONGEST_WAIT))
    }

    fn survey(&mut self) {
        self.packets.departures.error = crate::error_estimate();
        self.drops = self.sockets.drops();
    }

    fn publish(&mut self) {
        let snapshot = Snapshot {
            counters: *self.engine.counters(),
            rebinds: self.sockets.rebinds,
            receive_drops: self.drops,
            ..self.packets.snapshot()
        };
        // Never waits: while another thread reads it, the next time will do.
        if let Ok(mut shared) = self.shared.snapshot.try_lock() {
            *shared = snapshot;
            self.unpublished = false;
        }
    }
}
