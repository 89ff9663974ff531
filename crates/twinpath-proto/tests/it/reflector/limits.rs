//! Limits that change while a reflector runs.

use std::sync::Arc;

use twinpath_proto::reflector::{
    ClientRates, Ignored, NegotiatedConfig, ReflectorConfig, ReflectorPolicy, SessionReflector,
};

use super::support::{arrival, ask, light, ms, number, stamp};

#[test]
fn other_limits_are_in_force_at_once_and_sessions_go_on() {
    let mut ours = SessionReflector::new(ReflectorConfig::default());
    let rates = Arc::new(ClientRates::new(1, 1));
    let allowing = |allow: &[&str]| ReflectorConfig {
        policy: ReflectorPolicy {
            allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
            ..ReflectorPolicy::default()
        },
        ..ReflectorConfig::default()
    };
    let only_ssid_7 = ReflectorConfig {
        ssids: vec![7..=7],
        ..ReflectorConfig::default()
    };
    let numbered = |ours: &mut SessionReflector, request: &[u8]| {
        let reply = ask(ours, ms(0), request, &arrival());
        reply.map(|(reply, _)| number(&reply))
    };
    assert_eq!(numbered(&mut ours, &light(5, &[])), Ok(0));
    ours.set_config(allowing(&["198.51.100.0/24"]), None);
    assert_eq!(
        numbered(&mut ours, &light(6, &[])),
        Err(Ignored::NotAllowed)
    );
    ours.set_config(allowing(&["198.51.100.0/24", "192.0.2.0/24"]), None);
    assert_eq!(numbered(&mut ours, &light(7, &[])), Ok(1));
    ours.set_config(only_ssid_7, None);
    assert_eq!(numbered(&mut ours, &light(8, &[])), Err(Ignored::NoSession));
    assert_eq!(numbered(&mut ours, &stamp(9, 7, &[])), Ok(0));
    ours.set_config(ReflectorConfig::default(), Some(&rates));
    assert_eq!(numbered(&mut ours, &light(10, &[])), Ok(2));
    assert_eq!(
        numbered(&mut ours, &light(11, &[])),
        Err(Ignored::RateLimited)
    );
    // With the same rates nothing begins again.
    ours.set_config(ReflectorConfig::default(), Some(&rates));
    assert_eq!(
        numbered(&mut ours, &light(12, &[])),
        Err(Ignored::RateLimited)
    );
    ours.set_config(ReflectorConfig::default(), None);
    assert_eq!(numbered(&mut ours, &light(13, &[])), Ok(3));
    assert_eq!(ours.counters().sessions_made, 2);
}

#[test]
fn a_reflector_of_negotiated_sessions_has_other_limits_too() {
    let mut ours = SessionReflector::for_negotiated(NegotiatedConfig::default());
    let mut asked = || ask(&mut ours, ms(0), &light(5, &[]), &arrival()).unwrap_err();
    assert_eq!(asked(), Ignored::NoSession);
    let policy = ReflectorPolicy {
        allow: vec!["198.51.100.0/24".parse().unwrap()],
        ..ReflectorPolicy::default()
    };
    let config = NegotiatedConfig {
        policy,
        ..NegotiatedConfig::default()
    };
    ours.set_negotiated_config(config, None);
    let asked = ask(&mut ours, ms(0), &light(5, &[]), &arrival()).unwrap_err();
    assert_eq!(asked, Ignored::NotAllowed);
}
