//! Links of a page that choose what has a label, and group by labels.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Query;
use super::markup::query;
use crate::picture::escaped;

/// The parameter with the label by which a page is grouped.
pub(super) const GROUP: &str = "group";
/// Values of a label with a link each.
const MOST_VALUES: usize = 60;

/// Links for each label of these, with its values, to the page at a path.
pub(super) fn links<'a>(
    path: &str,
    labels: impl Iterator<Item = (&'a String, &'a String)>,
    asked: &Query,
    out: &mut String,
) {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (label, value) in labels {
        values.entry(label).or_default().insert(value);
    }
    for (label, values) in values {
        // Memory takes it.
        let _ = write!(out, "<p class=\"chips sub\">{}: ", escaped(label));
        let all = query(asked.others(&[label]));
        link(path, out, "all", &all, asked.get(label).is_none());
        for value in values.iter().take(MOST_VALUES) {
            let target = query(asked.others(&[label]).chain([(label, *value)]));
            link(path, out, value, &target, asked.get(label) == Some(value));
        }
        if values.len() > MOST_VALUES {
            let _ = write!(out, "and {} more ", values.len() - MOST_VALUES);
        }
        let grouped = query(asked.others(&[GROUP]).chain([(GROUP, label)]));
        let is_grouped = asked.get(GROUP) == Some(label);
        link(
            path,
            out,
            &format!("group by {label}"),
            &grouped,
            is_grouped,
        );
        out.push_str("</p>\n");
    }
}

fn link(path: &str, out: &mut String, text: &str, target: &str, is_here: bool) {
    let text = escaped(text);
    let _ = if is_here {
        write!(out, "<b>{text}</b> ")
    } else {
        write!(out, "<a href=\"{path}{}\">{text}</a> ", escaped(target))
    };
}
