//! The sender's loop: deadline-exact without burning a core.
//!
//! Kernel stamps tell when replies came, so they need not be read at once: towards a departure the
//! thread sleeps on the clock alone, and what arrived meanwhile is read after it. Where stamps are
//! taken in user space it waits for packets instead, and reads them as they come.

mod report;
mod wait;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use twinpath_metrics::{Record, SessionMetrics};
use twinpath_net::{BindError, Device, Outbound, QueueEvent, RecvBatch, TestSocket, Waiter, clock};
use twinpath_proto::ClockPair;
use twinpath_proto::sender::{ClockStep, Missed, Protocol, SenderConfig, SessionSender, Transmit};
use twinpath_report::{ClockState, SessionReport};
use twinpath_wire::{Delta, Mono, Rung, TimeFormat};

use super::departures::Departures;
use super::pace::Pace;
use super::phase::{phase, start_within};
use super::quotes::SentQuotes;
use super::refusals::RefusalCounts;
use super::source::Source;
use super::suspension::Suspensions;
use super::{
    Bound, Handle, Negotiated, Progress, RECORDS, STOP_WAIT, SessionNews, Shared, metrics_config,
};
use crate::SenderPlan;
use crate::error::RunError;
use crate::interfaces::Following;

/// Datagrams taken at once.
const BATCH: usize = 64;
/// Room for the largest datagram there is. Only pages that packets touch cost memory.
const SLOT_OCTETS: usize = 1 << 16;
/// Before the first packet: the kernel begins to stamp a moment after it was asked.
const WARM_UP: Duration = Duration::from_millis(5);
/// Batches taken in a row, so that a flood cannot keep the thread from the rest of its work.
const ROUNDS: usize = 16;
/// Packets sent in a row, likewise.
const MAX_SENDS_PER_TURN: usize = 512;
/// How often the handle gets news.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);
/// How often the clock's discipline is asked for the Error Estimate.
const CLOCK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct SenderLoop {
    plan: SenderPlan,
    negotiated: Negotiated,
    socket: TestSocket,
    sender: SocketAddr,
    waiter: Waiter,
    shared: Arc<Shared>,
    records: Option<rtrb::Producer<SessionNews>>,
    records_dropped: u64,
    engine: SessionSender,
    metrics: SessionMetrics,
    departures: Departures,
    quotes: SentQuotes,
    refusals: RefusalCounts,
    batch: RecvBatch,
    told: Vec<QueueEvent>,
    packet: Vec<u8>,
    started: ClockPair,
    pace: Pace,
    progress_due: Mono,
    clock_due: Mono,
    last_round_trip_ns: Option<i64>,
    awaiting_stamps: bool,
    /// Replies must be read as they come: their stamps are taken in user space.
    reads_at_once: bool,
    /// The interface of the socket, and that of the far end's zone.
    socket_follows: Option<Following>,
    far_follows: Option<Following>,
    rebinds: u64,
    source: Source,
    suspensions: Suspensions,
}

fn pair() -> ClockPair {
    let (mono, wall) = clock::pair();
    ClockPair { mono, wall }
}

impl SenderLoop {
    pub(super) fn new(bound: Bound, negotiated: Negotiated) -> Self {
        let Bound {
            plan,
            socket,
            sender,
            waiter,
            handle: Handle { shared, .. },
            records,
        } = bound;
        let now = pair();
        let start_within = start_within(&plan);
        let phase = phase(plan.seed, start_within);
        let start = now.mono + plan.start_delay.max(WARM_UP) + phase;
        let awaiting_stamps = socket.tells_departures();
        let engine = SessionSender::new(SenderConfig {
            protocol: plan.protocol,
            far: plan.far,
            start,
            schedule: plan.schedule,
            limit: plan.limit,
            timeout: plan.timeout,
            payload: plan.payload,
            fill: plan.fill,
            seed: plan.seed,
            max_burst: plan.max_burst,
            error: crate::error_estimate_in(stamp_format(plan.protocol)),
            tai_offset_s: clock::discipline().tai_offset_s,
            await_tx_stamps: awaiting_stamps,
        })
        .guarded(negotiated.guard.clone());
        let packet = vec![0; engine.largest_payload()];
        let quotes = SentQuotes::new(plan.schedule.mean_interval());
        let socket_follows = socket.device().map(Following::of);
        let far_follows = Device::of(plan.far, None).as_ref().map(Following::of);
        let metrics = SessionMetrics::with_config(&metrics_config(&plan));
        let first = engine.next_due().unwrap_or(start);
        let ahead = Delta::from_duration(first.since(now.mono));
        let started = ClockPair {
            mono: first,
            wall: now.wall + ahead,
        };
        Self {
            plan,
            negotiated,
            socket,
            sender,
            waiter,
            shared,
            records,
            records_dropped: 0,
            engine,
            metrics,
            departures: Departures::default(),
            quotes,
            refusals: RefusalCounts::default(),
            batch: RecvBatch::new(BATCH, SLOT_OCTETS),
            told: Vec::with_capacity(BATCH),
            packet,
            started,
            pace: Pace::default(),
            progress_due: now.mono,
            clock_due: now.mono + CLOCK_EVERY,
            last_round_trip_ns: None,
            awaiting_stamps,
            reads_at_once: !awaiting_stamps,
            socket_follows,
            far_follows,
            rebinds: 0,
            source: Source::new(sender.ip()),
            suspensions: Suspensions::new(clock::suspended()),
        }
    }

    /// Until all is sent and every figure is observed to its end, or the run is abandoned.
    pub(super) fn run(mut self) -> Result<SessionReport, RunError> {
        Waiter::sharpen_timers();
        let at = self.started.wall;
        self.tell(Record::Begun { at });
        let mut stop_by = None;
        loop {
            self.follow(clock::mono());
            self.transmit();
            self.take_arrivals()?;
            let now = clock::mono();
            self.engine.handle_timeout(now);
            if self.shared.abandoned.load(Ordering::Acquire) {
                self.engine.stop(now);
            } else if self.shared.stop.load(Ordering::Acquire) {
                self.engine.stop_sending();
                if now >= *stop_by.get_or_insert(now + STOP_WAIT) {
                    self.engine.stop(now);
                }
            }
            self.take_samples();
            self.housekeeping(now);
            let Some(next) = self.engine.poll_timeout() else {
                break;
            };
            self.wait(stop_by.map_or(next, |by| next.min(by)), now);
        }
        self.take_samples();
        self.report()
    }

    /// Binds the socket again if its interface was made again, and sends to the far end by the
    /// interface of its zone.
    fn follow(&mut self, now: Mono) {
        if let Some(following) = &mut self.far_follows
            && let Some(index) = following.moved(now)
        {
            let before = following.bound();
            set_zone(&mut self.plan.far, before, index);
            following.settle(index, now, Ok::<_, BindError>(()));
            // A bound socket is counted below: it is the same interface's return.
            if self.socket_follows.is_none() {
                set_zone(&mut self.sender, before, index);
                self.rebinds += 1;
                self.source.may_have_changed();
            }
        }
        if let Some(following) = &mut self.socket_follows
            && let Some(index) = following.moved(now)
        {
            let before = following.bound();
            if following.settle(index, now, self.socket.bind_again(index)) {
                set_zone(&mut self.sender, before, index);
                self.rebinds += 1;
                self.source.may_have_changed();
            }
        }
    }

    /// Sends what is due; of a long burst a part, so that stamps and replies are read in between.
    fn transmit(&mut self) {
        for _ in 0..MAX_SENDS_PER_TURN {
            let Some(transmit) = self.engine.poll_transmit(clock::mono(), &mut self.packet) else {
                return;
            };
            self.depart(transmit);
        }
    }

    /// Writes T1 into the packet that is ready, and lets it go.
    fn depart(&mut self, transmit: Transmit) {
        let Some(packet) = self.packet.get_mut(..transmit.octets) else {
            return;
        };
        let out = Outbound {
            to: self.plan.far,
            from: None,
            tos: None,
            interface: 0,
            stamp: true,
        };
        let now = pair();
        let token = self.engine.finish(packet, transmit, now);
        self.quotes.add(packet);
        match self.socket.send(packet, &out) {
            Ok(key) => {
                if let Some(key) = key {
                    self.departures.left(key, token, now.wall);
                }
                self.pace.sent(now.mono);
            }
            Err(error) => {
                self.refusals.send(error);
                let seq = token.seq();
                // A step that is not known yet would put the packet into another time.
                self.engine.handle_clock(now);
                self.tell_clock_step();
                self.metrics.record_not_sent(seq, now.wall);
                self.tell(Record::NotSent { seq, at: now.wall });
                self.engine.handle_send_error(token);
            }
        }
    }

    /// Reads stamps and packets; stamps first, for a reply may be there with its packet's.
    fn take_arrivals(&mut self) -> Result<(), RunError> {
        for _ in 0..ROUNDS {
            self.told.clear();
            let told = &mut self.told;
            self.socket.drain_errors(&mut |item| told.push(item));
            let count = self
                .socket
                .receive(&mut self.batch)
                .map_err(RunError::Receive)?;
            // After the reading and before the telling: a step of the clock that touched any of
            // these is then known.
            let now = pair();
            self.engine.handle_clock(now);
            for told in self.told.drain(..) {
                match told {
                    QueueEvent::Sent { key, stamp } => {
                        if self.departures.told(&mut self.engine, key, stamp) {
                            self.socket.settle_transmit_rung();
                        }
                    }
                    QueueEvent::Icmp(error) => {
                        let quoted = self.quotes.judge(&error.quote);
                        self.refusals.icmp(&error, self.plan.far, quoted);
                    }
                }
            }
            for index in 0..count {
                self.look_at_source(index, now);
                let Some((octets, received, arrival)) = self.batch.packet(index) else {
                    break;
                };
                let octets = octets.get(..received).unwrap_or_default();
                self.engine.handle_reply(now.mono, octets, arrival);
            }
            if count < self.batch.slots() {
                break;
            }
            // A flood of packets must not keep the thread from its departures.
            self.take_samples();
            self.transmit();
        }
        Ok(())
    }

    /// A reply that shows another source address: what was answered before is recorded before.
    fn look_at_source(&mut self, index: usize, now: ClockPair) {
        let Some((_, _, arrival)) = self.batch.packet(index) else {
            return;
        };
        if self.source.is_changed_by(arrival, &self.plan, now.mono) {
            self.take_samples();
            self.metrics.record_source_change();
            self.tell(Record::SourceChange { at: now.wall });
        }
    }

    fn tell_clock_step(&mut self) {
        let Some(step) = self.engine.poll_clock_step() else {
            return;
        };
        self.metrics.record_clock_step();
        self.pace.clock_step();
        let (suspension, step) = self.suspensions.split(step, clock::suspended());
        for (step, suspended) in [(suspension, true), (step, false)] {
            if let Some(ClockStep { now, by, first_seq }) = step {
                self.tell(Record::ClockStep {
                    now,
                    by,
                    first_seq,
                    suspended,
                });
            }
        }
    }

    fn take_samples(&mut self) {
        self.tell_clock_step();
        self.tell_overdue();
        while let Some(sample) = self.engine.poll_sample() {
            self.metrics.record(&sample);
            self.pace.sample(&sample);
            self.reads_at_once |= sample.t4.is_some_and(|t4| t4.rung == Rung::User);
            if let Some(round_trip) = sample.round_trip() {
                self.last_round_trip_ns = Some(round_trip.ns());
            }
            self.tell(Record::Sample(sample));
        }
    }

    /// Half of the room for news is kept for records: these are missed.
    fn tell_overdue(&mut self) {
        let Some(records) = &mut self.records else {
            return;
        };
        while let Some(lost) = self.engine.poll_overdue() {
            if records.slots() > RECORDS / 2 {
                let _ = records.push(SessionNews::Overdue(lost));
            }
        }
    }

    /// Puts a record where the caller finds it; never waits.
    fn tell(&mut self, record: Record) {
        if let Some(records) = &mut self.records
            && records.push(SessionNews::Record(record)).is_err()
        {
            self.records_dropped += 1;
        }
    }

    fn housekeeping(&mut self, now: Mono) {
        if let Some(missed) = self.engine.poll_missed() {
            self.tell_missed(missed);
        }
        if now >= self.clock_due {
            self.clock_due = now + CLOCK_EVERY;
            let format = stamp_format(self.plan.protocol);
            self.engine
                .set_error_estimate(crate::error_estimate_in(format));
        }
        if self.awaiting_stamps && self.departures.are_silent() {
            self.awaiting_stamps = false;
            self.engine.set_await_tx_stamps(false);
        }
        if now >= self.progress_due {
            self.progress_due = now + PROGRESS_EVERY;
            // Never waits: when somebody is reading, the next round will do.
            if let Ok(mut progress) = self.shared.progress.try_lock() {
                *progress = self.progress();
            }
        }
    }

    /// Departures that were skipped, by the clock as it is now.
    fn tell_missed(&mut self, missed: Missed) {
        let read = pair();
        let at = |due: Mono| read.wall - read.mono.signed_since(due);
        let (count, since, now) = (missed.count, at(missed.since), at(missed.until));
        self.metrics.record_missed(count, since, now);
        self.tell(Record::Missed { count, since, now });
    }

    fn progress(&self) -> Progress {
        let counters = self.engine.counters();
        Progress {
            asked: counters.asked,
            sent: counters.sent,
            received: counters.received,
            lost: counters.lost,
            last_round_trip_ns: self.last_round_trip_ns,
            far_clock: counters.far_error.map(ClockState::of_estimate),
        }
    }
}

/// An address of the zone `before` is one of the zone `now`.
fn set_zone(address: &mut SocketAddr, before: u32, now: u32) {
    if let SocketAddr::V6(address) = address
        && address.scope_id() == before
    {
        address.set_scope_id(now);
    }
}

/// The format of T1: PTPv2 where both ends agreed on it, NTP elsewhere (RFC 8186 section 2.2).
fn stamp_format(protocol: Protocol) -> TimeFormat {
    match protocol {
        Protocol::Twamp(features) => features.reflector_format(),
        Protocol::TwampLight | Protocol::Stamp { .. } => TimeFormat::Ntp,
    }
}
