use std::fs;

use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;
use crate::args::{Command, ResponderArgs};

/// What `A` comes to with these words, where `{}` is a file with this text.
fn read<A: Limited>(line: &str, text: &str) -> (NamedTempFile, Result<LimitsFile<A>, Failure>) {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let line = line.replace("{}", file.path().to_str().unwrap());
    let args = A::of(Cli::of(&format!("{} {line}", A::COMMAND)).command).unwrap();
    let limits = LimitsFile::of(&*args).transpose().unwrap();
    (file, limits)
}

/// The same as `responder ARGUMENTS --limits FILE`: the plan's reflector, or the message without the file's name.
fn responder(arguments: &str, text: &str) -> Result<String, String> {
    let (file, limits) = read::<ResponderArgs>(&format!("{arguments} --limits {{}}"), text);
    let config = limits.and_then(|limits| {
        let config = crate::plan::reflector(&limits.args);
        config.map_err(|failure| limits.placed(failure))
    });
    let name = file.path().display().to_string();
    config
        .map(|config| format!("{config:?}"))
        .map_err(|failure| failure.to_string().replace(&name, "F"))
}

#[test]
fn limits_in_a_file_mean_what_they_mean_on_the_command_line() {
    let text = "\u{feff}# of the reflector at the edge\r
allow 192.0.2.0/24\r
allow\t2001:db8::/32   # and those
allow-ssid 7,100-199
max-rate 100
max-sessions 5
allow-dscp af41,46
allow-return-address 192.0.2.0/24
srv6-return 2001:db8::/32

allow-control 192.0.2.0/24
control-rate 8000
control-volume 70
control-count 3
control-unauthenticated
";
    let words: Vec<String> = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(|line| line.split('#').next().unwrap().trim())
        .filter(|line| !line.is_empty())
        .map(|line| format!("--{line}"))
        .collect();
    let Command::Responder(args) = Cli::of(&format!("responder {}", words.join(" "))).command
    else {
        unreachable!("another command")
    };
    let on_command_line = format!("{:?}", crate::plan::reflector(&args).unwrap());
    assert_eq!(responder("--threads 2", text).unwrap(), on_command_line);
    // All of them, so that none is a name alone.
    for name in ResponderArgs::LIMITS {
        assert!(text.contains(&format!("\n{name}")), "{name}");
    }
    // Operands behind `--` stay operands.
    let (_file, limits) = read::<ResponderArgs>("--limits {} -- :862", "max-rate 7");
    let args = limits.unwrap().args;
    assert_eq!(
        (args.max_rate, args.near.unwrap().port),
        (Some(7), Some(862))
    );
}

#[cfg(feature = "control")]
#[test]
fn a_server_has_its_limits_from_a_file_too() {
    use crate::args::ServerArgs;
    let text = "allow 192.0.2.0/24\nallow-sender 198.51.100.0/24\nallow-any-port\nmax-rate 50\n\
                max-sessions 8\nmax-sessions-per-client 4\nmax-connections 6\n\
                max-connections-per-client 3\n";
    let (_file, limits) = read::<ServerArgs>("--limits {}", text);
    let args = limits.unwrap().args;
    let modes = twinpath_wire::control::Modes::UNAUTHENTICATED;
    let limits = crate::plan::server_limits(&args, modes).unwrap();
    assert_eq!(limits.allow, ["192.0.2.0/24".parse().unwrap()]);
    assert_eq!(limits.allow_sender, ["198.51.100.0/24".parse().unwrap()]);
    assert!(limits.allow_any_port);
    assert_eq!(limits.max_rate_pps, Some(50));
    assert_eq!(
        (limits.max_sessions, limits.max_sessions_per_client),
        (8, 4)
    );
    assert_eq!(
        (limits.max_connections, limits.max_connections_per_client),
        (6, 3)
    );
    let (_file, limits) = read::<ServerArgs>("--limits {}", "max-rate 1\nmax-open-sessions 3");
    let why = limits.unwrap_err_line();
    assert!(why.ends_with(":2: --pbkdf2-count, max-open-sessions and --insecure-key-file need --keys: add --keys FILE"), "{why}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_wrong_is_said_with_its_line_and_what_to_write() {
    for (arguments, text, said) in [
        (
            "",
            "\n# nothing\n",
            "F: no limit in it; write one on each line, as in max-rate 100",
        ),
        (
            "",
            "max-rate 1\nmax-rat 2",
            "F:2: max-rat: did you mean max-rate?",
        ),
        (
            "",
            "--max-rate 1",
            "F:1: --max-rate: write max-rate, without --",
        ),
        (
            "",
            "\nmax-rate=1",
            "F:2: max-rate=1: write max-rate and its value with a blank between them, without =",
        ),
        (
            "",
            "threads 2",
            "F:1: threads cannot change while it runs: give --threads on the command line",
        ),
        (
            "",
            "colour red",
            "F:1: colour: no such limit: use allow, allow-ssid, max-rate, max-sessions, allow-dscp, \
             allow-return-address, srv6-return, allow-control, control-rate, control-volume, control-count, \
             control-unauthenticated",
        ),
        (
            "--max-rate 5",
            "allow ::1\nmax-rate 9",
            "F:2: max-rate is on the command line too (--max-rate): use one of them",
        ),
        (
            "--allow ::1",
            "allow ::2",
            "F:1: allow is on the command line too (--allow): use one of them",
        ),
        (
            "",
            "max-rate 1\nmax-sessions 5\nmax-rate 1",
            "F:3: max-rate is given twice: give it once",
        ),
        (
            "",
            "allow ::1\nmax-rate",
            "F:2: max-rate needs a value: use max-rate <PPS>",
        ),
        (
            "--stateless",
            "max-rate 1\nmax-sessions 5",
            "F:2: max-sessions and --stateless exclude each other: use one of them",
        ),
        (
            "",
            "max-rate 1\ncontrol-count 5",
            "F:2: control-rate, control-volume, control-count, control-unauthenticated and --join need \
             --allow-control: add it",
        ),
        (
            "",
            "max-rate 1\nallow-control ::1",
            "F:2: allow-control needs --hmac-key-file or --hmac-key, or control-unauthenticated, \
             which follows forged requests too",
        ),
        (
            "--protocol twamp-light",
            "max-rate 1\nallow-dscp ef",
            "F:2: allow-dscp is for STAMP: leave it out, or --protocol twamp-light",
        ),
    ] {
        let why = responder(arguments, text).unwrap_err();
        let said = said.replace("need --allow-control", "need allow-control");
        assert_eq!(why, said, "{text:?}");
    }
    // Of several lines with one name it is the one with the value.
    for (text, beginning) in [
        (
            "allow ::1\nallow 192.0.2.0/33\nallow ::2",
            "F:2: allow 192.0.2.0/33: ",
        ),
        (
            "allow ::1\nallow ::2 ::3\nallow ::4",
            "F:2: allow \"::2 ::3\": ",
        ),
        (
            "allow-dscp ef\nallow-dscp af41,af99",
            "F:2: allow-dscp af99: ",
        ),
        ("max-rate 0", "F:1: max-rate 0: "),
        (
            "control-unauthenticated yes",
            "F:1: control-unauthenticated takes no value",
        ),
    ] {
        let why = responder("", text).unwrap_err();
        assert!(why.starts_with(beginning), "{text:?}: {why}");
    }
}

#[test]
fn what_is_no_file_of_limits_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(
        at("large"),
        "#".repeat(usize::try_from(MOST_OCTETS).unwrap() + 1),
    )
    .unwrap();
    fs::write(at("octets"), b"max-rate 1\n\xff\n").unwrap();
    for (name, said) in [
        (
            "none",
            "No such file or directory (os error 2); --limits takes a file with a limit on each line",
        ),
        (
            "",
            "it is a directory, not a regular file; --limits takes a file with",
        ),
        (
            "large",
            "has more than 1048576 octets; give a file of limits",
        ),
        ("octets", ":2: not UTF-8 text: write it again as such"),
    ] {
        let path = at(name);
        let line = format!("responder --limits {}", path.display());
        let args = ResponderArgs::of(Cli::of(&line).command).unwrap();
        let why = LimitsFile::of(&*args).unwrap_err_line();
        assert!(why.contains(said), "{name}: {why}");
    }
}

/// The message, where there is one.
trait Message {
    fn unwrap_err_line(self) -> String;
}

impl<T> Message for Result<T, Failure> {
    fn unwrap_err_line(self) -> String {
        self.err().unwrap().to_string()
    }
}

proptest! {
    /// Any file is a plan, or one line that names it.
    #[test]
    fn any_text_is_limits_or_one_line(text in "((allow|max-rate|control-count|allow-dscp|allow-control)[ =]?)?\\PC{0,40}(\n\\PC{0,20}){0,3}") {
        if let Err(why) = responder("", &text) {
            prop_assert!(why.starts_with("F:"), "{}", why);
            prop_assert!(!why.contains('\n'));
        }
    }
}
