//! Senders that fill the table must not disturb sessions in use.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use twinpath_wire::Arrival;

use super::support::{arrival, ask, light, ms, number, reflector};

fn stranger(count: u32) -> Arrival {
    let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + count));
    Arrival {
        from: SocketAddr::new(address, 20_000),
        ..arrival()
    }
}

#[test]
fn a_flood_of_sources_resets_no_live_session_and_the_table_stays_bounded() {
    let mut ours = reflector(|config| config.max_sessions = 1_000);
    let mut strangers = 0;
    for second in 0..200_u32 {
        // A prober with a packet each 20 s, one with a packet a second.
        for (client, every) in [(1_u16, 1), (2, 20)] {
            if second % every == 0 {
                let client = Arrival {
                    from: SocketAddr::new(super::support::THERE, 20_000 + client),
                    ..arrival()
                };
                let seq = second / every;
                let (reply, _) = ask(
                    &mut ours,
                    ms(u64::from(second) * 1_000),
                    &light(seq, &[]),
                    &client,
                )
                .unwrap();
                assert_eq!(number(&reply), seq, "second {second}");
            }
        }
        for packet in 0..500 {
            strangers += 1;
            let now = ms(u64::from(second) * 1_000 + packet);
            let answer = ask(&mut ours, now, &light(77, &[]), &stranger(strangers));
            let number = number(&answer.unwrap().0);
            assert!(
                number == 0 || number == 77,
                "new, or answered without state"
            );
        }
    }
    let counters = ours.counters();
    assert_eq!(counters.sessions, 1_000);
    assert_eq!(counters.reflected, 200 + 10 + 100_000);
    assert!(counters.answered_stateless > 50_000, "{counters:?}");
    assert!(
        counters.sessions_evicted > 1_000,
        "old strangers make room for new ones: {counters:?}"
    );
    assert_eq!(
        counters.sessions_made,
        counters.sessions + counters.sessions_evicted
    );
}

#[test]
fn a_table_without_room_answers_everyone_without_state() {
    let mut ours = reflector(|config| config.max_sessions = 0);
    for seq in [5, 3, 900] {
        let (reply, _) = ask(&mut ours, ms(0), &light(seq, &[]), &arrival()).unwrap();
        assert_eq!(number(&reply), seq);
    }
    assert_eq!(ours.counters().answered_stateless, 3);
    assert_eq!(ours.poll_timeout(), None);
}

#[test]
fn idle_sessions_are_forgotten_a_bounded_number_at_a_time() {
    let mut ours = reflector(|_| {});
    for count in 0..1_000 {
        ask(&mut ours, ms(0), &light(0, &[]), &stranger(count)).unwrap();
    }
    let due = ours.poll_timeout().unwrap();
    assert_eq!(due, ms(900_000));
    ours.handle_timeout(ms(899_999));
    assert_eq!(ours.counters().sessions, 1_000);
    let mut calls = 0;
    while let Some(due) = ours.poll_timeout() {
        ours.handle_timeout(due);
        calls += 1;
        assert!(calls <= 1_000, "it does not end");
    }
    assert!(calls >= 10, "{calls} calls: too many sessions in one");
    assert_eq!(ours.counters().sessions, 0);
    assert_eq!(ours.counters().sessions_expired, 1_000);
}
