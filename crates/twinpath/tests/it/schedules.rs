//! Patterns of departures, and the seeds that they come out of.

use serde_json::{Value, json};

use crate::program::{Responder, run};

/// Departures that a session's schedule had, missed ones too.
fn slots(session: &Value) -> u64 {
    ["sent", "slots_skipped"]
        .map(|key| session["packets"][key].as_u64().unwrap())
        .iter()
        .sum()
}

#[test]
fn a_seed_gives_the_same_poisson_schedule_again_and_another_seed_another_one() {
    let responder = Responder::on_loopback();
    let slots = |seed: u32| {
        let line = format!(
            "sender {} --duration 0.3 -i 1 --timeout 0.2 --schedule poisson --seed {seed} --json",
            responder.at
        );
        let session = run(&line).session();
        assert_eq!(session["schedule"], "poisson");
        assert_eq!(
            session["schedule_parameters"],
            json!({ "mean_ns": 1_000_000 })
        );
        assert_eq!(session["seed"], seed);
        slots(&session)
    };
    let [one, again, two, three] = [1, 1, 2, 3].map(slots);
    assert_eq!(one, again);
    assert!(one != two || two != three, "{one} departures by each seed");
    // 300 on average, with a deviation of 17.
    assert!(
        [one, two, three]
            .iter()
            .all(|slots| (215..385).contains(slots))
    );
}

#[test]
fn uniform_gaps_and_bursts_are_sent_and_named() {
    let responder = Responder::on_loopback();
    let line = |pattern: &str| format!("sender {} -c 20 --schedule {pattern}", responder.at);
    let uniform = run(&format!("{} --json", line("uniform:1ms-3"))).session();
    assert_eq!(uniform["packets"]["received"], 20);
    assert_eq!(uniform["schedule"], "uniform");
    assert_eq!(uniform["interval_ns"], 2_000_000);
    let parameters = json!({ "least_ns": 1_000_000, "most_ns": 3_000_000 });
    assert_eq!(uniform["schedule_parameters"], parameters);
    let bursts = run(&format!("{} --json", line("bursts:5/20ms"))).session();
    assert_eq!(bursts["packets"]["received"], 20);
    assert_eq!(bursts["schedule"], "bursts");
    assert_eq!(bursts["interval_ns"], 4_000_000);
    let parameters = json!({ "packets": 5, "gap_ns": 20_000_000 });
    assert_eq!(bursts["schedule_parameters"], parameters);
    // Ten, where this host missed one and caught up.
    let row = bursts["packets"]["largest_burst"].as_u64().unwrap();
    assert!(row == 5 || row == 10, "{row}");
    let text = run(&line("bursts:5/20ms")).stdout;
    assert!(
        text.contains("\nbursts of 5 every 20 ms, padding 27 "),
        "{text}"
    );
}

#[test]
fn a_controller_s_sessions_each_have_a_schedule_of_their_own() {
    let server = Responder::server("");
    let done = run(&format!(
        "controller {} --duration 0.2 -i 1 --timeout 0.2 --dscp be,ef --schedule poisson --seed 5 --json",
        server.at
    ));
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    let [first, second] = [0, 1].map(|index| document["sessions"][index].clone());
    assert_eq!((&first["seed"], &second["seed"]), (&json!(5), &json!(6)));
    assert_eq!(second["schedule"], "poisson");
    assert_ne!(slots(&first), slots(&second));
}
