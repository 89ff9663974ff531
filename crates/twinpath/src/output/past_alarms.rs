//! Alarms that a store keeps, as charts have them.

use std::time::Duration;

use twinpath_report::words;

use super::ShownAlarm;
use super::units::took;
use crate::store::{AlarmEnd, PastAlarm, PastAlarms};

/// Bars of a chart at most, the latest.
const MOST_BARS: usize = 200;

/// Those of a class and path.
pub(crate) fn bars(alarms: &PastAlarms, class: &str, path: Option<u16>) -> Vec<ShownAlarm> {
    let alarms = alarms.alarms.iter();
    let own = alarms.filter(|alarm| (&*alarm.class, alarm.path) == (class, path));
    let bars = own.take(MOST_BARS).map(|alarm| ShownAlarm {
        name: alarm.alert.clone(),
        about: about(alarm),
        from: alarm.raised,
        to: alarm.end.at(),
    });
    bars.collect()
}

fn about(alarm: &PastAlarm) -> String {
    let (when, raised) = (&alarm.when, words::instant(alarm.raised, 0));
    let end = match alarm.end {
        AlarmEnd::Active => "active".to_owned(),
        AlarmEnd::Cleared(at) => format!("cleared {}", words::instant(at, 0)),
        AlarmEnd::Ended(at) => format!("ended {}", words::instant(at, 0)),
    };
    let length = for_how_long(alarm);
    let length = length.map_or_else(String::new, |length| format!(", {length}"));
    format!("{} ({when}): raised {raised}, {end}{length}", alarm.alert)
}

/// How long it was active; `None`: it is.
pub(crate) fn for_how_long(alarm: &PastAlarm) -> Option<String> {
    let end = alarm.end.at()?;
    Some(length(Duration::from_nanos((end - alarm.raised).abs_ns())))
}

/// A time in its two greatest units.
fn length(time: Duration) -> String {
    let s = time.as_secs();
    match s {
        0..60 => took(time),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        3_600..86_400 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3_600),
    }
}
