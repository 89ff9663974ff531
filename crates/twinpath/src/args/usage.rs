//! Bad usage in one line, with what to write instead. Help and version are clap's.

use std::error::Error as _;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use strsim::osa_distance;

use crate::failure::Failure;

/// One line instead of clap's five. `command`: the subcommand, as far as it was read.
///
/// `--help` and `--version` are not errors: the caller handles them.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "kinds without words of their own keep clap's"
)]
pub(crate) fn failure(error: &clap::Error, command: Option<&str>) -> Failure {
    let help = match command {
        Some(command) => format!("see twinpath {command} --help"),
        None => "see twinpath --help".to_owned(),
    };
    let argument = strings(error, ContextKind::InvalidArg)
        .into_iter()
        .next()
        .unwrap_or_default();
    let value = strings(error, ContextKind::InvalidValue)
        .into_iter()
        .next()
        .unwrap_or_default();
    let line = match error.kind() {
        ErrorKind::UnknownArgument => unknown_argument(error, &argument, command, &help),
        ErrorKind::InvalidSubcommand => {
            let typed = strings(error, ContextKind::InvalidSubcommand);
            let typed = typed.first().map_or("", String::as_str);
            if let Some(answer) = suggestion_for_foreign_name(typed) {
                return Failure::usage(format!("{typed}: {answer}"));
            }
            let suggested = strings(error, ContextKind::SuggestedSubcommand);
            let near = suggested.iter().filter(|name| looks_like(typed, name));
            match near.min_by_key(|name| osa_distance(typed, name)) {
                Some(suggested) => format!("{typed}: did you mean {suggested}?"),
                None => format!("{typed}: no such command ({help})"),
            }
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let cli = super::Cli::command();
            let names = cli
                .get_subcommands()
                .map(|command| command.get_name().to_owned());
            let names = either(&names.collect::<Vec<_>>()).unwrap_or_default();
            format!("a command is missing: {names} ({help})")
        }
        ErrorKind::MissingRequiredArgument => {
            let names: Vec<String> = strings(error, ContextKind::InvalidArg)
                .iter()
                .map(|name| plain(name))
                .collect();
            missing(&names, command, &help)
        }
        ErrorKind::ArgumentConflict => {
            let argument = plain(&argument);
            match strings(error, ContextKind::PriorArg)
                .first()
                .map(|prior| plain(prior))
            {
                Some(prior) if prior != argument => {
                    format!("{argument} and {prior} exclude each other: use one of them")
                }
                _ => format!("{argument} is given twice: give it once"),
            }
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            let write = one_of(error).unwrap_or_else(|| format!("use {argument}"));
            format!("{} needs a value: {write}", plain(&argument))
        }
        ErrorKind::InvalidValue => {
            let write = one_of(error).unwrap_or_else(|| help.clone());
            format!("{} {}: {write}", plain(&argument), shown(&value))
        }
        ErrorKind::ValueValidation => match error.source() {
            Some(reason) => format!("{} {}: {reason}", plain(&argument), shown(&value)),
            None => format!(
                "{} {} cannot be used ({help})",
                plain(&argument),
                shown(&value)
            ),
        },
        ErrorKind::TooManyValues => format!("{} takes no value", plain(&argument)),
        _ => first_line(error),
    };
    Failure::usage(line)
}

/// Names that other tools have for what is here.
fn suggestion_for_foreign_name(command: &str) -> Option<&'static str> {
    match command {
        "reflector" | "session-reflector" => Some("did you mean responder?"),
        "client" | "session-sender" => Some("did you mean sender?"),
        "control-client" if is_command("controlclient") => Some("did you mean controlclient?"),
        "merge" if is_command("report") => Some("use report --merge FILE FILE ..."),
        "compare" if is_command("report") => Some("use report --compare FILE FILE"),
        _ => None,
    }
}

/// The name of a command.
pub(crate) fn is_command(name: &str) -> bool {
    super::Cli::command()
        .get_subcommands()
        .any(|command| command.get_name() == name)
}

fn unknown_argument(
    error: &clap::Error,
    argument: &str,
    command: Option<&str>,
    help: &str,
) -> String {
    if !argument.starts_with('-') {
        let dscp = command.filter(|command| has(command, "--dscp"));
        let remedy = dscp.and_then(|_| super::dscp_for_host(argument));
        let remedy = remedy.unwrap_or_else(|| help.to_owned());
        return format!("{}: one argument too many ({remedy})", shown(argument));
    }
    let rest = argument.trim_start_matches('-');
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return format!(
            "{argument}: no such option; a file of that name is written ./{argument} ({help})"
        );
    }
    if argument == "--port" || argument == "-p" {
        return format!("{argument}: the port goes after the address: HOST:PORT");
    }
    if let ("--csv" | "--jsonl", Some(command)) = (argument, command)
        && has(command, "--output")
    {
        let format = argument.trim_start_matches('-');
        return format!("{argument}: no such option: use --output {format}");
    }
    if command == Some("check")
        && let Some(name) = plugin_option(argument)
    {
        return format!("{argument}: did you mean {name}?");
    }
    if argument == "--output" && command.is_some_and(|command| has(command, "--json")) {
        return format!(
            "--output: no such option; the result is text: use --json for JSON ({help})"
        );
    }
    if let Some((owner, name)) = owner_of(argument) {
        let here = command.map_or_else(String::new, |command| format!(", not of {command}"));
        let named = if name == argument {
            name
        } else {
            format!("{argument} ({name})")
        };
        return format!("{named} is an option of {owner}{here}: leave it out ({help})");
    }
    let suggested = strings(error, ContextKind::SuggestedArg);
    let suggested = suggested.iter().map(|name| plain(name));
    let own = command.into_iter().flat_map(options_of);
    let near = suggested
        .chain(own)
        .filter(|name| looks_like(argument, name) && is_shown(name));
    match near.min_by_key(|name| distance(argument, name)) {
        Some(name) => format!("{argument}: did you mean {name}?"),
        None => format!("{argument}: no such option ({help})"),
    }
}

/// What other plug-ins call otherwise.
fn plugin_option(argument: &str) -> Option<&'static str> {
    match argument {
        "-w" => Some("--warn"),
        "--host" | "--hostname" | "-H" => Some("FAR, without an option"),
        _ => None,
    }
}

/// An option that help shows somewhere.
fn is_shown(option: &str) -> bool {
    ["--help", "--version"].contains(&option) || owner_of(option).is_some()
}

/// The first command that has this very option and shows it, and the option's long name.
fn owner_of(argument: &str) -> Option<(String, String)> {
    let cli = super::Cli::command();
    cli.get_subcommands()
        .find_map(|command| Some((command.get_name().to_owned(), shown_as(command, argument)?)))
}

/// A command has this very option.
fn has(command: &str, argument: &str) -> bool {
    let cli = super::Cli::command();
    let command = cli.find_subcommand(command);
    command.is_some_and(|command| shown_as(command, argument).is_some())
}

/// The long options of a command.
fn options_of(command: &str) -> Vec<String> {
    let cli = super::Cli::command();
    let command = cli.find_subcommand(command);
    let options = command
        .into_iter()
        .flat_map(clap::Command::get_arguments)
        .filter_map(clap::Arg::get_long);
    options.map(|long| format!("--{long}")).collect()
}

/// How far what was typed is from a name; of equally far ones that with the same letters is nearest.
fn distance(typed: &str, name: &str) -> (bool, usize, bool) {
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    let is_beginning = name.starts_with(typed);
    let differ = letters(typed) != letters(name);
    (!is_beginning, osa_distance(typed, name), differ)
}

/// The long name of a command's option that is written like this.
fn shown_as(command: &clap::Command, argument: &str) -> Option<String> {
    let mut options = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let arg = options.find(|arg| match argument.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().map(|short| format!("-{short}")).as_deref() == Some(argument),
    })?;
    arg.get_long().map(|long| format!("--{long}"))
}

/// What to write, where something is missing.
fn missing(names: &[String], command: Option<&str>, help: &str) -> String {
    match names.join(", ").as_str() {
        "--voice" => "--jitter-buffer needs --voice: add --voice CODEC, such as g711".to_owned(),
        "--save" => "--rotate needs --save: add --save FILE, such as run.parquet".to_owned(),
        "--control" => "--mode, --keys, --key-id and --nat need --control: add it".to_owned(),
        far @ "FAR[:PORT]" if command.is_some_and(|command| has(command, "--to")) => {
            format!("{far} is missing: give it, --to or --targets ({help})")
        }
        "--allow-control" => {
            "--control-rate, --control-volume, --control-count, --control-unauthenticated and --join need \
             --allow-control: add it"
                .to_owned()
        }
        "--keys" if command == Some("server") => {
            "--pbkdf2-count, --max-open-sessions and --insecure-key-file need --keys: add --keys FILE"
                .to_owned()
        }
        "--strict" => "--verbose needs --strict: add it".to_owned(),
        // A group of options.
        names if names.starts_with("<--stress") => {
            "--yes needs --strict or --stress: add one of them, or leave it out".to_owned()
        }
        names => format!("{names} is missing ({help})"),
    }
}

/// The name of a list that what was typed is near to.
pub(crate) fn nearest<'a>(typed: &str, names: &[&'a str]) -> Option<&'a str> {
    let near = names.iter().filter(|name| looks_like(typed, name));
    near.min_by_key(|name| distance(typed, name)).copied()
}

/// Close enough to be a typing error: clap also suggests names that merely share letters.
fn looks_like(typed: &str, name: &str) -> bool {
    name.starts_with(typed) || osa_distance(typed, name) <= 1 + name.len() / 6
}

/// `use a, b or c`, where an option has a list.
fn one_of(error: &clap::Error) -> Option<String> {
    let values = either(&strings(error, ContextKind::ValidValue))?;
    Some(format!("use {values}"))
}

/// `a, b or c`.
fn either(names: &[String]) -> Option<String> {
    match names.split_last()? {
        (last, []) => Some(last.clone()),
        (last, others) => Some(format!("{} or {last}", others.join(", "))),
    }
}

/// `--dscp <NAME|0-63>` is `--dscp`, `<FAR[:PORT]>` is `FAR[:PORT]`.
fn plain(argument: &str) -> String {
    let name = if argument.starts_with('-') {
        argument.split([' ', '=']).next().unwrap_or(argument)
    } else {
        argument.split(' ').next().unwrap_or(argument)
    };
    let name = name.trim_end_matches("...");
    let inside = |open: char, close: char| name.strip_prefix(open)?.strip_suffix(close);
    inside('<', '>')
        .or_else(|| inside('[', ']'))
        .unwrap_or(name)
        .to_owned()
}

/// A value as it was typed, quoted where it would not be seen.
fn shown(value: &str) -> String {
    if value.is_empty() || value.ends_with(':') || value.contains(char::is_whitespace) {
        format!("{value:?}")
    } else {
        value.to_owned()
    }
}

fn strings(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
        _ => Vec::new(),
    }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text
        .lines()
        .next()
        .unwrap_or("cannot read the command line");
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests;
