//! Sessions whose packets want no reply (RFC 9503 section 4.1.1): their figures are here, as the sender
//! has none (row SL-24).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use twinpath_metrics::{Basis, OneWayFigures, OneWayMetrics};
use twinpath_net::clock;
use twinpath_proto::reflector::{OneWayRequest, SessionId};
use twinpath_proto::{ClockPair, StepWatch};
use twinpath_report::{ClockState, is_one_host};
use twinpath_wire::{Mono, Wall};

/// The most sessions that a thread has figures of.
const MOST: usize = 512;
/// One used more recently than this makes no room for another.
const SPARE: Duration = Duration::from_secs(30);
/// How often room is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A session measured one way.
#[derive(Clone, Debug)]
pub struct OneWaySession {
    /// Its sender.
    pub sender: SocketAddr,
    /// Where its packets arrive.
    pub reflector: SocketAddr,
    /// Its SSID.
    pub ssid: u16,
    /// It is of the authenticated mode.
    pub is_authenticated: bool,
    /// When its first packet arrived, and its last one.
    pub first: Wall,
    /// See `first`.
    pub last: Wall,
    /// Its figures.
    pub figures: OneWayFigures,
    /// What its sender claims of its clock.
    pub sender_clock: ClockState,
    /// What bounds the error of its delays.
    pub basis: Basis,
    /// How often this host's clock stepped meanwhile.
    pub clock_steps: u64,
}

/// Sessions measured one way.
#[derive(Clone, Debug, Default)]
pub struct OneWayReport {
    /// In the order of their first packets.
    pub sessions: Vec<OneWaySession>,
    /// Packets of sessions that are not listed: there was no room for them.
    pub unlisted: u64,
    /// Sessions that made room for others.
    pub evicted: u64,
}

impl OneWayReport {
    /// Adds those of another thread.
    pub(super) fn merge(&mut self, other: Self) {
        self.sessions.extend(other.sessions);
        self.sessions.sort_by_key(|session| session.first);
        self.unlisted += other.unlisted;
        self.evicted += other.evicted;
    }
}

/// The most runs of a session that the reflector takes for one: numbers that go back more often say nothing.
const MOST_RUNS: u32 = 8;

/// A run of a session.
#[derive(Debug)]
struct Measured {
    /// Which one of its session, from 1.
    run: u32,
    /// All its packets have the same number.
    is_constant: bool,
    /// Its sender does not count its packets.
    is_unnumbered: bool,
    first: OneWayRequest,
    last: OneWayRequest,
    /// The one that left last.
    newest: OneWayRequest,
    heard: Mono,
    metrics: OneWayMetrics,
    clock_steps: u64,
}

/// The sessions of one thread: a bounded number.
#[derive(Debug, Default)]
pub(super) struct OneWaySessions {
    /// By their numbers.
    measured: HashMap<u64, Measured>,
    /// The run under way of each session.
    current: HashMap<SessionId, u64>,
    begun: u64,
    unlisted: u64,
    evicted: u64,
    watch: StepWatch,
    look_due: Mono,
}

impl OneWaySessions {
    /// A packet arrived; `None`: of no session.
    pub(super) fn record(&mut self, request: Option<OneWayRequest>, now: Mono) {
        let (mono, wall) = clock::pair();
        if self.watch.stepped(ClockPair { mono, wall }).is_some() {
            for measured in self.measured.values_mut() {
                measured.clock_steps += 1;
                measured.metrics.record_clock_step();
            }
        }
        let Some(request) = request else {
            self.unlisted += 1;
            return;
        };
        match self.run_of(&request, now) {
            Some(measured) => measured.record(request, now),
            None => self.unlisted += 1,
        }
    }

    /// The run that the request is of; `None`: there is no room for it.
    fn run_of(&mut self, request: &OneWayRequest, now: Mono) -> Option<&mut Measured> {
        let known = self.current.get(&request.session).copied();
        let known = known.and_then(|run| Some((run, self.measured.get_mut(&run)?)));
        let mut nth = 1;
        if let Some((run, measured)) = known {
            measured.judge_numbers(request);
            if !measured.is_over_by(request) {
                return self.measured.get_mut(&run);
            }
            nth = measured.run + 1;
        }
        if !self.has_room(now) {
            return None;
        }
        self.begun += 1;
        self.current.insert(request.session, self.begun);
        let measured = self.measured.entry(self.begun);
        Some(measured.or_insert_with(|| Measured {
            run: nth,
            is_constant: true,
            is_unnumbered: false,
            first: *request,
            last: *request,
            newest: *request,
            heard: now,
            metrics: OneWayMetrics::default(),
            clock_steps: 0,
        }))
    }

    /// Whether there is room for one more, if need be that of the one idle for longest.
    fn has_room(&mut self, now: Mono) -> bool {
        if self.measured.len() < MOST {
            return true;
        }
        if now < self.look_due {
            return false;
        }
        self.look_due = now + LOOK_EVERY;
        let oldest = self.measured.iter().min_by_key(|(_, one)| one.heard);
        let oldest = oldest.filter(|(_, one)| now.since(one.heard) >= SPARE);
        let Some((run, session)) = oldest.map(|(run, one)| (*run, one.first.session)) else {
            return false;
        };
        self.measured.remove(&run);
        if self.current.get(&session) == Some(&run) {
            self.current.remove(&session);
        }
        self.evicted += 1;
        true
    }

    /// What they came to so far. `near`: what this host's clock claims.
    pub(super) fn report(&self, near: ClockState) -> OneWayReport {
        let mut report = OneWayReport {
            sessions: Vec::with_capacity(self.measured.len()),
            unlisted: self.unlisted,
            evicted: self.evicted,
        };
        let sessions = self.measured.values().map(|one| one.report(near));
        report.sessions.extend(sessions);
        report.sessions.sort_by_key(|session| session.first);
        report
    }
}

impl Measured {
    /// The numbers of a sender that does not count, or counts otherwise, say nothing. One that comes again as
    /// soon as it was there, without a copy's T1, may be that of a sender that begins again each time: this
    /// cannot be told from one that does not count.
    fn judge_numbers(&mut self, request: &OneWayRequest) {
        let is_same = request.number == self.newest.number;
        self.is_constant &= is_same;
        let is_another = request.t1.is_none() || request.t1 != self.newest.t1;
        let is_uncounted = self.is_constant && is_another;
        let goes_back = self.run >= MOST_RUNS && self.has_begun_again(request);
        if (is_uncounted || goes_back) && !self.is_unnumbered {
            self.is_unnumbered = true;
            self.metrics.ignore_numbers();
        }
    }

    /// The packet is of another run. A sender whose numbers say nothing has one run; if one number came all
    /// the time, until another one comes.
    fn is_over_by(&self, request: &OneWayRequest) -> bool {
        if self.is_unnumbered {
            let counts_now = request.number != self.first.number;
            return counts_now && self.all_had_one_number() && self.run < MOST_RUNS;
        }
        self.has_begun_again(request)
    }

    /// The sender has begun again: its numbers went back, and its clock did not.
    fn has_begun_again(&self, request: &OneWayRequest) -> bool {
        let ahead = request.number.wrapping_sub(self.newest.number);
        (ahead == 0 || ahead > 1 << 31) && request.t1 > self.newest.t1
    }

    /// All packets before had the number of the first.
    fn all_had_one_number(&self) -> bool {
        self.newest.number == self.first.number && self.last.number == self.first.number
    }

    fn record(&mut self, request: OneWayRequest, now: Mono) {
        if request.t1 > self.newest.t1 {
            self.newest = request;
        }
        (self.last, self.heard) = (request, now);
        if request.is_refused {
            self.metrics.record_refused(request.number);
            return;
        }
        let delay = request.t1.map(|t1| request.t2 - t1);
        self.metrics.record(request.number, delay);
    }

    fn report(&self, near: ClockState) -> OneWaySession {
        let last = &self.last;
        let to = last.to.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into());
        let figures = self.metrics.figures();
        let sender_clock = ClockState::of_estimate(last.error);
        OneWaySession {
            sender: last.from,
            reflector: SocketAddr::new(to, last.to_port),
            ssid: last.ssid,
            is_authenticated: last.is_authenticated,
            first: self.first.t2,
            last: last.t2,
            basis: basis(last, &figures, [sender_clock, near]),
            figures,
            sender_clock,
            clock_steps: self.clock_steps,
        }
    }
}

/// What bounds the error of the delays: both clocks' claims, unless a delay disproves them.
fn basis(of: &OneWayRequest, figures: &OneWayFigures, clocks: [ClockState; 2]) -> Basis {
    let least = figures.delay.map_or(0, |delay| delay.min_ns);
    let claims = clocks.map(|clock| clock.error_ns.filter(|_| clock.synchronized));
    let is_one_host = of.to.is_some_and(|to| is_one_host(of.from.ip(), to));
    let basis = if is_one_host {
        Basis::Synchronized {
            error_ns: twinpath_metrics::ClockModel::STAMP_ERROR_NS,
        }
    } else {
        Basis::of(claims[0], claims[1], None)
    };
    if let Basis::Synchronized { error_ns } = basis
        && least < 0
        && least.unsigned_abs() > error_ns
    {
        return Basis::Disproved {
            claimed_ns: error_ns,
            least_offset_ns: least.unsigned_abs(),
        };
    }
    basis
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use twinpath_proto::reflector::{Ignored, ReflectorConfig, ReflectorPolicy, SessionReflector};
    use twinpath_wire::{Arrival, Rung, Stamp, WireTime};

    use super::*;

    const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    const SECOND_NS: i64 = 1_000_000_000;

    fn wall(ns: i64) -> Wall {
        Wall::from_unix_ns(1_800_000_000_000_000_000 + ns)
    }

    /// A reflector, and what it leaves to measure.
    struct Rig {
        engine: SessionReflector,
        sessions: OneWaySessions,
    }

    impl Rig {
        fn new() -> Self {
            Self {
                engine: SessionReflector::new(ReflectorConfig::default()),
                sessions: OneWaySessions::default(),
            }
        }

        /// A packet from this port with this number, that left and arrived so many nanoseconds after the
        /// beginning.
        fn take(&mut self, port: u16, number: u32, [left, arrived]: [i64; 2], error: u16) {
            let mut packet = number.to_be_bytes().to_vec();
            packet.extend(WireTime::ntp(wall(left)).bits().to_be_bytes());
            packet.extend(error.to_be_bytes());
            packet.extend([0, 9]);
            packet.extend([0; 28]);
            packet.extend([0x80, 10, 0, 8, 0x80, 1, 0, 4, 0, 0, 0, 0]);
            let octets = packet.len();
            packet.resize(200, 0);
            let arrival = Arrival {
                to: Some(FAR),
                to_port: 862,
                ttl: Some(64),
                interface: 2,
                ..Arrival::new(
                    Stamp {
                        at: wall(arrived),
                        rung: Rung::Kernel,
                    },
                    SocketAddr::new(Ipv4Addr::new(192, 0, 2, 1).into(), port),
                )
            };
            let now = Mono::from_ns(u64::try_from(arrived).unwrap());
            let told = self.engine.reflect(now, &mut packet, octets, &arrival);
            let request = self.engine.take_one_way();
            let expected = match request {
                Some(request) if request.is_refused => Ignored::RateLimited,
                Some(_) | None => Ignored::NoReplyWanted,
            };
            assert_eq!(told.err(), Some(expected));
            self.sessions.record(request, now);
        }

        fn report(&self) -> Vec<OneWaySession> {
            let near = ClockState {
                synchronized: true,
                error_ns: Some(1_000_000),
            };
            self.sessions.report(near).sessions
        }
    }

    /// Both claims together are 2 ms and some.
    const SYNCHRONIZED: u16 = 0x9601;

    #[test]
    fn a_sender_that_begins_again_is_another_session_and_copies_and_late_ones_are_not() {
        let mut rig = Rig::new();
        let numbers = [0, 1, 3, 2, 2, 4, 0, 1, 2];
        // The third of them is lost, and one comes twice; then the sender begins again, at once.
        let left = [0, 1, 3, 2, 2, 4, 5, 6, 7];
        for ((number, left), at) in numbers.into_iter().zip(left).zip(2..) {
            rig.take(40_000, number, [left * 1_000_000, at * 1_000_000], 1);
        }
        rig.take(40_001, 7, [0, 3_000_000], 1);
        let sessions = rig.report();
        let counts: Vec<Vec<u64>> = sessions
            .iter()
            .map(|it| it.figures)
            .map(|it| {
                let of_numbers = [it.lost, it.duplicates, it.reordered].map(Option::unwrap);
                [&[it.received][..], &of_numbers].concat()
            })
            .collect();
        assert_eq!(counts, [[5, 0, 1, 1], [1, 0, 0, 0], [3, 0, 0, 0]]);
        assert!(sessions.iter().all(|it| it.ssid == 9));
        assert_eq!(sessions[1].sender.port(), 40_001);
        let delay = sessions[0].figures.delay.unwrap();
        assert_eq!((delay.count, delay.min_ns), (5, 1_000_000));
    }

    #[test]
    fn of_a_sender_that_does_not_count_delays_alone_are_known_and_it_has_one_entry() {
        // The same number all the time; numbers that go back all the time.
        for number in [|_| 0_u32, |nth: u32| 1_000_000 - nth] {
            let mut rig = Rig::new();
            for nth in 0..5_000_u32 {
                let at = i64::from(nth) * 1_000_000;
                rig.take(40_000, number(nth), [at, at + 400_000], 1);
            }
            let sessions = rig.report();
            let last = sessions.last().unwrap().figures;
            assert_eq!([last.lost, last.duplicates, last.reordered], [None; 3]);
            let received = sessions.iter().map(|it| it.figures.received);
            assert_eq!(received.sum::<u64>(), 5_000);
            assert_eq!(sessions.len(), if number(0) == 0 { 1 } else { 8 });
            assert_eq!(rig.sessions.unlisted, 0);
        }
        // One that counts after all is another.
        let mut rig = Rig::new();
        for (number, at) in [0, 0, 1, 2, 4].into_iter().zip(0..) {
            let at = at * 1_000_000;
            rig.take(40_000, number, [at, at + 400_000], 1);
        }
        let counts: Vec<_> = (rig.report().iter())
            .map(|it| (it.figures.received, it.figures.lost))
            .collect();
        assert_eq!(counts, [(2, None), (3, Some(1))]);
    }

    #[test]
    fn what_is_over_the_rate_is_refused_and_not_lost() {
        let mut rig = Rig::new();
        rig.engine = SessionReflector::new(ReflectorConfig {
            policy: ReflectorPolicy {
                max_rate_pps: Some(10),
                ..ReflectorPolicy::default()
            },
            ..ReflectorConfig::default()
        });
        for number in 0..100 {
            let at = i64::from(number) * 1_000;
            if number % 20 != 15 {
                rig.take(40_000, number, [at, at + 500], 1);
            }
        }
        // The bucket is full again.
        rig.take(40_000, 100, [5 * SECOND_NS, 5 * SECOND_NS + 500], 1);
        let figures = rig.report()[0].figures;
        assert_eq!((figures.received, figures.refused), (11, 85));
        assert_eq!((figures.lost, figures.duplicates), (Some(5), Some(0)));
    }

    #[test]
    fn delays_are_as_good_as_both_clocks_claim_unless_one_is_negative() {
        for (error, delay_ns, expected) in [
            (0x0001, 500_000, "unsynchronized"),
            (SYNCHRONIZED, 500_000, "synchronized"),
            (SYNCHRONIZED, -1_000_000, "synchronized"),
            (SYNCHRONIZED, -10_000_000, "disproved"),
        ] {
            let mut rig = Rig::new();
            rig.take(40_000, 1, [SECOND_NS, SECOND_NS + delay_ns], error);
            let basis = match rig.report()[0].basis {
                Basis::Synchronized { .. } => "synchronized",
                Basis::Disproved { .. } => "disproved",
                Basis::Unsynchronized => "unsynchronized",
            };
            assert_eq!(basis, expected, "{delay_ns}");
        }
    }

    #[test]
    fn a_flood_of_sessions_takes_no_room_from_those_in_use() {
        let mut rig = Rig::new();
        let most = u16::try_from(MOST).unwrap();
        for session in 0..most + 100 {
            rig.take(10_000 + session, 0, [0, i64::from(session)], 1);
        }
        assert_eq!((rig.report().len(), rig.sessions.unlisted), (MOST, 100));
        // Known ones are measured on.
        rig.take(10_000, 1, [31 * SECOND_NS; 2], 1);
        assert_eq!(rig.report()[0].figures.received, 2);
        // One that was idle for long makes room, once a second.
        for session in 0..10 {
            rig.take(20_000 + session, 0, [32 * SECOND_NS; 2], 1);
        }
        let report = rig.sessions.report(ClockState {
            synchronized: false,
            error_ns: None,
        });
        assert_eq!((report.evicted, report.unlisted), (1, 109));
        assert_eq!(report.sessions.len(), MOST);
        assert_eq!(report.sessions[0].sender.port(), 10_000);
        assert_eq!(rig.sessions.current.len(), MOST);
    }
}
