//! Alarms of a daemon that are active.

use std::io::{self, Write};

use serde::Deserialize;

use super::super::table::fact;

/// Alarms of a text: a document has more.
const SHOWN: usize = 40;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Alarm {
    alert: String,
    session: String,
    dscp: u8,
    path: Option<u16>,
    when: String,
    since: String,
}

impl Alarm {
    /// All that is shown of it as it came.
    pub(super) fn strings(&self) -> impl Iterator<Item = &String> {
        let own = [&self.alert, &self.session, &self.when, &self.since];
        own.into_iter()
    }

    fn line(&self) -> String {
        let class = (self.dscp > 0).then(|| format!(" dscp {}", self.dscp));
        let path = self.path.map(|path| format!(" path {path}"));
        let which = [class, path].into_iter().flatten().collect::<String>();
        format!(
            "{}: {}{which}: {}, since {}",
            self.alert, self.session, self.when, self.since
        )
    }
}

/// A line for each. `left_out`: those that the document does not have.
pub(super) fn text(alarms: &[Alarm], left_out: u64, out: &mut impl Write) -> io::Result<()> {
    for alarm in alarms.iter().take(SHOWN) {
        fact(out, "Alarm", &alarm.line())?;
    }
    let more = left_out.saturating_add(alarms.len().saturating_sub(SHOWN) as u64);
    if more > 0 {
        writeln!(out, "  and {more} more")?;
    }
    Ok(())
}
