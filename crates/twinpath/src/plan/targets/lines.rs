//! `ADDRESS[:PORT] [NAME]` on a line each; `#` starts a comment.

use std::sync::Arc;

use crate::args::{FarEnd, MOST_SESSIONS};
use crate::failure::Failure;

use super::source::Source;
use super::{Faults, FileTarget, Place, check_name, too_many_targets};

pub(super) fn parse(mut source: Source) -> Result<Vec<FileTarget>, Failure> {
    let file = Arc::clone(source.name());
    let mut faults = Faults::of(&file);
    let mut targets = Vec::new();
    let mut number = 0;
    while let Some(text) = source.line(number + 1)? {
        number += 1;
        let text = text
            .strip_prefix('\u{feff}')
            .filter(|_| number == 1)
            .unwrap_or(&text);
        let text = text.split('#').next().unwrap_or_default();
        let mut words = text.split_whitespace();
        let Some(address) = words.next() else {
            continue;
        };
        if targets.len() == MOST_SESSIONS {
            faults.add(number, too_many_targets());
            return faults.none().map(|()| targets);
        }
        match target(
            address,
            words,
            Place {
                file: Arc::clone(&file),
                line: number,
            },
        ) {
            Ok(target) => targets.push(target),
            Err(why) => faults.add(number, why),
        }
    }
    source.is_unchanged()?;
    faults.none()?;
    if targets.is_empty() {
        return Err(Failure::usage(format!(
            "{file}: no target in it: write ADDRESS[:PORT] [NAME] on each line"
        )));
    }
    Ok(targets)
}

fn target<'a>(
    address: &str,
    mut words: impl Iterator<Item = &'a str>,
    place: Place,
) -> Result<FileTarget, String> {
    let far: FarEnd = address
        .parse()
        .map_err(|advice| format!("{address}: {advice}"))?;
    let name = words.next().unwrap_or(address);
    check_name(name)?;
    if let Some(other) = words.next() {
        return Err(format!(
            "{other}: one word too many: a line has an address and a name without blanks"
        ));
    }
    Ok(FileTarget {
        far,
        name: name.to_owned(),
        labels: Vec::new(),
        options: None,
        place,
    })
}
