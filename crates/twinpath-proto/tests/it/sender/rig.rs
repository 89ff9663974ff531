//! A sender under test: virtual time in milliseconds, replies built by hand from the RFC's layout.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::ClockPair;
use twinpath_proto::sender::{
    Fill, Limit, PayloadSize, Schedule, SenderConfig, SessionSender, TxToken, Wire,
};
use twinpath_wire::{Arrival, ErrorEstimate, Mono, Rung, Sample, Stamp, Tos, Wall};

/// 2026-11-23T00:00:00Z, what the system clock shows at mono 0.
pub(super) const EPOCH_NS: i64 = 1_795_392_000_000_000_000;
pub(super) const FAR: &str = "192.0.2.2:862";

pub(super) const fn ms(at: u64) -> Mono {
    Mono::from_ns(at * 1_000_000)
}

pub(super) const fn us(at: u64) -> Mono {
    Mono::from_ns(at * 1_000)
}

pub(super) fn wall(at: Mono) -> Wall {
    Wall::from_unix_ns(EPOCH_NS + at.ns().cast_signed())
}

pub(super) fn pair(at: Mono) -> ClockPair {
    ClockPair {
        mono: at,
        wall: wall(at),
    }
}

/// Ten packets of 41 octets, one every 100 ms, timeout 2 s, no waiting for transmit stamps.
pub(super) fn config() -> SenderConfig {
    SenderConfig {
        wire: Wire::TWAMP_LIGHT,
        far: FAR.parse().unwrap(),
        start: ms(0),
        schedule: Schedule::every(Duration::from_millis(100)),
        limit: Limit::Count(10),
        timeout: Duration::from_secs(2),
        payload: PayloadSize::Fixed(41),
        fill: Fill::Random,
        seed: 42,
        max_burst: 10,
        error: ErrorEstimate::from_bits(0x8001),
        tai_offset_s: 37,
        await_tx_stamps: false,
    }
}

/// The NTP timestamp of `at`, by hand.
pub(super) fn ntp(at: Wall) -> [u8; 8] {
    let ns = u128::try_from(at.unix_ns()).unwrap();
    let seconds = ns / 1_000_000_000 + 2_208_988_800;
    let fraction = (((ns % 1_000_000_000) << 32) + 500_000_000) / 1_000_000_000;
    let bits = u64::try_from((seconds << 32) + fraction).unwrap();
    bits.to_be_bytes()
}

/// The Unix time in nanoseconds of an NTP timestamp, by hand.
pub(super) fn unix_ns(ntp: &[u8]) -> i64 {
    let bits = u128::from(u64::from_be_bytes(ntp.try_into().unwrap()));
    let seconds = (bits >> 32) - 2_208_988_800;
    let ns = ((bits & 0xffff_ffff) * 1_000_000_000 + (1 << 31)) >> 32;
    i64::try_from(seconds * 1_000_000_000 + ns).unwrap()
}

/// A TWAMP reply of 41 octets (RFC 5357 section 4.2.1), by hand.
pub(super) fn reply_to(request: &[u8], number: u32, t2: Wall, t3: Wall) -> Vec<u8> {
    let mut octets = Vec::with_capacity(41);
    octets.extend(number.to_be_bytes()); // 0: Sequence Number
    octets.extend(ntp(t3)); // 4: Timestamp
    octets.extend([0x80, 0x01]); // 12: Error Estimate
    octets.extend([0, 0]); // 14: MBZ
    octets.extend(ntp(t2)); // 16: Receive Timestamp
    octets.extend(&request[0..4]); // 24: Sender Sequence Number
    octets.extend(&request[4..12]); // 28: Sender Timestamp
    octets.extend(&request[12..14]); // 36: Sender Error Estimate
    octets.extend([0, 0]); // 38: MBZ
    octets.push(250); // 40: Sender TTL
    octets
}

/// How a reply arrives that the kernel stamped at `at`.
pub(super) fn arrival(at: Wall) -> Arrival {
    Arrival {
        to_port: 20_000,
        ttl: Some(61),
        tos: Some(Tos(0xb8)),
        interface: 2,
        ..Arrival::new(
            Stamp {
                at,
                rung: Rung::Kernel,
            },
            FAR.parse().unwrap(),
        )
    }
}

/// A sender, its packets and its samples.
pub(super) struct Rig {
    pub(super) sender: SessionSender,
    pub(super) requests: Vec<Vec<u8>>,
    pub(super) tokens: Vec<TxToken>,
}

impl Rig {
    pub(super) fn new(config: SenderConfig) -> Self {
        Self::of(SessionSender::new(config))
    }

    pub(super) fn of(sender: SessionSender) -> Self {
        Self {
            sender,
            requests: Vec::new(),
            tokens: Vec::new(),
        }
    }

    /// Sends all that is due at `now`, at once.
    pub(super) fn send(&mut self, now: Mono) -> usize {
        let mut buffer = vec![0; self.sender.largest_payload()];
        let before = self.requests.len();
        while let Some(transmit) = self.sender.poll_transmit(now, &mut buffer) {
            let packet = &mut buffer[..transmit.octets];
            self.tokens
                .push(self.sender.finish(packet, transmit, pair(now)));
            self.requests.push(packet.to_vec());
        }
        self.requests.len() - before
    }

    /// A sender that has sent all of its `count` packets, each at its due time.
    pub(super) fn sent(config: SenderConfig, count: usize) -> Self {
        let mut rig = Self::new(config);
        rig.send_count(count);
        rig
    }

    /// Sends the next `count` packets, each at its due time.
    pub(super) fn send_count(&mut self, count: usize) {
        for _ in 0..count {
            let due = self.sender.next_due().expect("nothing left to send");
            assert_eq!(self.send(due), 1);
        }
    }

    /// A whole reply to packet `which`, half way in the middle of its flight, arriving at `at`.
    pub(super) fn reply(&mut self, which: usize, at: Mono) {
        self.reply_read(which, at, at);
    }

    /// As [`Rig::reply`], with T4 at `at` and read by the process at `read`.
    pub(super) fn reply_read(&mut self, which: usize, at: Mono, read: Mono) {
        let octets = self.reply_octets(which, at);
        self.sender.handle_reply(read, &octets, &arrival(wall(at)));
    }

    /// The octets of a reply that spends 10 us in a reflector, 20 us before `at`.
    pub(super) fn reply_octets(&self, which: usize, at: Mono) -> Vec<u8> {
        let number = u32::try_from(which).unwrap();
        let t2 = wall(at - Duration::from_micros(30));
        let t3 = wall(at - Duration::from_micros(20));
        reply_to(&self.requests[which], number, t2, t3)
    }

    pub(super) fn stamp(&mut self, which: usize, at: Mono, rung: Rung) {
        self.sender
            .handle_tx_stamp(&self.tokens[which], Stamp { at: wall(at), rung });
    }

    /// All samples there are now.
    pub(super) fn samples(&mut self) -> Vec<Sample> {
        std::iter::from_fn(|| self.sender.poll_sample()).collect()
    }

    /// All samples available after handling `now`.
    pub(super) fn samples_at(&mut self, now: Mono) -> Vec<Sample> {
        self.sender.handle_timeout(now);
        self.samples()
    }

    /// Lets time run to the end, and gives the rest of the samples.
    pub(super) fn finish(&mut self) -> Vec<Sample> {
        let mut samples = self.samples();
        for _ in 0..100_000 {
            let Some(next) = self.sender.poll_timeout() else {
                return samples;
            };
            self.send(next);
            samples.extend(self.samples_at(next));
        }
        panic!("a session without an end: {:?}", self.sender.counters());
    }

    /// The session is over, and the books balance.
    pub(super) fn assert_over(&mut self) {
        assert_eq!(self.sender.poll_timeout(), None);
        assert_eq!(self.sender.poll_sample(), None);
        let counters = self.sender.counters();
        assert_eq!(
            counters.sent,
            counters.received + counters.lost,
            "{counters:?}"
        );
        assert!(counters.late <= counters.lost, "{counters:?}");
    }
}

/// Another source address.
pub(super) fn elsewhere() -> SocketAddr {
    "198.51.100.9:862".parse().unwrap()
}

/// Every security mode with every combination of the features that test packets show.
pub(super) fn combinations() -> impl Iterator<Item = twinpath_wire::control::Modes> {
    let bits = [32, 64, 256, 512];
    (0..64_u32).map(move |chosen| {
        let on = (0..4).filter(|bit| chosen & 1 << bit != 0);
        let security = 1 << (chosen >> 4);
        twinpath_wire::control::Modes::from_bits(on.map(|bit| bits[bit]).sum::<u32>() | security)
    })
}
