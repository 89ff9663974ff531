//! The pages and the completions, read by the programs that they are for. A test says that it is skipped
//! where such a program is missing.

use std::path::Path;
use std::process::{Command, Output};

use clap_complete::Shell;

use crate::completions::script;
use crate::text::AfterHelp;
use crate::{completions, man};

/// What a program prints; `None`, with a word about it, where it is not installed.
fn output(program: &str, arguments: &[&str], directory: &Path) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    command.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
    command.env("HOME", directory);
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: {program} cannot be run: {error}");
            None
        }
    }
}

/// Both streams.
fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

/// The lines of what a shell offers.
fn offered(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", said(output));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn every_command_has_a_page_with_its_options_and_all_sections() {
    let pages = man::all("2026-11-29").unwrap();
    let program = man::program();
    assert_eq!(pages.len(), 1 + program.get_subcommands().count());
    for (page, command) in pages.iter().skip(1).zip(program.get_subcommands()) {
        assert_eq!(page.file, format!("twinpath-{}.1", command.get_name()));
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"EXIT STATUS\"",
            "ENVIRONMENT",
            "FILES",
            "\"SEE ALSO\"",
        ] {
            let count = page
                .text
                .lines()
                .filter(|line| *line == format!(".SH {section}"))
                .count();
            assert_eq!(count, 1, "{section} of {}", page.file);
        }
        for option in command.get_arguments().filter_map(|arg| arg.get_long()) {
            let name = format!("\\fB\\-\\-{}\\fR", option.replace('-', "\\-"));
            assert!(page.text.contains(&name), "{name} of {}", page.file);
        }
        let status = page.text.split(".SH \"EXIT STATUS\"\n").nth(1).unwrap();
        assert!(status.starts_with(".TP\n\\fB0\\fR\n"), "{}", page.file);
    }
}

#[test]
fn every_example_is_a_command_line() {
    let program = man::program();
    let mut count = 0;
    for command in program.get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string);
        for example in AfterHelp::of(&help.unwrap_or_default()).examples {
            count += 1;
            // The program joins a negative value with its option.
            let line = example.line.replace("--padding -1", "--padding=-1");
            let words = line.split_whitespace();
            if let Err(error) = program.clone().try_get_matches_from(words) {
                panic!("{}: {error}", example.line);
            }
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn pages_are_read_without_a_warning_and_known_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let count = man::write(at).unwrap();
    assert!(count > 5, "{count}");
    for file in std::fs::read_dir(at).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        // A page of its own name and a line of what it is about, for apropos.
        let name = file.trim_end_matches(".1");
        if let Some(output) = output("lexgrog", &[&file], at) {
            let known = said(&output);
            assert!(known.contains(&format!("{file}: \"{name} - ")), "{known}");
        }
        if let Some(output) = output("man", &["--warnings", "-E", "UTF-8", "-l", &file], at) {
            assert!(output.status.success(), "{file}: {}", said(&output));
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{file}");
            let page = String::from_utf8_lossy(&output.stdout);
            assert!(page.lines().count() > 20, "{page}");
            // Nothing is too long for a terminal of 80 columns.
            for line in page.lines() {
                assert!(line.chars().count() <= 80, "{file}: {line}");
            }
        }
        if let Some(output) = output("mandoc", &["-T", "lint", "-W", "warning", &file], at) {
            assert_eq!(said(&output), "");
        }
    }
}

/// The completions, each in the file that its shell looks for.
fn written() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    completions::write(directory.path()).unwrap();
    directory
}

#[test]
fn bash_completes_commands_options_and_values() {
    let directory = written();
    let offers = |words: &[&str]| {
        let last = words.last().copied().unwrap_or_default();
        let before = words.iter().rev().nth(1).copied().unwrap_or_default();
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let script = format!(
            "set -u; source bash/twinpath; complete -p twinpath >/dev/null; COMP_WORDS=({}); COMP_CWORD={}; \
             _twinpath twinpath '{last}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            words.len() - 1
        );
        let output = output("bash", &["--norc", "-c", &script], directory.path())?;
        Some(offered(&output))
    };
    let Some(commands) = offers(&["twinpath", "re"]) else {
        return;
    };
    assert_eq!(commands, ["responder", "report"]);
    let options = offers(&["twinpath", "sender", "--start"]).unwrap();
    assert_eq!(options, ["--start-delay"]);
    let forms = offers(&["twinpath", "sender", "192.0.2.1", "--output", ""]).unwrap();
    assert_eq!(forms, ["text", "json", "jsonl", "csv", "prometheus"]);
    let classes = offers(&["twinpath", "responder", "--dscp", "af4"]).unwrap();
    assert_eq!(classes, ["af41", "af42", "af43"]);
    std::fs::write(directory.path().join("lab.keys"), "").unwrap();
    let files = offers(&["twinpath", "server", "--keys", "lab"]).unwrap();
    assert_eq!(files, ["lab.keys"]);
}

#[test]
fn fish_completes_commands_options_and_values() {
    let directory = written();
    let offers = |line: &str| {
        let script = format!("source fish/twinpath.fish; complete -C '{line}'");
        let output = output("fish", &["--no-config", "-c", &script], directory.path())?;
        let words = offered(&output);
        let words = words
            .iter()
            .map(|line| line.split('\t').next().unwrap_or_default().to_owned());
        Some(words.collect::<Vec<_>>())
    };
    let Some(commands) = offers("twinpath re") else {
        return;
    };
    assert_eq!(commands, ["report", "responder"]);
    assert_eq!(
        offers("twinpath sender --start").unwrap(),
        ["--start-delay"]
    );
    let mut forms = offers("twinpath sender 192.0.2.1 --output ").unwrap();
    forms.sort();
    assert_eq!(forms, ["csv", "json", "jsonl", "prometheus", "text"]);
    assert_eq!(
        offers("twinpath responder --dscp af4").unwrap(),
        ["af41", "af42", "af43"]
    );
    let parsed = output(
        "fish",
        &["--no-execute", "fish/twinpath.fish"],
        directory.path(),
    )
    .unwrap();
    assert_eq!(
        (said(&parsed).as_str(), parsed.status.success()),
        ("", true)
    );
}

/// A terminal of zsh's own is driven, as its completion runs nowhere else.
#[test]
fn zsh_completes_commands_options_and_values() {
    let directory = written();
    let Some(parsed) = output("zsh", &["-n", "zsh/_twinpath"], directory.path()) else {
        return;
    };
    assert_eq!(
        (said(&parsed).as_str(), parsed.status.success()),
        ("", true)
    );
    std::fs::write(
        directory.path().join("drive.zsh"),
        include_str!("drive.zsh"),
    )
    .unwrap();
    let shows = |line: &str| {
        let output = output("zsh", &["-f", "drive.zsh", line], directory.path()).unwrap();
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    for (line, parts) in [
        (
            "twinpath re",
            &["responder", "report", "Reflect probes"][..],
        ),
        ("twinpath sender --start-d", &["--start-delay "]),
        (
            "twinpath sender 192.0.2.1 --output ",
            &["jsonl", "prometheus"],
        ),
        ("twinpath responder --dscp af4", &["af41", "af43"]),
    ] {
        let screen = shows(line);
        for part in parts {
            assert!(screen.contains(part), "{line}: {part}: {screen}");
        }
    }
}

#[test]
fn completions_parse() {
    let text = String::from_utf8(script(Shell::Bash)).unwrap();
    let directory = written();
    if let Some(parsed) = output("bash", &["-n", "bash/twinpath"], directory.path()) {
        assert_eq!(
            (said(&parsed).as_str(), parsed.status.success()),
            ("", true)
        );
    }
    // Each command has a case.
    for command in man::program().get_subcommands() {
        let name = command.get_name().replace('-', "__subcmd__");
        let case = format!("twinpath__subcmd__{name})");
        assert!(text.contains(&case), "{case}");
    }
}
