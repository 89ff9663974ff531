//! Command lines: every option that takes a value, with any text.

use std::sync::LazyLock;

use twinpath::inside;

use crate::input::Input;

const COMMANDS: [&str; 7] = [
    "sender",
    "responder",
    "controller",
    "controlclient",
    "server",
    "report",
    "check",
];
/// What a command needs beside options.
const NEEDS: [&[&str]; 7] = [
    &["192.0.2.9"],
    &[],
    &["192.0.2.9"],
    &["192.0.2.8", "192.0.2.9"],
    &[],
    &["file"],
    &["192.0.2.9"],
];

/// The options of each command.
pub(crate) static OPTIONS: LazyLock<[Vec<String>; 7]> =
    LazyLock::new(|| COMMANDS.map(inside::options));

/// Octet 0: the command. Then lines: an octet for the option (the last of them: none, the line is an
/// argument of its own), and its value.
pub(crate) fn options(input: &[u8]) {
    let mut input = Input::new(input);
    let command = usize::from(input.octet()) % COMMANDS.len();
    let options = &OPTIONS[command];
    let mut line = vec!["twinpath".to_owned(), COMMANDS[command].to_owned()];
    let mut octets = 0;
    let mut bare = Vec::new();
    for argument in input.rest().split(|octet| *octet == b'\n').take(12) {
        let [option, value @ ..] = argument else {
            continue;
        };
        let value = String::from_utf8_lossy(value).into_owned();
        octets += value.len();
        match options.get(usize::from(*option) % (options.len() + 1)) {
            Some(option) => line.push(format!("{option}={value}")),
            // What looks like an option could name a file.
            None => bare.push(value.trim_start_matches('-').to_owned()),
        }
    }
    if bare.is_empty() {
        bare.extend(NEEDS[command].iter().map(|need| (*need).to_owned()));
    }
    line.extend(bare);
    if let Err(told) = inside::plan(&line) {
        assert!(!told.trim().is_empty(), "{line:?}");
        assert!(
            told.len() < 4_000 + 8 * octets,
            "{} octets: {line:?}",
            told.len()
        );
    }
}
