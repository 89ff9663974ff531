//! A reflector that one of its senders loses packets with.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::SystemTime;

use crate::program::far_socket;

/// Reflects TWAMP Light, but for every fourth packet (or as asked) from one source port: that of the
/// seventh sender that it hears of.
pub(crate) struct LossyReflector {
    pub(crate) port: u16,
    lossy: Arc<AtomicU16>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Unix time as NTP writes it.
fn ntp_now() -> [u8; 8] {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap();
    let seconds = u32::try_from((now.as_secs() + 2_208_988_800) & 0xffff_ffff).unwrap();
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    let fraction = u32::try_from(fraction).unwrap();
    (u64::from(seconds) << 32 | u64::from(fraction)).to_be_bytes()
}

impl LossyReflector {
    pub(crate) fn start() -> Self {
        Self::losing_every(4)
    }

    pub(crate) fn losing_every(nth: u32) -> Self {
        let socket = far_socket(Ipv4Addr::LOCALHOST);
        let port = socket.local_addr().unwrap().port();
        let (lossy, stop) = (Arc::<AtomicU16>::default(), Arc::<AtomicBool>::default());
        let shared = (Arc::clone(&lossy), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let (lossy, stop) = shared;
            // Packets heard, and replies sent, by source port.
            let mut heard: BTreeMap<u16, (u32, u32)> = BTreeMap::new();
            let mut packet = [0; 1_500];
            while !stop.load(Ordering::Relaxed) {
                let Ok((octets, from)) = socket.recv_from(&mut packet) else {
                    continue;
                };
                let received = ntp_now();
                let order = heard.len();
                let (packets, replies) = heard.entry(from.port()).or_insert_with(|| {
                    if order == 6 {
                        lossy.store(from.port(), Ordering::Relaxed);
                    }
                    (0, 0)
                });
                *packets += 1;
                if from.port() == lossy.load(Ordering::Relaxed) && *packets % nth == 0 {
                    continue;
                }
                let mut reply = vec![0; octets.max(41)];
                reply[..4].copy_from_slice(&replies.to_be_bytes());
                *replies += 1;
                reply[12..14].copy_from_slice(&[0, 1]);
                reply[16..24].copy_from_slice(&received);
                reply[24..38].copy_from_slice(&packet[..14]);
                reply[40] = 255;
                reply[4..12].copy_from_slice(&ntp_now());
                socket.send_to(&reply, from).unwrap();
            }
        });
        Self {
            port,
            lossy,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn lossy_port(&self) -> u16 {
        self.lossy.load(Ordering::Relaxed)
    }
}

impl Drop for LossyReflector {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
