//! Cost of a packet for a Session-Sender: `cargo bench -p twinpath-proto --bench sender`.
//!
//! One iteration is a batch of packets from `poll_transmit` to `poll_sample`, with or without a
//! transmit stamp; the item rate is the result (`ns` / 64 is one packet's time). It includes making
//! the reply: a header of 41 octets, built from the request.
#![expect(clippy::expect_used, reason = "a benchmark may panic")]

use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use twinpath_proto::ClockPair;
use twinpath_proto::sender::{
    Fill, Limit, PayloadSize, Schedule, SenderConfig, SessionSender, TxToken, Wire,
};
use twinpath_wire::{
    Arrival, Delta, ErrorEstimate, Mono, ReflectorOpen, Rung, SenderOpen, Stamp, Wall, WireTime,
};

/// Shows that a packet allocates nothing once the session is warm.
#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Packets in one iteration.
const BATCH: usize = 64;
const INTERVAL_NS: u64 = 10_000;
const EPOCH_NS: i64 = 1_795_392_000_000_000_000;

fn pair(mono: Mono) -> ClockPair {
    ClockPair {
        mono,
        wall: Wall::from_unix_ns(EPOCH_NS.wrapping_add_unsigned(mono.ns())),
    }
}

struct Loop {
    sender: SessionSender,
    packets: Vec<Vec<u8>>,
    tokens: Vec<TxToken>,
    replies: Vec<Vec<u8>>,
    arrival: Arrival,
}

impl Loop {
    fn new(payload: usize, fill: Fill, stamps: bool) -> Self {
        let far = "192.0.2.2:862".parse().expect("an address");
        let sender = SessionSender::new(SenderConfig {
            wire: Wire::TWAMP_LIGHT,
            far,
            start: Mono::from_ns(0),
            schedule: Schedule::every(Duration::from_nanos(INTERVAL_NS)),
            limit: Limit::Count(u64::MAX),
            timeout: Duration::from_secs(2),
            payload: PayloadSize::Fixed(payload),
            fill,
            seed: 1,
            max_burst: 64,
            error: ErrorEstimate::from_bits(0x8001),
            tai_offset_s: 37,
            await_tx_stamps: stamps,
        });
        let arrival = Arrival {
            to_port: 20_000,
            ttl: Some(61),
            interface: 1,
            ..Arrival::new(
                Stamp {
                    at: Wall::from_unix_ns(0),
                    rung: Rung::Kernel,
                },
                far,
            )
        };
        let mut this = Self {
            sender,
            packets: vec![vec![0; payload]; BATCH],
            tokens: Vec::with_capacity(BATCH),
            replies: vec![vec![0; payload.max(41)]; BATCH],
            arrival,
        };
        for _ in 0..20_000 {
            this.batch(stamps);
        }
        this
    }

    fn batch(&mut self, stamps: bool) {
        self.tokens.clear();
        for (packet, reply) in self.packets.iter_mut().zip(&mut self.replies) {
            let now = self.sender.next_due().expect("an endless session");
            let transmit = self.sender.poll_transmit(now, packet).expect("it is due");
            self.tokens
                .push(self.sender.finish(packet, transmit, pair(now)));
            answer(packet, reply, now);
        }
        let now = self.sender.next_due().expect("an endless session");
        self.sender.handle_clock(pair(now));
        for (token, packet) in self.tokens.iter().zip(&self.packets) {
            if stamps {
                let (request, _) = SenderOpen::view(packet).expect("a request");
                let t1 = request
                    .t1
                    .read(twinpath_wire::TimeFormat::Ntp, pair(now).wall, 0);
                let at = t1 + Delta::from_ns(3_000);
                self.sender.handle_tx_stamp(
                    token,
                    Stamp {
                        at,
                        rung: Rung::Kernel,
                    },
                );
            }
        }
        self.arrival.at.at = pair(now).wall;
        for reply in &self.replies {
            self.sender.handle_reply(now, reply, &self.arrival);
        }
        self.sender.handle_timeout(now);
        while let Some(sample) = self.sender.poll_sample() {
            divan::black_box(sample);
        }
    }
}

/// The reply that a reflector would make.
fn answer(packet: &[u8], reply: &mut [u8], now: Mono) {
    let (request, _) = SenderOpen::view(packet).expect("a request");
    let (header, _) = ReflectorOpen::view_mut(reply).expect("room for a reply");
    let t2 = WireTime::ntp(pair(now).wall);
    header.head.seq = request.seq;
    header.head.sender_seq = request.seq;
    header.head.sender_t1 = request.t1;
    header.head.t2 = t2;
    header.head.t3 = t2;
    header.head.error = request.error;
    header.sender_error = request.error;
    header.sender_ttl = 255;
}

fn run(bencher: Bencher<'_, '_>, payload: usize, fill: Fill, stamps: bool) {
    let mut session = Loop::new(payload, fill, stamps);
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| session.batch(stamps));
    let counters = session.sender.counters();
    assert_eq!(
        (counters.lost, counters.late, counters.slots_skipped),
        (0, 0, 0),
        "{counters:?}"
    );
}

#[divan::bench(args = [41, 1_472])]
fn user_stamps_zero_padding(bencher: Bencher<'_, '_>, payload: usize) {
    run(bencher, payload, Fill::Zero, false);
}

#[divan::bench(args = [41, 1_472, 9_000])]
fn kernel_stamps_random_padding(bencher: Bencher<'_, '_>, payload: usize) {
    run(bencher, payload, Fill::Random, true);
}

/// A path without replies: 200,000 packets in flight, each counted lost, lingering and reported.
#[divan::bench]
fn dead_path(bencher: Bencher<'_, '_>) {
    let mut session = Loop::new(41, Fill::Random, false);
    let mut packet = vec![0; 41];
    let mut one = move || {
        for _ in 0..BATCH {
            let now = session.sender.next_due().expect("an endless session");
            let transmit = session
                .sender
                .poll_transmit(now, &mut packet)
                .expect("it is due");
            session.sender.finish(&mut packet, transmit, pair(now));
            session.sender.handle_timeout(now);
            while let Some(sample) = session.sender.poll_sample() {
                divan::black_box(sample);
            }
        }
    };
    for _ in 0..10_000 {
        one();
    }
    bencher.counter(ItemsCount::new(BATCH)).bench_local(one);
}
