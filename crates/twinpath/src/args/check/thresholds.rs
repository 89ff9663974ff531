//! Ranges of `--warn` and `--crit` that contradict each other.

use super::CheckOptions;
use crate::args::{Alert, AlertRange};
use crate::failure::Failure;

impl CheckOptions {
    /// Makes sure that each figure has one range in a list, and that a WARNING can come before CRITICAL.
    ///
    /// # Errors
    /// What contradicts what, as bad usage.
    pub(crate) fn must_be_consistent(&self) -> Result<(), Failure> {
        once("--warn", &self.warn)?;
        once("--crit", &self.crit)?;
        for warn in &self.warn {
            let mut others = self.crit.iter();
            let crit = others.find(|crit| crit.figure.is(&warn.figure));
            if let Some(crit) = crit.filter(|crit| never_warns(&warn.range, &crit.range)) {
                let (figure, warn, crit) = (&warn.figure.name, &warn.text, &crit.text);
                let line = format!(
                    "--warn {figure}={warn} is never reached: each such value is CRITICAL by --crit {figure}={crit}"
                );
                let remedy =
                    format!("exchange them: --warn {figure}={crit} --crit {figure}={warn}");
                return Err(Failure::usage(line).with_remedy(Some(remedy)));
            }
        }
        Ok(())
    }
}

/// A list judges a figure by one range.
fn once(list: &str, alerts: &[Alert]) -> Result<(), Failure> {
    for (place, alert) in alerts.iter().enumerate() {
        let mut before = alerts.iter().take(place);
        if let Some(first) = before.find(|other| other.figure.is(&alert.figure)) {
            let (name, first) = (&alert.figure.name, &first.text);
            return Err(Failure::usage(format!(
                "{list} has two ranges for {name}, {first} and {}: give one",
                alert.text
            )));
        }
    }
    Ok(())
}

/// Whether all values that raise `warn` raise `crit`, and others besides.
fn never_warns(warn: &AlertRange, crit: &AlertRange) -> bool {
    let raises_any = warn.inside || warn.low.is_finite() || warn.high.is_finite();
    let is_equal = (warn.low, warn.high, warn.inside) == (crit.low, crit.high, crit.inside);
    let is_part = match (warn.inside, crit.inside) {
        (false, false) => crit.low >= warn.low && crit.high <= warn.high,
        (true, true) => crit.low <= warn.low && crit.high >= warn.high,
        // Outside is endless: no range has it all but one without ends.
        (false, true) => crit.low.is_infinite() && crit.high.is_infinite(),
        (true, false) => warn.high < crit.low || warn.low > crit.high,
    };
    raises_any && !is_equal && is_part
}
