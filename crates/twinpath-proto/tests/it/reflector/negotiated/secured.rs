//! Agreed sessions in the authenticated and the encrypted mode (rows TT-29 to TT-35).

use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use twinpath_proto::TestFeatures;
use twinpath_proto::TestGuard;
use twinpath_proto::reflector::{Ended, Ignored, SessionReflector, SessionSpec};
use twinpath_proto::security::SessionKeys;
use twinpath_proto::sender::{
    Fill, Limit, PayloadSize, Schedule, SenderConfig, SessionSender, Wire,
};
use twinpath_proto::{ClockPair, sender};
use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{Arrival, Delta, Dscp, ReflectorSecured, Stamp, TimeFormat, Wall, WireTime};

use super::super::capture::{Datagram, exchanges};
use super::super::support::{ERROR, NOW, STALE, arrival, light, ms};
use super::{PORT, ended, reflector, sid, spec};
use crate::vectors::Known;

/// The 112 octets of a reply, decrypted independently of the code under test; its HMAC is checked.
fn plain(known: &Known, reply: &[u8]) -> ReflectorSecured {
    let mut header: [u8; 112] = reply[..112].try_into().unwrap();
    let encrypted = if known.modes() == Modes::ENCRYPTED {
        96
    } else {
        16
    };
    let key: [u8; 16] = known.octets(&["test_keys", "aes"]);
    let (blocks, _) = aes::Block::slice_as_chunks_mut(&mut header[..encrypted]);
    // Of one block, ECB is CBC with an IV of 0.
    cbc::Decryptor::<aes::Aes128>::new(&key.into(), &[0; 16].into()).decrypt_blocks(blocks);
    let key: [u8; 32] = known.octets(&["test_keys", "hmac"]);
    let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&key).unwrap();
    mac.update(&header[..encrypted]);
    assert_eq!(mac.finalize().into_bytes()[..16], header[96..], "HMAC");
    header[96..].fill(0);
    *ReflectorSecured::view(&header).unwrap().0
}

/// Our reply, with the T2, T3 and Error Estimate of the recorded one.
fn answer_as(
    ours: &mut SessionReflector,
    request: &Datagram,
    recorded: &ReflectorSecured,
) -> Vec<u8> {
    let clock = request.arrival.at.at;
    let wall = |time: WireTime| -> Wall { time.read(TimeFormat::Ntp, clock, 0) };
    let arrival = Arrival {
        at: Stamp {
            at: wall(recorded.t2),
            ..request.arrival.at
        },
        ..request.arrival
    };
    let mut buffer = vec![STALE; request.octets.len().max(112)];
    buffer[..request.octets.len()].copy_from_slice(&request.octets);
    let reflection = ours
        .reflect(ms(0), &mut buffer, request.octets.len(), &arrival)
        .unwrap();
    buffer.truncate(reflection.octets);
    ours.seal(&reflection, &mut buffer, wall(recorded.t3), recorded.error);
    buffer
}

#[test]
fn replies_say_what_those_of_twampd_say() {
    let mut packets = 0;
    for file in [
        "authenticated.pcap",
        "authenticated-padding.pcap",
        "encrypted.pcap",
        "encrypted-padding.pcap",
    ] {
        let known = Known::of(file);
        let exchanges = exchanges(file, known.port());
        let negotiated = SessionSpec {
            sid: known.sid(),
            sender: exchanges[0].0.arrival.from,
            modes: known.modes(),
            dscp: Dscp::BE,
            ..spec(0)
        };
        let mut ours = reflector();
        ours.open_guarded(negotiated, known.guard(), known.port(), None)
            .unwrap();
        ours.start(negotiated.sid, ms(0));
        for (request, recorded) in &exchanges {
            packets += 1;
            let context = format!("{file}, packet {}", request.number);
            let theirs = plain(&known, &recorded.octets);
            let reply = answer_as(&mut ours, request, &theirs);
            let mut said = plain(&known, &reply);
            // A nanosecond is 4.3 units of the fraction: times agree to within that, and everything
            // else exactly.
            assert!(said.t2.bits().abs_diff(theirs.t2.bits()) <= 3, "{context}");
            assert!(said.t3.bits().abs_diff(theirs.t3.bits()) <= 3, "{context}");
            (said.t2, said.t3) = (theirs.t2, theirs.t3);
            assert_eq!(said, theirs, "{context}");
            assert_eq!(reply[112..], recorded.octets[112..], "{context}: padding");
        }
        ours.stop(negotiated.sid, ms(1));
        ours.handle_timeout(ms(2_001));
        let (_, how, counters) = ended(&mut ours)[0];
        assert_eq!(how, Ended::Stopped, "{file}");
        assert_eq!(counters.reflected, exchanges.len() as u64, "{file}");
        assert_eq!((counters.forged, counters.replays), (0, 0), "{file}");
    }
    assert_eq!(packets, 30);
}

fn keys(octet: u8) -> SessionKeys {
    SessionKeys::new([octet; 16], [octet ^ 0x55; 32])
}

fn guard(modes: Modes, sid: Sid) -> TestGuard {
    TestGuard::with_keys(modes, &keys(0xae), sid)
}

/// Session `number`, started, and its sender's guard.
fn open(ours: &mut SessionReflector, number: u16, modes: Modes, nat: bool) -> TestGuard {
    let negotiated = SessionSpec {
        modes,
        nat: nat.then_some([203, 0, 113, 9].into()),
        ..spec(number)
    };
    let guard = guard(modes, negotiated.sid);
    ours.open_guarded(negotiated, guard.clone(), PORT, None)
        .unwrap();
    ours.start(negotiated.sid, ms(0));
    guard
}

/// The requests of a sender of ours, from number 0.
fn requests(modes: Modes, guard: &TestGuard, count: u64) -> Vec<Vec<u8>> {
    let config = SenderConfig {
        wire: Wire::twamp(TestFeatures {
            modes,
            ..TestFeatures::default()
        }),
        far: "192.0.2.1:862".parse().unwrap(),
        start: ms(0),
        schedule: Schedule::every(std::time::Duration::from_millis(1)),
        limit: Limit::Count(count),
        timeout: std::time::Duration::from_secs(2),
        payload: PayloadSize::Fixed(112),
        fill: Fill::Random,
        seed: 7,
        max_burst: 10,
        error: ERROR,
        tai_offset_s: 37,
        await_tx_stamps: false,
    };
    let mut sender = SessionSender::new(config).guarded(guard.clone());
    let mut sent = Vec::new();
    while let Some(due) = sender.next_due() {
        let mut packet = vec![0; sender.largest_payload()];
        let transmit: sender::Transmit = sender.poll_transmit(due, &mut packet).unwrap();
        let wall = NOW - Delta::from_ns(50_000_000);
        sender.finish(&mut packet, transmit, ClockPair { mono: due, wall });
        sent.push(packet);
    }
    assert_eq!(sent.len() as u64, count);
    sent
}

fn ask(ours: &mut SessionReflector, request: &[u8], arrival: &Arrival) -> Result<Vec<u8>, Ignored> {
    let mut buffer = vec![STALE; request.len().max(112)];
    buffer[..request.len()].copy_from_slice(request);
    let before = buffer.clone();
    match ours.reflect(ms(1), &mut buffer, request.len(), arrival) {
        Ok(reflection) => {
            buffer.truncate(reflection.octets);
            ours.seal(&reflection, &mut buffer, NOW, ERROR);
            Ok(buffer)
        }
        Err(ignored) => {
            assert_eq!(buffer, before, "{ignored:?} changed the buffer");
            Err(ignored)
        }
    }
}

const SECURED: [Modes; 2] = [Modes::AUTHENTICATED, Modes::ENCRYPTED];

#[test]
fn a_packet_with_a_wrong_hmac_is_counted_and_never_answered() {
    // Rows TT-34, TT-35.
    for modes in SECURED {
        let mut ours = reflector();
        let guard = open(&mut ours, 0, modes, false);
        let request = &requests(modes, &guard, 1)[0];
        let covered = if modes == Modes::ENCRYPTED { 32 } else { 16 };
        let mut forged = 0;
        for bit in (0..covered * 8).chain(32 * 8..48 * 8) {
            let mut changed = request.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                ask(&mut ours, &changed, &arrival()),
                Err(Ignored::Forged),
                "{modes}, bit {bit}"
            );
            forged += 1;
        }
        assert_eq!(
            ask(&mut ours, &request[..47], &arrival()),
            Err(Ignored::TooShort)
        );
        // Nothing of that moved the session: the number is still free.
        assert!(ask(&mut ours, request, &arrival()).is_ok());
        let counters = ours.session_counters(sid(0)).unwrap();
        assert_eq!(
            (counters.forged, counters.reflected, counters.replays),
            (forged, 1, 0)
        );
    }
}

#[test]
fn open_packets_in_a_secured_session_are_forged() {
    for modes in SECURED {
        let mut ours = reflector();
        open(&mut ours, 0, modes, false);
        let open = light(0, &[0; 98]);
        assert_eq!(ask(&mut ours, &open, &arrival()), Err(Ignored::Forged));
    }
}

#[test]
fn a_replayed_packet_is_counted_and_in_the_encrypted_mode_refused_when_it_is_too_old() {
    // Row TT-35.
    for modes in SECURED {
        let mut ours = reflector();
        let guard = open(&mut ours, 0, modes, false);
        let sent = requests(modes, &guard, 1_025);
        for request in &sent[..1_024] {
            assert!(ask(&mut ours, request, &arrival()).is_ok());
        }
        assert!(ask(&mut ours, &sent[0], &arrival()).is_ok());
        assert!(ask(&mut ours, &sent[500], &arrival()).is_ok());
        assert_eq!(ours.session_counters(sid(0)).unwrap().replays, 2);
        assert!(ask(&mut ours, &sent[1_024], &arrival()).is_ok());
        let old = ask(&mut ours, &sent[0], &arrival());
        let counters = ours.session_counters(sid(0)).unwrap();
        assert_eq!(counters.old, 1, "{modes}");
        let counts = (counters.reflected, counters.replays, counters.ignored);
        assert_eq!(ours.counters().replays, counters.replays);
        if modes == Modes::ENCRYPTED {
            assert_eq!(old, Err(Ignored::Old));
            assert_eq!(counts, (1_027, 2, 1));
        } else {
            assert!(old.is_ok());
            assert_eq!(counts, (1_028, 3, 0));
        }
    }
}

#[test]
fn a_request_made_of_a_replys_octets_silences_no_sender() {
    // Row TT-35. The authenticated mode cannot tell it from a genuine one; the encrypted mode can.
    for modes in SECURED {
        let mut ours = reflector();
        let guard = open(&mut ours, 0, modes, false);
        let sent = requests(modes, &guard, 50);
        let mut reply = Vec::new();
        for _ in 0..3_000 {
            reply = ask(&mut ours, &sent[0], &arrival()).unwrap();
        }
        let mut made = sent[0].clone();
        made[..16].copy_from_slice(&reply[..16]);
        made[32..48].copy_from_slice(&reply[96..112]);
        let taken = ask(&mut ours, &made, &arrival());
        assert_eq!(taken.is_ok(), modes == Modes::AUTHENTICATED, "{modes}");
        for request in &sent[1..] {
            assert!(ask(&mut ours, request, &arrival()).is_ok(), "{modes}");
        }
        let counters = ours.session_counters(sid(0)).unwrap();
        let old = if taken.is_ok() { 49 } else { 0 };
        assert_eq!(
            (counters.old, counters.replays),
            (old, 2_999 + old),
            "{modes}"
        );
    }
}

#[test]
fn behind_nat_the_first_packet_that_verifies_binds_the_session_and_no_other() {
    // Row TT-25.
    for modes in SECURED {
        let mut ours = reflector();
        let guards: Vec<_> = (0..3)
            .map(|number| open(&mut ours, number, modes, true))
            .collect();
        let outside = |port: u16| Arrival {
            from: ([203, 0, 113, 9], port).into(),
            ..arrival()
        };
        let stranger = light(0, &[0x5a; 98]);
        assert_eq!(
            ask(&mut ours, &stranger, &outside(1_000)),
            Err(Ignored::NoSession)
        );
        for number in [2_u16, 0, 1] {
            let request = &requests(modes, &guards[usize::from(number)], 1)[0];
            let from = outside(40_000 + number);
            assert!(ask(&mut ours, request, &from).is_ok());
            let bound = ours.session_counters(sid(number.into())).unwrap().bound;
            assert_eq!(bound, Some(from.from), "{modes}");
        }
    }
}

#[test]
fn a_reply_sent_back_to_its_reflector_is_no_request() {
    for modes in SECURED {
        let mut ours = reflector();
        let guard = open(&mut ours, 0, modes, false);
        let request = &requests(modes, &guard, 1)[0];
        let reply = ask(&mut ours, request, &arrival()).unwrap();
        assert_eq!(ask(&mut ours, &reply, &arrival()), Err(Ignored::Forged));
    }
}

const RO: u32 = 32;
const SYM: u32 = 64;
const MON: u32 = 256;

/// Mode bits beside the security mode, octets to reflect, request, reply, too short for it.
const SIZES: &[(u32, u16, usize, usize, bool)] = &[
    (0, 0, 48, 112, false),
    (0, 0, 112, 112, false),
    (0, 0, 214, 214, false),
    (0, 9, 48, 112, false), // a length has no effect without the feature
    (MON, 0, 48, 112, false),
    (SYM, 0, 48, 112, true),
    (SYM, 0, 111, 112, true),
    (SYM, 0, 112, 112, false), // 48 + 64
    (SYM, 0, 150, 150, false),
    (RO, 10, 48, 112, true),
    (RO, 10, 58, 112, true),
    (RO, 10, 121, 121, true),
    (RO, 10, 122, 122, false), // 112 + 10
    (RO, 10, 214, 214, false),
    (RO | SYM, 10, 121, 121, true),
    (RO | SYM, 10, 122, 122, false),
    (RO | SYM | MON, 10, 214, 214, false),
];

#[test]
fn secured_replies_have_their_sizes_and_the_padding_that_is_to_come_back() {
    // Rows TT-39, TT-40, TT-41.
    for modes in SECURED {
        for &(bits, padding_to_reflect, octets, reply, too_short) in SIZES {
            let context = format!("{modes}, {bits}, {padding_to_reflect}: {octets}");
            let mut ours = reflector();
            let negotiated = SessionSpec {
                modes: modes | Modes::from_bits(bits),
                padding_to_reflect,
                ..spec(0)
            };
            let guard = guard(modes, negotiated.sid);
            ours.open_guarded(negotiated, guard.clone(), PORT, None)
                .unwrap();
            ours.start(negotiated.sid, ms(0));
            let mut request = requests(modes, &guard, 1)[0][..48].to_vec();
            let from = if bits & SYM == 0 { 48 } else { 112 };
            request.resize(octets.min(from), 0);
            request.extend((request.len()..octets).map(|at| u8::try_from(at).unwrap() | 1));
            let made = ask(&mut ours, &request, &arrival()).unwrap();
            assert_eq!(made.len(), reply, "{context}");
            let counters = ours.session_counters(negotiated.sid).unwrap();
            assert_eq!(counters.too_short, u64::from(too_short), "{context}");
            if bits & RO != 0 {
                // The part that fits and arrives.
                let there = octets.saturating_sub(from);
                let fits = usize::from(padding_to_reflect).min(reply - 112).min(there);
                assert_eq!(
                    made[112..112 + fits],
                    request[from..from + fits],
                    "{context}"
                );
            }
        }
    }
}
