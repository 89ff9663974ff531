//! Options as keys of a file: read by the parsers of the command line, from several layers (the file's
//! defaults, the command line, the table of one target or session). The later of these wins.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{ArgAction, Command, FromArgMatches};

use crate::args::{GivenOptions, usage};

/// What a key is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// A switch, on or off.
    Switch(bool),
    /// Values as they would be written behind the option, which is given once for each.
    Values(Vec<String>),
}

/// Keys, what they are set to, and in which line; line 0 is the command line.
pub(crate) type Layer = BTreeMap<String, (Setting, usize)>;

/// What becomes of keys: the options `A` of a command. Equal ones become the same options.
pub(crate) struct OptionReader<A> {
    command: Command,
    /// The command whose help says more about them.
    help: &'static str,
    /// Keys that exclude each other.
    exclusive: Vec<(String, String)>,
    read: HashMap<Vec<String>, Arc<A>>,
    finish: Box<dyn Fn(A) -> A>,
}

/// Why keys are no options.
#[derive(Debug)]
pub(crate) struct Unread {
    /// The line of the key; `None`: of no one key.
    pub(crate) line: Option<usize>,
    /// The key, where it is one.
    pub(crate) key: Option<String>,
    pub(crate) why: String,
}

impl<A: FromArgMatches> OptionReader<A> {
    /// `command` has no name before its words and takes none of a program. `help`: the command whose help says
    /// more about its options. `finish`: fills in what they leave open.
    pub(crate) fn new(
        mut command: Command,
        help: &'static str,
        finish: impl Fn(A) -> A + 'static,
    ) -> Self {
        command.build();
        let long = |arg: &clap::Arg| arg.get_long().map(str::to_owned);
        let exclusive = command.get_arguments().flat_map(|arg| {
            let others = command.get_arg_conflicts_with(arg);
            let others = others.into_iter().filter_map(long).collect::<Vec<_>>();
            others
                .into_iter()
                .filter_map(move |other| Some((long(arg)?, other)))
        });
        let exclusive = exclusive.collect();
        Self {
            command,
            help,
            exclusive,
            read: HashMap::new(),
            finish: Box::new(finish),
        }
    }

    /// Whether a key is one of these options, and a switch.
    pub(crate) fn is_switch(&self, key: &str) -> Option<bool> {
        let mut options = self.command.get_arguments();
        let option = options.find(|arg| arg.get_long() == Some(key))?;
        Some(!option.get_action().takes_values())
    }

    /// Whether a key is an option that may be given several times.
    pub(crate) fn is_repeatable(&self, key: &str) -> bool {
        let mut options = self.command.get_arguments();
        let option = options.find(|arg| arg.get_long() == Some(key));
        option.is_some_and(|arg| matches!(arg.get_action(), ArgAction::Append))
    }

    /// The keys there are.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.command.get_arguments().filter_map(clap::Arg::get_long)
    }

    /// The options that these layers come to, the later before the earlier.
    ///
    /// # Errors
    /// Each value that is not understood; else the first fault that there is in all of them together.
    pub(crate) fn read(&mut self, layers: &[&Layer]) -> Result<Arc<A>, Vec<Unread>> {
        self.read_with(self.merged(layers), &[])
    }

    /// Layers as one.
    pub(crate) fn merged(&self, layers: &[&Layer]) -> Layer {
        let mut settings = Layer::new();
        for layer in layers {
            for key in layer.keys() {
                settings.retain(|earlier, _| !self.exclude(earlier, key));
            }
            settings.extend(
                layer
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
        }
        settings
    }

    /// What these settings come to, with operands of the command.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn read_with(
        &mut self,
        mut settings: Layer,
        operands: &[&str],
    ) -> Result<Arc<A>, Vec<Unread>> {
        let mut faults = Vec::new();
        loop {
            let words = words(&settings, operands);
            if let Some(known) = self.read.get(&words).filter(|_| faults.is_empty()) {
                return Ok(Arc::clone(known));
            }
            let matches = self.command.try_get_matches_from_mut(&words);
            let options = matches.and_then(|matches| A::from_arg_matches(&matches));
            let error = match options {
                Ok(options) if faults.is_empty() => {
                    let options = Arc::new((self.finish)(options));
                    self.read.insert(words, Arc::clone(&options));
                    return Ok(options);
                }
                Ok(_) => return Err(faults),
                Err(error) => error,
            };
            // Of all values it is the first; without it the next one is found.
            let is_value = matches!(
                error.kind(),
                ErrorKind::ValueValidation | ErrorKind::InvalidValue
            );
            if !is_value && !faults.is_empty() {
                // What they are together is not known, without those that are left out.
                return Err(faults);
            }
            let (key, why) = unread(&error, self.help, &settings);
            let line = key.as_ref().and_then(|key| settings.get(key));
            let line = line.map(|(_, line)| *line);
            faults.push(Unread {
                line,
                key: key.clone(),
                why,
            });
            let removed = key
                .filter(|_| is_value)
                .and_then(|key| settings.remove(&key));
            if removed.is_none() {
                return Err(faults);
            }
        }
    }

    fn exclude(&self, one: &str, other: &str) -> bool {
        self.exclusive
            .iter()
            .any(|(a, b)| (a == one && b == other) || (a == other && b == one))
    }
}

/// Settings and operands as a command line has them.
fn words(settings: &Layer, operands: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    for (key, (setting, _)) in settings {
        match setting {
            Setting::Switch(true) => words.push(format!("--{key}")),
            Setting::Switch(false) => {}
            Setting::Values(values) => {
                words.extend(values.iter().map(|value| format!("--{key}={value}")));
            }
        }
    }
    if !operands.is_empty() {
        words.push("--".to_owned());
        words.extend(operands.iter().copied().map(str::to_owned));
    }
    words
}

/// Of which key an error tells, and what.
fn unread(error: &clap::Error, help: &str, settings: &Layer) -> (Option<String>, String) {
    let line = usage::failure(error, Some(help)).to_string();
    let mut why = line.strip_prefix("--").unwrap_or(&line).to_owned();
    for key in settings.keys() {
        why = why.replace(&format!(" --{key} "), &format!(" {key} "));
    }
    let mut keys = settings.keys();
    let key = keys.find(|key| {
        let rest = why.strip_prefix(key.as_str());
        rest.is_some_and(|rest| rest.starts_with([' ', ':']))
    });
    (key.cloned(), why)
}

/// What the command line says itself.
pub(super) fn of_command_line(given: &GivenOptions) -> Layer {
    let settings = given.typed.iter().map(|(key, values)| {
        let setting = match values {
            None => Setting::Switch(true),
            Some(values) => Setting::Values(values.clone()),
        };
        (key.clone(), (setting, 0))
    });
    settings.collect()
}
