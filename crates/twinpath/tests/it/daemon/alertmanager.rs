//! Alerts in the Alertmanager of Prometheus, as its API and amtool show them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::alarms::{configuration, far_end};
use super::{Daemon, PATIENCE};
use crate::program::{Running, free_port};

/// Alertmanager, with its files in a directory; `None`: it is missing.
fn alertmanager(place: &Path, port: u16) -> Option<Running> {
    let file = place.join("alertmanager.yml");
    std::fs::write(
        &file,
        "route:\n  receiver: none\nreceivers:\n- name: none\n",
    )
    .unwrap();
    let started = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.path={}", place.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(process) => Some(Running::of(process)),
        Err(error) => {
            println!("skipped: prometheus-alertmanager: {error}");
            None
        }
    }
}

/// The alerts that it has, by amtool, once they are so.
fn alerts_when(port: u16, is: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let output = Command::new("amtool")
            .arg(format!("--alertmanager.url=http://127.0.0.1:{port}"))
            .args(["--output=json", "alert", "query"])
            .output()
            .unwrap();
        let all: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if let Some(all) = all.as_array()
            && is(all)
        {
            return all.clone();
        }
        assert!(Instant::now() < until, "{all:#}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn alertmanager_has_an_alert_as_long_as_it_is_active_also_over_a_kill() {
    let place = tempfile::tempdir().unwrap();
    let [first, late, api] = [free_port(), free_port(), free_port()];
    let Some(_first) = alertmanager(place.path(), first) else {
        return;
    };
    let answers = Arc::new(AtomicBool::new(false));
    let far = far_end(&answers);
    let more = format!(
        "
[[alert]]
name = \"dead\"
when = \"silent for 2 of 2\"
actions = [{{ alertmanager = [\"http://127.0.0.1:{first}\", \"http://127.0.0.1:{late}\"] }}]

[api]
listen = \"127.0.0.1:{api}\"
"
    );
    let text = configuration(&far, place.path(), &more);
    let daemon = Daemon::start(&text);
    let all = alerts_when(first, |all| !all.is_empty());
    assert_eq!(all.len(), 1, "{all:#?}");
    let alert = &all[0];
    for (label, value) in [
        ("alertname", "dead"),
        ("session", "a"),
        ("class", "be"),
        ("label_site", "fra"),
    ] {
        assert_eq!(alert["labels"][label], value, "{alert:#}");
    }
    let summary = alert["annotations"]["summary"].as_str().unwrap();
    assert_eq!(summary, "session a: silent for 2 of 2 (0, 0)");
    let url = alert["generatorURL"].as_str().unwrap();
    let page = format!("http://127.0.0.1:{api}/session/a?from=");
    assert!(url.starts_with(&page), "{url}");
    let document = daemon.status_when(|document| !document["alarms"][0].is_null());
    let alarms = document["alarms"].as_array().unwrap();
    let alarm = alarms.iter().find(|alarm| alarm["alert"] == "dead");
    let at = |value: &Value| -> jiff::Timestamp { value.as_str().unwrap().parse().unwrap() };
    // It has milliseconds.
    let ms = |value: &Value| at(value).as_millisecond();
    assert_eq!(ms(&alert["startsAt"]), ms(&alarm.unwrap()["since"]));
    let left = at(&alert["endsAt"]).duration_since(at(&alert["updatedAt"]));
    assert!((200..=240).contains(&left.as_secs()), "{alert:#}");
    // One that is started later has it too.
    let other = place.path().join("late");
    std::fs::create_dir(&other).unwrap();
    let _late = alertmanager(&other, late).unwrap();
    let same = alerts_when(late, |all| !all.is_empty());
    assert_eq!(same[0]["fingerprint"], alert["fingerprint"]);
    // The process has no time for anything: the next one goes on with the same alert.
    drop(daemon);
    let daemon = Daemon::start(&text);
    let newer = |all: &[Value]| at(&all[0]["updatedAt"]) > at(&alert["updatedAt"]);
    let all = alerts_when(first, |all| all.len() == 1 && newer(all));
    assert_eq!(all[0]["startsAt"], alert["startsAt"]);
    answers.store(true, Ordering::Relaxed);
    for port in [first, late] {
        alerts_when(port, <[Value]>::is_empty);
    }
    assert_eq!(daemon.stop().status, 0);
}
