//! One session as its thread measures it: all but the socket.

mod commands;

use std::iter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use twinpath_metrics::Record;
use twinpath_net::{BindError, Device, IcmpError, clock};
use twinpath_proto::ClockPair;
use twinpath_proto::extension::{ReplyTlvs, RequestChain};
use twinpath_proto::sender::{ClockStep, Missed, SenderConfig, SessionSender, Transmit, TxToken};
use twinpath_report::ClockState;
use twinpath_wire::{Arrival, Delta, Fate, Mono, Rung, Stamp};

use super::handle::{SessionNews, Shared};
use super::pace::Pace;
use super::phase::{phase, start_within};
use super::quotes::SentQuotes;
use super::recorder::{AmongMany, Recorder};
use super::refusals::RefusalCounts;
use super::source::Source;
use super::suspension::Suspensions;
use super::{Agreement, Progress, RecentPackets, STOP_WAIT, SeriesFacts};
use crate::SenderPlan;
use crate::interfaces::{FollowedInterface, set_zone};
use crate::random;

/// Before the first packet: the kernel begins to stamp a moment after it was asked.
const WARM_UP: Duration = Duration::from_millis(5);
/// How often the handle gets a new glance.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);
/// How often the clock's discipline is asked for the Error Estimate.
const CLOCK_EVERY: Duration = Duration::from_secs(1);
/// A snapshot takes some microseconds: it waits until no departure is nearer than this,
const SNAPSHOT_BEFORE_SEND: Duration = Duration::from_micros(200);
/// but no longer than this.
const SNAPSHOT_WAIT: Duration = Duration::from_millis(100);

/// Both clocks, read one right after the other.
pub(super) fn pair() -> ClockPair {
    let (mono, wall) = clock::pair();
    ClockPair { mono, wall }
}

/// A session that is measured: engine, figures, and what the handles are shown.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) plan: SenderPlan,
    pub(super) agreement: Agreement,
    pub(super) sender: SocketAddr,
    pub(super) engine: SessionSender,
    pub(super) recorder: Recorder,
    pub(super) refusals: RefusalCounts,
    /// Packets that were answered when the last ICMP error came.
    received_at_icmp: u64,
    pub(super) started: ClockPair,
    pub(super) pace: Pace,
    pub(super) waits: WaitSum,
    pub(super) rebinds: u64,
    pub(super) source: Source,
    pub(super) suspensions: Suspensions,
    pub(super) records_dropped: u64,
    shared: Arc<Shared>,
    news: Option<rtrb::Producer<SessionNews>>,
    quotes: SentQuotes,
    progress_due: Mono,
    clock_due: Mono,
    last_round_trip_ns: Option<i64>,
    recent: RecentPackets,
    /// Replies must be read as they come: their timestamps are taken in user space.
    reads_at_once: bool,
    /// When nothing more is waited for, once the session was asked to stop.
    stop_by: Option<Mono>,
    snapshot_by: Option<Mono>,
    /// Packets before this number were counted before all counts were set to 0.
    counted_below: u64,
    /// When a row may be known.
    row_due: Option<Mono>,
    /// The interface of the far end's zone.
    far_follows: Option<FollowedInterface>,
}

/// What counts the records of a session that begins `phase` later than others.
fn recorder(plan: &SenderPlan, phase: Duration) -> Recorder {
    let config = SeriesFacts::of(plan).config(plan.rows, plan.columns, true);
    let among = (!plan.exact).then(|| AmongMany {
        interval: plan.schedule.mean_interval(),
        phase,
    });
    Recorder::new(config, among)
}

/// How long packets waited from the reading right before their send call to the kernel's best stamp.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WaitSum {
    pub(super) count: u64,
    pub(super) sum_ns: u64,
}

impl WaitSum {
    fn add(&mut self, wait: Delta) {
        self.count += 1;
        let ns = u64::try_from(wait.ns()).unwrap_or(0);
        self.sum_ns = self.sum_ns.saturating_add(ns);
    }
}

/// What a session is made of.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) plan: SenderPlan,
    pub(super) agreement: Agreement,
    pub(super) sender: SocketAddr,
    pub(super) shared: Arc<Shared>,
    pub(super) news: Option<rtrb::Producer<SessionNews>>,
}

impl Session {
    /// One that has sent nothing yet. `awaits_stamps`: its socket tells when packets left.
    pub(super) fn new(setup: Setup, awaits_stamps: bool) -> Self {
        let Setup {
            plan,
            agreement,
            sender,
            shared,
            news,
        } = setup;
        let now = pair();
        let at_random = || phase(plan.seed, start_within(&plan));
        let phase = plan.phase.unwrap_or_else(at_random);
        let start = now.mono + plan.start_delay.max(WARM_UP) + phase;
        // What cannot be asked for was refused with the options.
        let mut chain = RequestChain::new(&plan.tlvs, plan.tos).unwrap_or_default();
        if let Ok(salt) = random::octets() {
            chain.salt(salt);
        }
        let awaits_none = chain.sends_replies_elsewhere(sender.ip());
        let source = Source::new(sender.ip(), chain.return_address());
        let mut engine = SessionSender::new(SenderConfig {
            wire: plan.wire,
            far: plan.far,
            start,
            schedule: plan.schedule,
            limit: plan.limit,
            timeout: plan.timeout,
            payload: plan.payload,
            fill: plan.fill,
            seed: plan.seed,
            max_burst: plan.max_burst,
            error: crate::error_estimate_in(plan.wire.format.time_format()),
            tai_offset_s: clock::discipline().tai_offset_s,
            await_tx_stamps: awaits_stamps,
        })
        .guarded(plan.guard.clone())
        .asking(chain, plan.tlv_key.clone());
        if awaits_none {
            engine = engine.awaiting_no_reply();
        }
        let first = engine.next_due().unwrap_or(start);
        let ahead = Delta::from_duration(first.since(now.mono));
        let mut session = Self {
            engine,
            recorder: recorder(&plan, phase),
            refusals: RefusalCounts::default(),
            received_at_icmp: 0,
            started: ClockPair {
                mono: first,
                wall: now.wall + ahead,
            },
            pace: Pace::default(),
            waits: WaitSum::default(),
            rebinds: 0,
            source,
            suspensions: Suspensions::new(clock::suspended()),
            records_dropped: 0,
            shared,
            news,
            quotes: SentQuotes::new(plan.schedule.mean_interval()),
            progress_due: now.mono,
            clock_due: now.mono + CLOCK_EVERY,
            last_round_trip_ns: None,
            recent: RecentPackets::every(plan.schedule.mean_interval(), plan.timeout),
            reads_at_once: !awaits_stamps,
            stop_by: None,
            snapshot_by: None,
            counted_below: 0,
            row_due: None,
            far_follows: Device::of(plan.far, None)
                .as_ref()
                .map(FollowedInterface::of),
            plan,
            agreement,
            sender,
        };
        let at = session.started.wall;
        session.record(Record::Begun { at });
        session
    }

    /// When the next packet is due; `None`: all were sent.
    pub(super) fn next_due(&self) -> Option<Mono> {
        self.engine.next_due()
    }

    /// When there is something to do next, a departure included; `None`: the session is over.
    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        let next = self.engine.poll_timeout()?;
        let others = [self.stop_by, self.row_due].into_iter().flatten();
        Some(others.fold(next, Mono::min))
    }

    /// Its replies must be read as they come.
    pub(super) fn reads_at_once(&self) -> bool {
        self.reads_at_once
    }

    /// It has to be asked now and then whether the interface of the far end's zone is another.
    pub(super) fn follows_far_end(&self) -> bool {
        self.far_follows.is_some()
    }

    /// Sends to the far end by the interface of its zone as it is now. `bound`: the socket is bound to
    /// that interface as well, and says so by [`Session::rebound`].
    pub(super) fn follow_far_end(&mut self, now: Mono, bound: bool) {
        if let Some(following) = &mut self.far_follows
            && let Some(index) = following.moved(now)
        {
            let before = following.bound();
            set_zone(&mut self.plan.far, before, index);
            following.record_binding(index, now, Ok::<_, BindError>(()));
            if !bound {
                self.rebound(before, index);
            }
        }
    }

    /// Its packets leave by an interface that was made again: `before` is its old number.
    pub(super) fn rebound(&mut self, before: u32, now: u32) {
        set_zone(&mut self.sender, before, now);
        self.rebinds += 1;
        self.source.may_have_changed();
    }

    /// Makes the packet that is due at `now`, all but its T1.
    pub(super) fn prepare(&mut self, now: Mono, packet: &mut [u8]) -> Option<Transmit> {
        self.engine.poll_transmit(now, packet)
    }

    /// Writes T1 into the packet, read right now: it must leave at once.
    pub(super) fn finish(&mut self, packet: &mut [u8], transmit: Transmit) -> (TxToken, ClockPair) {
        let now = pair();
        let token = self.engine.finish(packet, transmit, now);
        self.quotes.add(packet);
        (token, now)
    }

    /// The packet left.
    pub(super) fn sent(&mut self, now: ClockPair) {
        self.pace.sent(now.mono);
    }

    /// The system did not take the packet.
    pub(super) fn refused(
        &mut self,
        token: TxToken,
        now: ClockPair,
        error: twinpath_net::SendError,
    ) {
        self.refusals.send(error);
        let seq = token.seq();
        // A step that is not known yet would put the packet into another time.
        self.engine.handle_clock(now);
        self.record_clock_step();
        self.record(Record::NotSent { seq, at: now.wall });
        self.engine.handle_send_error(token);
    }

    /// The kernel's stamp of a departure. `wait`: it is the best to be had, and so long after T1 was
    /// read.
    pub(super) fn handle_tx_stamp(&mut self, token: &TxToken, stamp: Stamp, wait: Option<Delta>) {
        if let Some(wait) = wait {
            self.waits.add(wait);
        }
        self.engine.handle_tx_stamp(token, stamp);
    }

    /// No stamps of departures come, and none are waited for.
    pub(super) fn stop_expecting_stamps(&mut self) {
        self.engine.set_expects_tx_stamps(false);
    }

    /// An ICMP error about a packet to this far end, or about one whose destination is unknown.
    pub(super) fn handle_icmp(&mut self, error: &IcmpError) {
        let quoted = self.quotes.classify(&error.quote);
        if self.refusals.icmp(error, self.plan.far, quoted) {
            self.received_at_icmp = self.engine.counters().received;
        }
    }

    /// The clocks, read after the socket was drained and before what came from it is handled: a step
    /// that touched any of that is then known.
    pub(super) fn handle_clock(&mut self, now: ClockPair) {
        self.engine.handle_clock(now);
    }

    /// A datagram that came to the session's socket.
    pub(super) fn handle_reply(&mut self, octets: &[u8], arrival: &Arrival, now: ClockPair) {
        let answers = || self.engine.is_from_far_end(arrival) && self.engine.is_answered_by(octets);
        if self
            .source
            .is_changed_by(arrival, &self.plan, now.mono, answers)
        {
            // What was answered before is recorded before.
            self.take_samples();
            self.record(Record::SourceChange { at: now.wall });
        }
        self.engine.handle_reply(now.mono, octets, arrival);
    }

    /// What `now` brings: timeouts, a stop, a glance for the handle.
    pub(super) fn handle_timeout(&mut self, now: Mono) {
        self.engine.handle_timeout(now);
        if self.shared.abandoned.load(Ordering::Acquire) {
            self.engine.stop(now);
        } else if self.shared.stop.load(Ordering::Acquire) || self.stops_without_ssid() {
            self.engine.stop_sending();
            if now >= *self.stop_by.get_or_insert(now + STOP_WAIT) {
                self.engine.stop(now);
            }
        }
        self.take_samples();
        self.take_commands(now);
        self.housekeeping(now);
    }

    /// A reply lacks the SSID, and the session is to stop then.
    pub(super) fn stops_without_ssid(&self) -> bool {
        self.plan.stop_without_ssid && self.engine.counters().anomalies.ssid_missing > 0
    }

    /// Records what became of packets.
    pub(super) fn take_samples(&mut self) {
        self.record_clock_step();
        self.tell_overdue();
        while let Some(sample) = self.engine.poll_sample() {
            self.pace.sample(&sample);
            self.reads_at_once |= sample.t4.is_some_and(|t4| t4.rung == Rung::User);
            let round_trip = sample.round_trip().map(Delta::ns);
            self.last_round_trip_ns = round_trip.or(self.last_round_trip_ns);
            if sample.fate == Fate::Received {
                self.recent.receive(sample.seq, round_trip);
            }
            let tlvs = self.engine.take_reply_tlvs(sample.seq);
            // Only where they are read.
            let tlvs = tlvs.filter(|_| self.news.is_some());
            if sample.seq >= self.counted_below {
                self.record_with(Record::Sample(sample), tlvs.map(Box::new));
            }
        }
    }

    fn record_clock_step(&mut self) {
        let Some(step) = self.engine.poll_clock_step() else {
            return;
        };
        self.pace.clock_step();
        let (suspension, step) = self.suspensions.split(step, clock::suspended());
        for (step, suspended) in [(suspension, true), (step, false)] {
            if let Some(ClockStep { now, by, first_seq }) = step {
                self.record(Record::ClockStep {
                    now,
                    by,
                    first_seq,
                    suspended,
                });
            }
        }
    }

    /// Half of the room for news is kept for records: these are missed.
    fn tell_overdue(&mut self) {
        while let Some(lost) = self.engine.poll_overdue() {
            self.recent.lose(lost.seq);
            if self.plan.rows.is_some() {
                self.recorder.overdue(&lost);
            }
            if let Some(news) = &mut self.news
                && news.slots() > news.buffer().capacity() / 2
            {
                let _ = news.push(SessionNews::Overdue(lost));
            }
        }
        self.recent.settle(self.engine.settled());
    }

    fn record(&mut self, record: Record) {
        self.record_with(record, None);
    }

    /// Counts a record, and puts it where the caller finds it, with the TLVs of its reply; never waits.
    fn record_with(&mut self, record: Record, tlvs: Option<Box<ReplyTlvs>>) {
        if self.plan.rows.is_some() {
            self.row_due.get_or_insert(self.progress_due);
        }
        if let Some(news) = &mut self.news
            && news.push(SessionNews::Record(record, tlvs)).is_err()
        {
            if news.is_abandoned() {
                self.news = None;
            } else {
                self.records_dropped += 1;
                let dropped = &self.shared.records_dropped;
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.recorder.record(record);
    }

    fn housekeeping(&mut self, now: Mono) {
        if let Some(missed) = self.engine.poll_missed() {
            self.record_missed(missed);
        }
        if now >= self.clock_due {
            self.clock_due = now + CLOCK_EVERY;
            let format = self.plan.wire.format.time_format();
            self.engine
                .set_error_estimate(crate::error_estimate_in(format));
        }
        if now >= self.progress_due {
            self.progress_due = now + PROGRESS_EVERY;
            self.shared.show(&self.progress());
        }
        if self.row_due.is_some_and(|due| due <= now) {
            self.close_rows(now);
        }
        if self.shared.snapshot_wanted.load(Ordering::Acquire) {
            self.put_snapshot(now);
        }
    }

    /// Hands over the rows that are known by now.
    fn close_rows(&mut self, now: Mono) {
        self.row_due = None;
        if let Some(rows) = self.recorder.rows() {
            let wall = pair().wall;
            self.shared.add_rows(iter::from_fn(|| rows.close(wall)));
            let wait = rows.until_close(wall);
            self.row_due = wait.map(|wait| now + wait.max(PROGRESS_EVERY));
        }
    }

    fn put_snapshot(&mut self, now: Mono) {
        let by = *self.snapshot_by.get_or_insert(now + SNAPSHOT_WAIT);
        let is_near = |due: Mono| due < now + SNAPSHOT_BEFORE_SEND;
        if now < by && self.next_due().is_some_and(is_near) {
            return;
        }
        self.snapshot_by = None;
        let series = Arc::new(self.recorder.snapshot());
        let reader = self.shared.put_snapshot(series);
        self.news = reader.or(self.news.take());
    }

    /// Departures that were skipped, by the clock as it is now.
    fn record_missed(&mut self, missed: Missed) {
        let read = pair();
        let at = |due: Mono| read.wall - read.mono.signed_since(due);
        let (count, since, now) = (missed.count, at(missed.since), at(missed.until));
        self.record(Record::Missed { count, since, now });
    }

    fn progress(&self) -> Progress {
        let counters = self.engine.counters();
        Progress {
            asked: counters.asked,
            sent: counters.sent,
            received: counters.received,
            lost: counters.lost,
            unawaited: counters.unawaited,
            unsent: counters.send_errors + counters.slots_left_out,
            missed: counters.slots_skipped,
            last_round_trip_ns: self.last_round_trip_ns,
            far_clock: counters.far_error.map(ClockState::of_estimate),
            refused: self
                .refusals
                .latest
                .filter(|_| counters.received == self.received_at_icmp),
            reply_status: self.recorder.reply_status(),
            recent: self.recent,
        }
    }
}
