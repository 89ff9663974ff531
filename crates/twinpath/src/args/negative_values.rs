//! Values that begin with a minus sign, such as `-1` and `-1ms,1ms`. They belong to the option
//! before them, which reports what is wrong with them; clap alone would take them for options.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, Command};

/// The same words, with each such value joined to its option: `--bins=-1ms,1ms`.
pub(super) fn joined(cli: &Command, words: Vec<OsString>) -> Vec<OsString> {
    let command = words.get(1).and_then(|name| cli.find_subcommand(name));
    let mut joined: Vec<OsString> = Vec::with_capacity(words.len());
    let mut only_operands = false;
    for word in words {
        only_operands |= word == "--";
        let before = joined.last_mut().filter(|_| !only_operands);
        let before = before.filter(|_| is_negative(&word));
        let option = before.and_then(|before| Some((separator(command?, before)?, before)));
        match option {
            Some((separator, option)) => {
                option.push(separator);
                option.push(word);
            }
            None => joined.push(word),
        }
    }
    joined
}

/// A minus sign and a number.
fn is_negative(word: &OsStr) -> bool {
    let number = word.to_str().and_then(|word| word.strip_prefix('-'));
    number.is_some_and(|number| {
        number
            .trim_start_matches('.')
            .starts_with(|c: char| c.is_ascii_digit())
    })
}

/// The separator between an option and its value; `None`: not an option with a value. `-1` is never
/// meant as the name of a file.
fn separator(command: &Command, word: &OsStr) -> Option<&'static str> {
    let word = word.to_str()?;
    let is_file = |arg: &Arg| arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    let mut options = command.get_arguments();
    options.find_map(|arg| {
        let separator = match word.strip_prefix("--") {
            Some(long) => (arg.get_long() == Some(long)).then_some("="),
            None => (arg.get_short()? == word.strip_prefix('-')?.parse().ok()?).then_some(""),
        };
        separator.filter(|_| arg.get_action().takes_values() && !is_file(arg))
    })
}
