//! The E-model's estimate against its formulas and over whole sessions.

use twinpath_metrics::{
    Codec, Figures, ReflectorKind, SessionMetrics, VoiceFigures, VoiceParameters, delay_impairment,
    loss_impairment, mos, r_factor,
};

use crate::known_answers::data;
use crate::trace::{lost, received};

const MS: i64 = 1_000_000;

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-5
}

#[test]
fn impairments_rating_and_score_are_those_of_the_e_model() {
    let mut seen = 0;
    for case in data("voice").as_array().unwrap() {
        let number = |key: &str| case[key].as_f64().unwrap();
        let codec = match case["codec"].as_str().unwrap() {
            "G.711 PLC" => Codec::G711Plc,
            "G.711 no PLC" => Codec::G711,
            "G.729A" => Codec::G729a,
            other => panic!("{other}"),
        };
        assert!(near(codec.impairment(), number("ie")), "{case}");
        assert!(near(codec.robustness(), number("bpl")), "{case}");
        let id = delay_impairment(number("delay_ms"));
        let ie = loss_impairment(codec, number("ppl"), number("burst_r"));
        let r = r_factor(id, ie, 0.0);
        let told = [id, ie, r, mos(r)];
        for (told, key) in told.into_iter().zip(["Id", "Ie_eff", "R", "mos"]) {
            // The formula may give less than 0, a rating does not.
            let expected = number(key).max(0.0);
            assert!(near(told, expected), "{key} {told}: {case}");
        }
        seen += 1;
    }
    assert_eq!(seen, 7);
}

/// ITU-T G.113 Appendix I, and the codecs' own recommendations for frame and look-ahead.
#[test]
fn each_codec_has_its_robustness_frame_and_look_ahead() {
    for (codec, told) in [
        (Codec::G711Plc, [0.0, 25.1, 20.0, 0.0]),
        (Codec::G711, [0.0, 4.3, 20.0, 0.0]),
        (Codec::G729a, [11.0, 19.0, 20.0, 5.0]),
        (Codec::G7231, [15.0, 16.1, 30.0, 7.5]),
    ] {
        let own = [
            codec.impairment(),
            codec.robustness(),
            codec.packet_ms(),
            codec.look_ahead_ms(),
        ];
        assert_eq!(own.map(f64::to_bits), told.map(f64::to_bits), "{codec:?}");
    }
    // 15 + (95 - 15) * 5 / (5 / 2 + 16.1), computed by hand.
    assert!(near(loss_impairment(Codec::G7231, 5.0, 2.0), 36.505_376));
    assert!(near(loss_impairment(Codec::G7231, 0.0, 1.0), 15.0));
}

#[test]
fn unless_said_otherwise_the_buffer_has_40_ms_and_the_codec_is_g_711_with_concealment() {
    let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
    for seq in 0..50 {
        metrics.record(&received(seq, 10 * MS, 1000, 10 * MS));
    }
    let delay = |parameters| {
        let voice = VoiceFigures::new(&metrics.figures(), &metrics.histograms(), true, parameters);
        let forward = voice.forward.unwrap();
        assert!(near(
            forward.r_factor,
            93.2 - delay_impairment(forward.delay_ms) - parameters.codec.impairment()
        ));
        forward.delay_ms
    };
    assert_eq!(
        VoiceParameters::default(),
        VoiceParameters::of(Codec::G711Plc)
    );
    // Network, buffer, packet, look-ahead.
    assert!(near(delay(VoiceParameters::default()), 10.0 + 40.0 + 20.0));
    assert!(near(
        delay(VoiceParameters::of(Codec::G729a)),
        10.0 + 40.0 + 20.0 + 5.0
    ));
    assert!(near(
        delay(VoiceParameters::of(Codec::G7231)),
        10.0 + 40.0 + 30.0 + 7.5
    ));
}

#[test]
fn the_worst_call_is_rated_0_and_no_call_above_100() {
    let worst = r_factor(
        delay_impairment(5_000.0),
        loss_impairment(Codec::G729a, 100.0, 1.0),
        0.0,
    );
    assert!((worst, mos(worst)) == (0.0, 1.0), "{worst}");
    let best = r_factor(0.0, 0.0, 20.0);
    assert!((best, mos(best)) == (100.0, 4.5), "{best}");
}

#[test]
fn a_score_stays_within_one_and_four_and_a_half_and_never_falls_as_r_rises() {
    let scores: Vec<f64> = (-100..1300).map(|r| mos(f64::from(r) / 10.0)).collect();
    assert!(scores.is_sorted());
    assert_eq!((scores[0], scores[1399]), (1.0, 4.5));
}

fn session(kind: ReflectorKind, synchronized: bool) -> (Figures, VoiceFigures) {
    let mut metrics = SessionMetrics::with_config(&kind.into());
    let mut r = 0;
    for seq in 0..200 {
        // 4 in a row lost outbound; one in a hundred arrives 60 ms too late for the buffer.
        if (40..44).contains(&seq) {
            continue;
        }
        let backward = if seq % 100 == 7 { 90 * MS } else { 30 * MS };
        let mut sample = received(seq, 10 * MS, 1000, backward);
        sample.reflector_seq = Some(r);
        metrics.record(&sample);
        r += 1;
    }
    for seq in 40..44 {
        metrics.record(&lost(seq));
    }
    let figures = metrics.figures();
    let parameters = VoiceParameters::default();
    let voice = VoiceFigures::new(&figures, &metrics.histograms(), synchronized, parameters);
    (figures, voice)
}

#[test]
fn each_direction_has_its_own_delay_and_its_own_loss() {
    let (figures, voice) = session(ReflectorKind::Stateful, true);
    assert_eq!(
        (figures.lost_forward, figures.lost_backward),
        (Some(4), Some(0))
    );
    assert_eq!(voice.round_trip, None);
    let (forward, backward) = (voice.forward.unwrap(), voice.backward.unwrap());
    assert!(near(forward.delay_ms, 10.0 + 40.0 + 20.0));
    assert!(near(backward.delay_ms, 30.0 + 40.0 + 20.0));
    assert!(near(forward.loss_percent, 2.0));
    assert!(near(backward.loss_percent, 100.0 * 2.0 / 196.0));
    assert!(near(forward.burst_ratio, 4.0 * 0.98));
    assert!(!forward.half_of_round_trip && !forward.round_trip_loss);
    let expected = r_factor(
        delay_impairment(70.0),
        loss_impairment(Codec::G711Plc, 2.0, 3.92),
        0.0,
    );
    assert!(near(forward.r_factor, expected));
    assert!(near(forward.mos, mos(expected)));
}

#[test]
fn without_clocks_in_step_half_of_the_round_trip_is_a_direction_s_delay() {
    let (_, voice) = session(ReflectorKind::Stateful, false);
    let (forward, backward) = (voice.forward.unwrap(), voice.backward.unwrap());
    assert!(forward.half_of_round_trip && backward.half_of_round_trip);
    assert!(near(forward.delay_ms, 20.0 + 60.0));
    assert!(near(backward.delay_ms, 20.0 + 60.0));
}

#[test]
fn without_directions_there_is_one_estimate_with_the_loss_of_both() {
    let (_, voice) = session(ReflectorKind::Stateless, true);
    assert_eq!((voice.forward, voice.backward), (None, None));
    let round_trip = voice.round_trip.unwrap();
    assert!(round_trip.round_trip_loss && round_trip.half_of_round_trip);
    assert!(near(round_trip.loss_percent, 3.0));
    assert!(near(round_trip.delay_ms, 80.0));
}

#[test]
fn a_session_without_an_answer_has_no_estimate() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&lost(0));
    let parameters = VoiceParameters::of(Codec::G729a);
    let voice = VoiceFigures::new(&metrics.figures(), &metrics.histograms(), true, parameters);
    assert_eq!(voice, VoiceFigures::default());
}
