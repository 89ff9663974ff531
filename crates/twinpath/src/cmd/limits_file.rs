//! A file of limits that is read again on SIGHUP.

use std::collections::BTreeMap;

use tracing::warn;

use super::key_file::{NamedChanges, changed};
use crate::args::Limited;
use crate::failure::Failure;
use crate::output::units::count;
use crate::plan::{LimitLine, LimitsFile};

impl<A: Limited> LimitsFile<A> {
    /// Reads it again and has its limits put in force, where they are others than before. What it brought; what
    /// cannot be used changes nothing, and is logged.
    pub(super) fn reread(
        &mut self,
        put_in_force: impl FnOnce(&A) -> Result<(), Failure>,
    ) -> Option<String> {
        let now = self.read_again().and_then(|now| {
            if now.by_name() != self.by_name() {
                put_in_force(&now.args).map_err(|failure| now.placed(failure))?;
            }
            Ok(now)
        });
        let now = match now {
            Ok(now) => now,
            Err(failure) => {
                warn!("{failure}; keeping the old limits");
                return None;
            }
        };
        let changes = changes(&self.by_name(), &now.by_name());
        *self = now;
        let read = count(self.lines.len() as u64, "limit", "limits");
        Some(changed(&self.path, &read, &changes))
    }

    /// The values of each limit, in the order of lines.
    fn by_name(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut limits: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for LimitLine { name, value, .. } in &self.lines {
            limits.entry(name).or_default().extend(value.as_deref());
        }
        limits
    }
}

/// What limits changed, with what they are now.
fn changes(before: &BTreeMap<&str, Vec<&str>>, now: &BTreeMap<&str, Vec<&str>>) -> NamedChanges {
    let with_value = |name: &str, values: &[&str]| match values {
        [] => name.to_owned(),
        [value] => format!("{name} {value}"),
        values => format!("{name} ({} lines)", values.len()),
    };
    let mut changes = NamedChanges::default();
    for (name, values) in now {
        match before.get(name) {
            None => changes.added.push(with_value(name, values)),
            Some(earlier) if earlier != values => changes.changed.push(with_value(name, values)),
            Some(_) => changes.kept += 1,
        }
    }
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    changes.removed = gone.map(|name| (*name).to_owned()).collect();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_with_what_it_is_now() {
        let before = BTreeMap::from([
            ("allow", vec!["192.0.2.0/24"]),
            ("max-rate", vec!["100"]),
            ("max-sessions", vec!["5"]),
            ("control-unauthenticated", vec![]),
        ]);
        let now = BTreeMap::from([
            ("allow", vec!["192.0.2.0/24", "2001:db8::/32"]),
            ("max-rate", vec!["200"]),
            ("max-sessions", vec!["5"]),
            ("allow-dscp", vec!["af41,ef"]),
        ]);
        assert_eq!(
            changes(&before, &now),
            NamedChanges {
                added: vec!["allow-dscp af41,ef".to_owned()],
                changed: vec!["allow (2 lines)".to_owned(), "max-rate 200".to_owned()],
                removed: vec!["control-unauthenticated".to_owned()],
                kept: 1,
            }
        );
    }
}
