//! Active alarms on pages.

use std::fmt::Write as _;

use twinpath_wire::Dscp;

use crate::daemon::alarms::ActiveAlarm;
use crate::output::units::count;
use crate::picture::escaped;

use super::markup::encoded;

/// Rows of a page at most: others are counted.
const MOST_ROWS: usize = 200;

/// All of them, the latest first; nothing without one.
pub(super) fn table(alarms: &[ActiveAlarm], out: &mut String) {
    if alarms.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Alarms</h2>\n<div class=\"wide-table\"><table class=\"grid\"><thead><tr><th scope=\"col\">Session</th>\
         <th scope=\"col\" class=\"text\">Class</th><th scope=\"col\" class=\"text\">Alert</th>\
         <th scope=\"col\" class=\"text\">Condition</th><th scope=\"col\">Since</th></tr></thead>\n<tbody>\n",
    );
    for alarm in alarms.iter().take(MOST_ROWS) {
        // Memory takes it.
        let _ = writeln!(
            out,
            "<tr class=\"bad\"><th scope=\"row\"><a href=\"/session/{}\">{}</a></th><td class=\"text\">{}</td>\
             <td class=\"text\">{}</td><td class=\"text\">{}</td><td>{}</td></tr>",
            encoded(&alarm.session),
            escaped(&alarm.session),
            escaped(&class(alarm)),
            escaped(&alarm.alert),
            escaped(&alarm.when),
            escaped(&alarm.since),
        );
    }
    out.push_str("</tbody></table></div>\n");
    if let more @ 1.. = alarms.len().saturating_sub(MOST_ROWS) {
        let more = count(more as u64, "more alarm", "more alarms");
        let _ = writeln!(out, "<p class=\"sub\">and {more}</p>");
    }
}

/// Those of one session.
pub(super) fn list<'a>(alarms: impl Iterator<Item = &'a ActiveAlarm>, out: &mut String) {
    for alarm in alarms.take(MOST_ROWS) {
        let class = class(alarm);
        let line = format!(
            "{} ({}){}, since {}",
            alarm.alert,
            alarm.when,
            if class.is_empty() {
                String::new()
            } else {
                format!(", {class}")
            },
            alarm.since
        );
        // Memory takes it.
        let _ = writeln!(
            out,
            "<p class=\"note warning\"><b>Alarm:</b> {}</p>",
            escaped(&line)
        );
    }
}

/// Class and path, where they are not the usual.
fn class(alarm: &ActiveAlarm) -> String {
    let class = Dscp::new(alarm.dscp).ok().filter(|_| alarm.dscp > 0);
    let class = class.map(|dscp| dscp.to_string());
    let path = alarm.path.map(|path| format!("path {path}"));
    let parts: Vec<String> = class.into_iter().chain(path).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use twinpath_wire::Wall;

    use super::*;

    #[test]
    fn names_are_escaped() {
        let alarm = ActiveAlarm {
            alert: "<slow>".to_owned(),
            session: "a/b & c".to_owned(),
            dscp: 46,
            path: Some(2),
            when: "loss > 5%".to_owned(),
            since: "2026-11-30T00:00:00Z".to_owned(),
            raised: Wall::from_unix_ns(1_795_996_800_000_000_000),
            evidence: Vec::new(),
        };
        let mut page = String::new();
        table(&[], &mut page);
        list([].into_iter(), &mut page);
        assert_eq!(page, "");
        table(std::slice::from_ref(&alarm), &mut page);
        list([&alarm].into_iter(), &mut page);
        for part in [
            "/session/a%2Fb%20%26%20c\"",
            "a/b &amp; c",
            "&lt;slow&gt; (loss &gt; 5%)",
            "ef, path 2, since",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
