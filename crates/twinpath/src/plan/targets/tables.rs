//! TOML: `[defaults]` and `[[target]]`, whose keys are the long options of `sender`.

use std::sync::Arc;

use clap::CommandFactory as _;
use strsim::osa_distance;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::args::{Cli, FarEnd, GivenOptions, Label, MOST_SESSIONS, SessionOptions, UsualSchedule};
use crate::failure::Failure;
use crate::plan::options::{Layer, OptionReader, Setting, Unread, of_command_line};

use super::{Faults, FileTarget, Place, check_name, too_many_targets};

const DEFAULTS: &str = "defaults";
const TARGET: &str = "target";
/// Keys that are not options.
const OWN_KEYS: [&str; 4] = ["address", "name", "labels", "protocol"];

pub(super) fn parse(
    text: &str,
    file: &Arc<str>,
    given: &GivenOptions,
) -> Result<Vec<FileTarget>, Failure> {
    let lines = Lines::of(text);
    let mut faults = Faults::of(file);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(1, |span| lines.at(span.start));
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        faults.add(line, format!("not TOML: {message}"));
    }
    // What follows a fault of this kind may be understood wrongly.
    faults.none()?;
    let mut reading = Reading {
        options: option_reader(given.usual),
        given: of_command_line(given),
        defaults: Keys::default(),
        faults: Faults::of(file),
        lines,
        file,
    };
    let mut targets = Vec::new();
    for (key, value) in table.get_ref() {
        if key.get_ref() == DEFAULTS {
            reading.read_defaults(value);
        }
    }
    for (key, value) in table.get_ref() {
        let line = reading.lines.at(key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            (DEFAULTS, _) => {}
            (TARGET, DeValue::Array(tables)) => {
                let beyond = tables.get(MOST_SESSIONS).map(Spanned::span);
                if let Some(beyond) = beyond {
                    let line = reading.lines.at(beyond.start);
                    let mut faults = Faults::of(file);
                    faults.add(line, too_many_targets());
                    faults.none()?;
                }
                let tables = tables.iter();
                targets = tables.filter_map(|table| reading.target(table)).collect();
            }
            (TARGET, _) => reading
                .faults
                .add(line, "target: write [[target]] above each target"),
            (other, _) => {
                let why = reading.unknown_at_top(other);
                reading.faults.add(line, why);
            }
        }
    }
    reading.faults.none()?;
    if targets.is_empty() {
        return Err(Failure::usage(format!(
            "{file}: no target in it: write [[target]] and address = \"...\" for each"
        )));
    }
    Ok(targets)
}

/// Of the options that a target may have.
pub(super) fn option_reader(usual: UsualSchedule) -> OptionReader<SessionOptions> {
    let finish = move |options: SessionOptions| options.or_usual(usual);
    OptionReader::new(SessionOptions::command(usual), "sender", finish)
}

/// The lines of a text, by where they begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text
            .bytes()
            .enumerate()
            .filter(|(_, octet)| *octet == b'\n');
        Self(ends.map(|(at, _)| at).collect())
    }

    /// The line of an octet, from 1.
    fn at(&self, octet: usize) -> usize {
        self.0.partition_point(|end| *end < octet) + 1
    }
}

/// What a table says.
#[derive(Default)]
struct Keys {
    address: Option<(FarEnd, String)>,
    name: Option<String>,
    labels: Vec<Label>,
    options: Layer,
}

struct Reading<'a> {
    options: OptionReader<SessionOptions>,
    given: Layer,
    defaults: Keys,
    faults: Faults,
    lines: Lines,
    file: &'a Arc<str>,
}

impl Reading<'_> {
    fn read_defaults(&mut self, value: &Spanned<DeValue<'_>>) {
        let line = self.lines.at(value.span().start);
        let DeValue::Table(table) = value.get_ref() else {
            self.faults
                .add(line, "defaults: write [defaults] above them");
            return;
        };
        let defaults = self.keys(table, DEFAULTS);
        match self.options.read(&[&defaults.options]) {
            Ok(_) => self.defaults = defaults,
            Err(faults) => self.add(faults, line),
        }
    }

    fn target(&mut self, value: &Spanned<DeValue<'_>>) -> Option<FileTarget> {
        let line = self.lines.at(value.span().start);
        let DeValue::Table(table) = value.get_ref() else {
            self.faults
                .add(line, "target: write [[target]] above each target");
            return None;
        };
        let earlier = self.faults.found.len();
        let keys = self.keys(table, TARGET);
        let layers = [&self.defaults.options, &self.given, &keys.options];
        let options = self.options.read(&layers);
        let options = options.map_err(|faults| self.add(faults, line));
        let Some((far, address)) = keys.address else {
            if self.faults.found.len() == earlier {
                self.faults
                    .add(line, "address is missing: write address = \"HOST:PORT\"");
            }
            return None;
        };
        let mut labels = self.defaults.labels.clone();
        labels.retain(|earlier| !keys.labels.iter().any(|label| label.key == earlier.key));
        labels.extend(keys.labels);
        Some(FileTarget {
            far,
            name: keys.name.unwrap_or(address),
            labels,
            options: Some(options.ok()?),
            place: Place {
                file: Arc::clone(self.file),
                line,
            },
        })
    }

    /// Faults of a table, of which this is the line.
    fn add(&mut self, faults: Vec<Unread>, line: usize) {
        for fault in faults {
            let own = fault.line.filter(|line| *line > 0);
            self.faults.add(own.unwrap_or(line), fault.why);
        }
    }

    fn keys(&mut self, table: &DeTable<'_>, of: &str) -> Keys {
        let mut keys = Keys::default();
        for (key, value) in table {
            let line = self.lines.at(key.span().start);
            let name = key.get_ref().as_ref();
            if let Err(why) = self.key(&mut keys, name, value.get_ref(), line, of) {
                self.faults.add(line, why);
            }
        }
        keys
    }

    fn key(
        &self,
        keys: &mut Keys,
        key: &str,
        value: &DeValue<'_>,
        line: usize,
        of: &str,
    ) -> Result<(), String> {
        match key {
            "address" | "name" if of == DEFAULTS => {
                return Err(format!(
                    "{key}: each target has its own: write it under [[target]]"
                ));
            }
            "address" => {
                let text = string(key, value)?;
                let far = text
                    .parse()
                    .map_err(|advice| format!("address {text}: {advice}"))?;
                keys.address = Some((far, text.to_owned()));
            }
            "name" => {
                let name = string(key, value)?;
                check_name(name)?;
                keys.name = Some(name.to_owned());
            }
            "labels" => keys.labels = labels(value)?,
            "protocol" => {
                let stamp = match string(key, value)? {
                    "stamp" => true,
                    "twamp-light" => false,
                    other => {
                        return Err(format!("protocol {other}: use stamp or twamp-light"));
                    }
                };
                let both = keys
                    .options
                    .insert("stamp".to_owned(), (Setting::Switch(stamp), line));
                return both.map_or(Ok(()), |_| Err(STAMP_TWICE.to_owned()));
            }
            "hmac-key" => {
                return Err(
                    "hmac-key: others may read this file: use hmac-key-file, a file of keys"
                        .to_owned(),
                );
            }
            key => {
                let Some(is_switch) = self.options.is_switch(key) else {
                    return Err(self.unknown(key));
                };
                let setting = if is_switch {
                    switch(key, value)?
                } else {
                    let values = texts(key, value)?;
                    Setting::Values(if self.options.is_repeatable(key) {
                        values
                    } else {
                        vec![values.join(",")]
                    })
                };
                let both = keys.options.insert(key.to_owned(), (setting, line));
                return both.map_or(Ok(()), |_| Err(STAMP_TWICE.to_owned()));
            }
        }
        Ok(())
    }

    /// A key that is not one of a target's.
    fn unknown(&self, key: &str) -> String {
        let own = self.options.keys().chain(OWN_KEYS);
        let plain = key.replace('_', "-").to_lowercase();
        let near = own.map(|name| (osa_distance(&plain, name), name)).min();
        match near.filter(|(distance, name)| *distance <= 1 + name.len() / 6) {
            Some((_, name)) => format!("{key}: unknown key: did you mean {name}?"),
            None if is_option(key) => {
                format!("{key} is an option of the whole run: give --{key} on the command line")
            }
            None => format!(
                "{key}: unknown key: use address, name, labels, protocol or a long option of sender"
            ),
        }
    }

    fn unknown_at_top(&self, key: &str) -> String {
        if self.options.is_switch(key).is_some() || OWN_KEYS.contains(&key) {
            return format!("{key}: write it under [defaults] or [[target]]");
        }
        let near = [(DEFAULTS, "[defaults]"), (TARGET, "[[target]]")];
        let near = near.iter().find(|(name, _)| osa_distance(key, name) <= 2);
        match near {
            Some((_, written)) => format!("{key}: unknown: did you mean {written}?"),
            None => format!("{key}: unknown: use [defaults] and [[target]]"),
        }
    }
}

const STAMP_TWICE: &str = "stamp and protocol say the same: use one of them";

/// An option of `sender`, of whatever kind.
fn is_option(key: &str) -> bool {
    let cli = Cli::command();
    let sender = cli.find_subcommand("sender");
    sender.is_some_and(|sender| {
        sender
            .get_arguments()
            .any(|arg| arg.get_long() == Some(key))
    })
}

fn string<'a>(key: &str, value: &'a DeValue<'_>) -> Result<&'a str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("{key}: give a string: {key} = \"...\""))
}

fn switch(key: &str, value: &DeValue<'_>) -> Result<Setting, String> {
    let on = value
        .as_bool()
        .ok_or_else(|| format!("{key}: use true or false"))?;
    Ok(Setting::Switch(on))
}

/// The values as they would be written on the command line: of a list each, else the only one.
fn texts(key: &str, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let DeValue::Array(values) = value else {
        return Ok(vec![text(key, value)?]);
    };
    let texts = values.iter().map(|value| text(key, value.get_ref()));
    texts.collect()
}

/// A value as it would be written on the command line.
fn text(key: &str, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Array(_) => Err(format!("{key}: a list has no lists")),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
            Err(format!("{key}: give a number or a string"))
        }
    }
}

/// A table of strings.
fn labels(value: &DeValue<'_>) -> Result<Vec<Label>, String> {
    let wrong = || "labels: give a table of strings: labels = { site = \"fra\" }".to_owned();
    let table = value.as_table().ok_or_else(wrong)?;
    let labels = table.iter().map(|(key, value)| {
        let value = value.get_ref().as_str().ok_or_else(wrong)?;
        let label = format!("{}={value}", key.get_ref()).parse();
        label.map_err(|advice| format!("labels {}: {advice}", key.get_ref()))
    });
    labels.collect()
}
