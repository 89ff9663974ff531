//! Alarms that were raised and cleared: in the store, on the page of their session and in its document.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::alarms::{configuration, far_end};
use super::browser::{self, SCHEMES, Scheme};
use super::pages::get;
use super::{Daemon, PATIENCE};
use crate::program::{finish, free_port, twinpath};

/// A daemon with the page at this port.
fn with_page(text: &str, page: u16) -> String {
    format!("{text}\n[api]\nlisten = \"127.0.0.1:{page}\"\n")
}

/// The alarms of session `a`, the latest first, once they are so.
fn alarms_when(page: u16, are: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = get(page, "/session/a.json");
        let document: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let alarms = document["alarms"].as_array().cloned().unwrap_or_default();
        if are(&alarms) {
            assert_eq!(document["alarms_left_out"], 0);
            return alarms;
        }
        assert!(Instant::now() < until, "{} {}", answer.head, answer.body);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

fn states(alarms: &[Value]) -> Vec<&str> {
    let states = alarms.iter().map(|alarm| alarm["state"].as_str());
    states.flatten().collect()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// The file of alarms.
fn file(place: &Path) -> PathBuf {
    let files = fs::read_dir(place.join("store/_alarms")).unwrap();
    // There are two if a month ends meanwhile.
    files.map(|file| file.unwrap().path()).max().unwrap()
}

/// Events of the file.
fn events(place: &Path) -> Vec<String> {
    let text = fs::read_to_string(file(place)).unwrap();
    let lines = text.lines().map(serde_json::from_str::<Value>);
    let events = lines.map(|line| {
        let line = line.unwrap_or_default();
        line["event"].as_str().unwrap_or("damaged").to_owned()
    });
    events.collect()
}

#[test]
fn an_alarm_is_on_the_time_line_from_when_it_is_raised_until_it_is_cleared_also_over_a_kill() {
    let place = tempfile::tempdir().unwrap();
    let answers = Arc::new(AtomicBool::new(true));
    let far = far_end(&answers);
    let page = free_port();
    let text = with_page(&configuration(&far, place.path(), ""), page);
    let daemon = Daemon::start(&text);
    daemon.status_when(|document| super::received(document, "a") > 10);
    assert!(alarms_when(page, |_| true).is_empty());
    let silent_from = Timestamp::now();
    answers.store(false, Ordering::Relaxed);
    let active = alarms_when(page, |alarms| states(alarms) == ["active"]);
    let raised = time(&active[0]["raised"]);
    assert!(
        silent_from < raised && raised < Timestamp::now(),
        "{active:?}"
    );
    let status = daemon.status_when(|_| true);
    assert_eq!(status["alarms"][0]["since"], active[0]["raised"]);
    assert_eq!(
        (&active[0]["alert"], &active[0]["when"], &active[0]["class"]),
        (
            &"lossy".into(),
            &"loss > 50% for 2 of 3".into(),
            &"be".into()
        )
    );
    // The process has no time for anything, and a line is torn.
    drop(daemon);
    let mut torn = OpenOptions::new()
        .append(true)
        .open(file(place.path()))
        .unwrap();
    torn.write_all(b"{\"event\":\"clea").unwrap();
    let daemon = Daemon::start(&text);
    daemon.status_when(|document| super::sent(document, "a") > 100);
    assert_eq!(alarms_when(page, |_| true), active);
    let answered_from = Timestamp::now();
    answers.store(true, Ordering::Relaxed);
    let cleared = alarms_when(page, |alarms| states(alarms) == ["cleared"]);
    assert_eq!(cleared[0]["raised"], active[0]["raised"]);
    let end = time(&cleared[0]["cleared"]);
    assert!(answered_from < end && end < Timestamp::now(), "{cleared:?}");
    assert_eq!(events(place.path()), ["raised", "damaged", "cleared"]);
    let body = get(page, "/session/a").body;
    for part in [
        "<h2>Alarms in this time</h2>",
        "<td class=\"text\">loss &gt; 50% for 2 of 3</td>",
        "<rect class=\"alarm\" ",
        "1 line about alarms of sessions cannot be read",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    let cut = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap();
    let about = format!(
        "<title>lossy (loss &gt; 50% for 2 of 3): raised {}, cleared {}, ",
        cut(raised),
        cut(end)
    );
    assert_eq!(body.matches(&about).count(), 2, "{about}: {body}");
    // Before it was raised.
    let to = raised.as_second() - 1;
    let before = get(page, &format!("/session/a?from={}&to={to}", to - 600)).body;
    assert!(!before.contains("Alarms in this time"), "{before}");
    assert_eq!(daemon.stop().status, 0);
    // A report on the store draws the same.
    let drawn = place.path().join("report.html");
    let mut command = twinpath("report --html");
    command.arg(&drawn).arg(place.path().join("store"));
    let done = finish(command);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let drawn = fs::read_to_string(drawn).unwrap();
    assert!(drawn.contains("<rect class=\"alarm\" "), "{drawn}");
    assert_eq!(drawn.matches(&about).count(), 2, "{about}: {drawn}");
}

#[test]
fn an_alarm_whose_alert_goes_ends_also_while_the_daemon_does_not_run() {
    let place = tempfile::tempdir().unwrap();
    let far = far_end(&Arc::default());
    let page = free_port();
    let text = with_page(&configuration(&far, place.path(), ""), page);
    let without = text.replace("name = \"lossy\"", "name = \"other\"");
    let mut daemon = Daemon::start(&text);
    alarms_when(page, |alarms| states(alarms) == ["active"]);
    daemon.reload(&without);
    let both = alarms_when(page, |alarms| states(alarms) == ["active", "ended"]);
    assert_eq!(
        (&both[0]["alert"], &both[1]["alert"]),
        (&"other".into(), &"lossy".into())
    );
    assert!(time(&both[1]["raised"]) < time(&both[1]["ended"]));
    assert!(both[1]["cleared"].is_null(), "{both:?}");
    let body = get(page, "/session/a").body;
    assert!(body.contains("<td><b>active</b></td>"), "{body}");
    assert!(body.contains("<td>not cleared, ended 20"), "{body}");
    drop(daemon);
    let down = Timestamp::now();
    let daemon = Daemon::start(&text);
    let all = alarms_when(page, |alarms| {
        states(alarms) == ["active", "ended", "ended"]
    });
    assert_eq!(all[1]["alert"], "other");
    assert!(time(&all[1]["ended"]) >= down, "{all:?}");
    assert_eq!(
        events(place.path()),
        ["raised", "ended", "raised", "ended", "raised"]
    );
    assert_eq!(daemon.stop().status, 0);
}

/// Bars of alarms that are seen: how many, whether each is within its chart, behind its beginning and at its end, and
/// how high the page is beyond its width. Colours of the first bar and of the page.
const EXAMINE: &str = "
const root = page.documentElement;
const seen = [...page.querySelectorAll('rect.alarm')].filter((bar) => bar.getBoundingClientRect().width > 0);
const top = (it) => it.getBoundingClientRect().top;
// What is above the chart is its key.
const bars = seen.filter((bar) => top(bar) > top(bar.closest('svg').querySelector('.hit')));
const inside = bars.every((bar) => {
  const [one, chart] = [bar, bar.closest('svg')].map((it) => it.getBoundingClientRect());
  const plot = [...bar.closest('svg').querySelectorAll('.hit')].map((it) => it.getBoundingClientRect());
  const [left, right] = [Math.min(...plot.map((it) => it.left)), Math.max(...plot.map((it) => it.right))];
  return one.height > 5 && one.top >= chart.top && one.bottom <= chart.bottom && one.left > left && one.right <= right + 1;
});
const latest = bars.map((bar) => bar.getBoundingClientRect().right);
const plot = [...page.querySelectorAll('rect.hit')].map((it) => it.getBoundingClientRect().right);
const names = [...page.querySelectorAll('svg text')].filter((text) => text.textContent === 'lossy');
return [
  `fits ${root.scrollWidth <= root.clientWidth}`,
  `bars ${bars.length} inside ${inside}`,
  `to the end ${Math.abs(Math.max(...latest) - Math.max(...plot)) < 1}`,
  `named ${names.some((text) => text.getBoundingClientRect().width > 0)}`,
  `rows ${page.querySelectorAll('table.alarms tbody tr').length}`,
  view.getComputedStyle(bars[0]).fill,
  view.getComputedStyle(page.body).backgroundColor,
].join('|');
";

#[test]
fn a_browser_shows_alarms_under_the_graph_in_light_and_dark_and_on_a_phone() {
    if !browser::is_there() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let answers = Arc::new(AtomicBool::new(false));
    let far = far_end(&answers);
    let page = free_port();
    let text = with_page(&configuration(&far, place.path(), ""), page);
    let daemon = Daemon::start(&text);
    alarms_when(page, |alarms| states(alarms) == ["active"]);
    answers.store(true, Ordering::Relaxed);
    alarms_when(page, |alarms| states(alarms) == ["cleared"]);
    answers.store(false, Ordering::Relaxed);
    alarms_when(page, |alarms| states(alarms) == ["active", "cleared"]);
    let html = get(page, "/session/a").body;
    assert_eq!(daemon.stop().status, 0);
    let same = "fits true|bars 2 inside true|to the end true|named true|rows 2";
    for scheme in SCHEMES {
        let colours = match scheme {
            Scheme::Light => "rgb(253, 224, 220)|rgb(255, 255, 255)",
            Scheme::Dark => "rgb(77, 26, 31)|rgb(20, 24, 29)",
        };
        let expected = format!("{same}|{colours}");
        let found = browser::examine(&html, scheme, EXAMINE);
        assert_eq!(found, [&*expected, &*expected], "{scheme:?}");
    }
}
