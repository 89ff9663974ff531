//! The sender's engine: packets out, timestamps, timeouts, samples. [`super::replies`] classifies
//! replies, [`super::judge`] decides their fate.

use twinpath_wire::{
    Delta, ErrorEstimate, Fate, Mono, Rung, Sample, SenderOpen, SenderSecured, Stamp, Wall,
    WireTime,
};

use super::answered::Answered;
use super::chunk::ChunkSize;
use super::config::{Limit, SenderConfig, late_reply_wait};
use super::counters::SenderCounters;
use super::in_flight::{Flight, InFlight, Slot};
use super::linger::Linger;
use super::numbers::low32;
use super::outbox::{Outbox, Wait};
use super::payload::Payload;
use super::slots::{Missed, Slots};
use super::tlvs::SessionTlvs;
use crate::TestGuard;
use crate::clock::{ClockPair, StepWatch};

/// A packet that is ready except for its T1.
#[derive(Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Its number, extended to 64 bits.
    pub seq: u64,
    /// Its length in octets.
    pub octets: usize,
    /// When it should leave.
    pub due: Mono,
}

/// A step of the sender's clock (row M-55).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// The clock's reading after the step.
    pub now: Wall,
    /// How far it jumped.
    pub by: Delta,
    /// Packets from this number on have timestamps of the stepped clock.
    pub first_seq: u64,
}

/// A packet that was handed to the network: transmit timestamps and send errors refer to it.
#[derive(Debug, PartialEq, Eq)]
pub struct TxToken {
    seq: u64,
}

impl TxToken {
    /// The packet's number.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// The sender's side of one test session.
#[derive(Debug)]
pub struct SessionSender {
    pub(super) config: SenderConfig,
    pub(super) counters: SenderCounters,
    pub(super) payload: Payload,
    pub(super) guard: TestGuard,
    pub(super) tlvs: Option<Box<SessionTlvs>>,
    /// Replies do not come here; those that do are measured.
    pub(super) awaits_none: bool,
    pub(super) first: u64,
    pub(super) in_flight: InFlight,
    pub(super) linger: Linger,
    pub(super) answered: Answered,
    pub(super) outbox: Outbox<Sample, Wait>,
    /// The earliest and the latest T1 written.
    pub(super) t1_span: Option<(Wall, Wall)>,
    /// When a packet was last sent.
    pub(super) last_departure: Option<Mono>,
    /// When a first reply was last read.
    pub(super) last_reply: Option<Mono>,
    /// Sending was ended early.
    pub(super) cut_short: bool,
    pub(super) stopped: bool,
    /// The latest time that a caller passed.
    pub(super) now: Mono,
    pub(super) slots: Slots,
    watch: StepWatch,
    /// Numbers below this were sent before the clock last stepped.
    pub(super) stepped_below: u64,
    step: Option<ClockStep>,
    /// One more than the largest number with a T1.
    finished: u64,
    /// All numbers before this one have been reported if overdue.
    overdue_reported: u64,
    /// The best rung that transmit timestamps have reached.
    pub(super) best_rung: Option<Rung>,
    /// Packets before this number are not counted again.
    pub(super) counted_below: u64,
    /// Packets that the system call refused, ever.
    refused: u64,
}

impl SessionSender {
    /// A session that has sent nothing yet.
    pub fn new(config: SenderConfig) -> Self {
        Self::starting_at(config, 0)
    }

    /// As [`SessionSender::new`], with another first number: for tests of the wrap at 2^32.
    #[doc(hidden)]
    pub fn starting_at(mut config: SenderConfig, first: u64) -> Self {
        config.error = never_zero(config.error);
        let asked = match config.limit {
            Limit::Count(count) => Some(count),
            Limit::Duration(_) | Limit::Endless => None,
        };
        let chunk = ChunkSize::of(
            late_reply_wait(config.timeout),
            config.schedule.mean_interval(),
        );
        Self {
            payload: Payload::new(&config),
            guard: TestGuard::default(),
            tlvs: None,
            awaits_none: false,
            slots: Slots::new(
                config.start,
                config.schedule,
                config.seed,
                config.limit,
                config.max_burst,
            ),
            answered: Answered::new(first, late_reply_wait(config.timeout)),
            config,
            counters: SenderCounters {
                asked,
                ..SenderCounters::default()
            },
            first,
            in_flight: InFlight::new(first, chunk),
            linger: Linger::default(),
            outbox: Outbox::default(),
            t1_span: None,
            last_departure: None,
            last_reply: None,
            cut_short: false,
            stopped: false,
            now: Mono::default(),
            watch: StepWatch::default(),
            stepped_below: first,
            step: None,
            finished: first,
            overdue_reported: first,
            best_rung: None,
            counted_below: first,
            refused: 0,
        }
    }

    /// Sets the guard that protects the packets, for the features of a secured mode.
    #[must_use]
    pub fn guarded(mut self, guard: TestGuard) -> Self {
        self.guard = guard;
        self
    }

    /// Its packets ask for no reply, or for one to another host: a packet without one is not lost, and
    /// nothing is waited for at the end but the kernel's stamps of departures.
    #[must_use]
    pub fn awaiting_no_reply(mut self) -> Self {
        self.awaits_none = true;
        self
    }

    /// The largest UDP payload that will be sent: how long the buffer of
    /// [`SessionSender::poll_transmit`] must be.
    pub fn largest_payload(&self) -> usize {
        self.payload.largest()
    }

    /// If a packet is due at `now`, writes it except for T1 and the Error Estimate. A buffer that
    /// is too short truncates the packet.
    pub fn poll_transmit(&mut self, now: Mono, packet: &mut [u8]) -> Option<Transmit> {
        self.now = self.now.max(now);
        let due = self.slots.take(now);
        self.counters.slots_skipped = self.slots.skipped();
        if self.counters.asked.is_none() {
            self.counters.slots_left_out = self.counters.slots_skipped;
        }
        self.counters.largest_burst = self.slots.largest_burst();
        let due = due.or_else(|| self.take_retransmission(now))?;
        let seq = self.in_flight.next();
        self.in_flight.push(Slot::Prepared { since: now });
        self.answered.enter(seq, self.in_flight.span(), now);
        let octets = self.payload.octets(seq - self.first).min(packet.len());
        if let Some(packet) = packet.get_mut(..octets) {
            let sent = (seq + 1 - self.first).saturating_sub(self.refused);
            let tlvs = self.tlvs.as_deref();
            self.payload.write(low32(seq), packet, |rest| match tlvs {
                None => rest,
                Some(tlvs) => tlvs.write(low32(seq), rest, low32(sent)),
            });
            if let Some(header) = packet.get_mut(..self.config.wire.request_header()) {
                self.guard.prepare(header);
            }
        }
        Some(Transmit { seq, octets, due })
    }

    /// Writes T1 and its Error Estimate, then encrypts and signs what depends on them, as the last
    /// step before the system call. `now` was read just before.
    #[expect(clippy::needless_pass_by_value, reason = "a packet is finished once")]
    pub fn finish(&mut self, packet: &mut [u8], transmit: Transmit, now: ClockPair) -> TxToken {
        let format = self.config.error.format();
        let t1 = WireTime::write(now.wall, format, self.config.tai_offset_s);
        if self.guard.is_secured() {
            // STAMP has the two in the same place.
            if let Some(octets) = packet.get_mut(..self.config.wire.request_header())
                && let Ok((header, _)) = SenderSecured::view_mut(octets)
            {
                header.t1 = t1;
                header.error = self.config.error;
                self.guard.finish(octets);
            }
        } else if let Ok((header, _)) = SenderOpen::view_mut(packet) {
            header.t1 = t1;
            header.error = self.config.error;
        }
        self.register(&transmit, now, t1)
    }

    /// Replaces [`SessionSender::finish`] for a packet that another program sent, with this T1.
    #[doc(hidden)]
    pub fn adopt(&mut self, transmit: &Transmit, now: ClockPair, t1: WireTime) -> TxToken {
        self.register(transmit, now, t1)
    }

    /// The system call refused the packet: it was never sent, and its number is not sent again
    /// (row M-4).
    #[expect(
        clippy::needless_pass_by_value,
        reason = "no stamp can come for it any more"
    )]
    pub fn handle_send_error(&mut self, token: TxToken) {
        if let Some(slot @ Slot::Flying(_)) = self.in_flight.get_mut(token.seq) {
            let counted_lost = matches!(slot, Slot::Flying(flight) if flight.overdue);
            *slot = Slot::Done;
            self.counters.sent = self.counters.sent.saturating_sub(1);
            if counted_lost {
                self.recall_overdue();
            }
            self.counters.send_errors += 1;
            self.refused += 1;
            self.in_flight.skip_closed();
        }
    }

    /// A timestamp of a packet's departure: replaces T1 if its rung is better. It may arrive after
    /// the reply, several times (queue, then driver), or never.
    pub fn handle_tx_stamp(&mut self, token: &TxToken, sent: Stamp) {
        let stepped = token.seq < self.stepped_below;
        match self.in_flight.get_mut(token.seq) {
            Some(Slot::Flying(flight)) => flight.improve(sent, stepped),
            Some(&mut Slot::AwaitingStamp { position, .. }) => self.improve_waiting(position, sent),
            Some(Slot::Prepared { .. } | Slot::Answered { .. } | Slot::Done) | None => {
                self.counters.unused_tx_stamps += 1;
            }
        }
    }

    /// Whether replies wait for timestamps from now on; turning it off also releases those that
    /// wait.
    pub fn set_expects_tx_stamps(&mut self, on: bool) {
        self.config.await_tx_stamps = on;
        if !on {
            self.decide_all_waiting();
        }
    }

    /// The current state of the clock's discipline.
    pub fn set_error_estimate(&mut self, error: ErrorEstimate) {
        self.config.error = never_zero(error);
    }

    /// The clocks as read after the sockets were drained and before their contents are handled. A
    /// step marks all packets in flight (row M-55).
    pub fn handle_clock(&mut self, pair: ClockPair) {
        self.now = self.now.max(pair.mono);
        if let Some(by) = self.watch.stepped(pair) {
            self.counters.clock_steps += 1;
            self.stepped_below = self.finished;
            let earlier = self.step.map_or(Delta::ZERO, |step| step.by);
            self.step = Some(ClockStep {
                now: pair.wall,
                by: earlier + by,
                first_seq: self.finished,
            });
        }
    }

    /// The step of the clock found since the last call; several are merged into one.
    pub fn poll_clock_step(&mut self) -> Option<ClockStep> {
        self.step.take()
    }

    /// Departures that were skipped since the last call.
    pub fn poll_missed(&mut self) -> Option<Missed> {
        self.slots.take_missed()
    }

    /// Handles what is due at `now`: lost packets, and waits that are over.
    pub fn handle_timeout(&mut self, now: Mono) {
        self.now = self.now.max(now);
        while let Some((position, wait)) = self.outbox.first_waiting()
            && wait.ends() <= self.now
        {
            self.decide_waiting(position);
        }
        if self.tlvs.is_some() && self.is_observed() {
            // No reply comes any more that could say when an earlier one left.
            self.decide_all_waiting();
        }
        let overdue = self.in_flight.expire(self.now, self.loss_wait());
        self.count_overdue(overdue);
    }

    /// The fate of a packet, or one further copy of a reply. Replies come in the order of their
    /// arrival. Poll until `None`: what is not polled is kept.
    pub fn poll_sample(&mut self) -> Option<Sample> {
        if let Some(sample) = self.outbox.pop() {
            return Some(sample);
        }
        while let Some((seq, slot)) = self.in_flight.oldest() {
            match slot {
                Slot::Done => self.in_flight.pop(),
                Slot::Answered { wire_t1 } => {
                    self.in_flight.pop();
                    self.answered.mark(seq, WireTime::from_bits(wire_t1));
                }
                Slot::Flying(flight) if flight.overdue && self.awaits_none => {
                    self.in_flight.pop();
                    return Some(Sample {
                        fate: Fate::Unawaited,
                        ..lost((seq, flight))
                    });
                }
                Slot::Flying(flight) if flight.overdue => {
                    self.in_flight.pop();
                    if let Some(evicted) = self.linger.push(seq, flight) {
                        return Some(lost(evicted));
                    }
                }
                Slot::Prepared { .. } | Slot::Flying(_) | Slot::AwaitingStamp { .. } => break,
            }
        }
        let until = self.linger.deadline(self.late_reply_wait());
        if self.is_observed() || until.is_some_and(|until| until <= self.now) {
            self.linger.pop().map(lost)
        } else {
            None
        }
    }

    /// A packet that is counted lost and may still be answered: its sample if it stays lost. Each
    /// is returned once, in ascending order, if this is polled before
    /// [`SessionSender::poll_sample`], which returns its sample up to a timeout later.
    pub fn poll_overdue(&mut self) -> Option<Sample> {
        if self.awaits_none {
            return None;
        }
        while self.overdue_reported < self.in_flight.open() {
            let seq = self.overdue_reported;
            self.overdue_reported += 1;
            let flight = match self.in_flight.get(seq) {
                Some(Slot::Flying(flight)) => Some(flight),
                Some(
                    Slot::Prepared { .. }
                    | Slot::AwaitingStamp { .. }
                    | Slot::Answered { .. }
                    | Slot::Done,
                ) => None,
                None => self.linger.get(seq),
            };
            if let Some(flight) = flight {
                return Some(lost((seq, *flight)));
            }
        }
        None
    }

    /// The fates of all packets before this number are known: answered, counted lost or not sent.
    pub fn settled(&self) -> u64 {
        self.in_flight.open()
    }

    /// The time of the next action, including transmissions; `None`: the session is over and every
    /// sample was polled.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let undelivered = self.outbox.has_ready() || self.in_flight.has_retired();
        let end = self
            .observed_until()
            .filter(|until| *until > self.now || !self.linger.is_empty());
        [
            undelivered.then_some(self.now),
            end,
            self.next_departure(),
            self.outbox.first_waiting().map(|(_, wait)| wait.ends()),
            self.in_flight.deadline(self.loss_wait()),
            self.linger.deadline(self.late_reply_wait()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The time of the next transmission; `None`: all packets were handed out.
    pub fn next_due(&self) -> Option<Mono> {
        self.next_departure()
    }

    /// The counts so far.
    pub fn counters(&self) -> &SenderCounters {
        &self.counters
    }

    /// Octets on the heap, for tests of a session's memory.
    #[doc(hidden)]
    pub fn memory_octets(&self) -> usize {
        self.in_flight.memory_octets()
            + self.linger.memory_octets()
            + self.answered.memory_octets()
            + self.outbox.memory_octets()
    }

    fn register(&mut self, transmit: &Transmit, now: ClockPair, t1: WireTime) -> TxToken {
        self.handle_clock(now);
        let Transmit { seq, due, .. } = *transmit;
        if let Some(slot @ Slot::Prepared { .. }) = self.in_flight.get_mut(seq) {
            let departure = now.mono.signed_since(due);
            *slot = Slot::Flying(Flight::new(t1, now.wall, now.mono, departure));
            self.counters.sent += 1;
            self.finished = self.finished.max(seq + 1);
            self.last_departure = Some(now.mono);
            if let Some(report) = self.report_timer() {
                report.arm(now.mono);
            }
            let (earliest, latest) = self.t1_span.unwrap_or((now.wall, now.wall));
            self.t1_span = Some((earliest.min(now.wall), latest.max(now.wall)));
        }
        TxToken { seq }
    }
}

/// RFC 4656 forbids a Multiplier of 0.
fn never_zero(error: ErrorEstimate) -> ErrorEstimate {
    if error.multiplier() == 0 {
        ErrorEstimate::from_bits(error.bits() | 1)
    } else {
        error
    }
}

fn lost((seq, flight): (u64, Flight)) -> Sample {
    Sample {
        departure: flight.departure(),
        ..Sample::lost(seq, flight.t1())
    }
}
