//! Man pages: one for the program and one for each command, with every option of `--help`.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Command;
use clap::builder::PossibleValue;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::pages::Page;
use crate::text::{AfterHelp, Example};

/// Where packages put the guides.
const GUIDES: &str = "/usr/share/doc/twinpath";

/// A man page, named `twinpath-sender.1`.
pub(crate) struct ManPage {
    pub(crate) file: String,
    pub(crate) text: String,
}

/// Writes all pages, and says how many.
///
/// # Errors
/// The directory cannot be made or written to.
pub(crate) fn write(out: &Path) -> Result<usize> {
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let pages = all(&date())?;
    for page in &pages {
        let path = out.join(&page.file);
        std::fs::write(&path, &page.text).with_context(|| path.display().to_string())?;
    }
    Ok(pages.len())
}

/// All pages, with this date.
///
/// # Errors
/// A command has no description in `pages.rs`.
pub(crate) fn all(date: &str) -> Result<Vec<ManPage>> {
    let program = program();
    let mut pages = vec![page(&program, &program, date)?];
    for command in program.get_subcommands() {
        pages.push(page(&program, command, date)?);
    }
    Ok(pages)
}

/// The program's command line, ready to be read.
pub(crate) fn program() -> Command {
    let mut program = twinpath::inside::command_line().disable_help_subcommand(true);
    program.build();
    program
}

/// The day of `SOURCE_DATE_EPOCH`, or today: a reproducible build sets it.
fn date() -> String {
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
    let seconds = epoch.and_then(|seconds| seconds.parse().ok());
    let at = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let at = at.unwrap_or_else(jiff::Timestamp::now);
    at.strftime("%Y-%m-%d").to_string()
}

fn page(program: &Command, command: &Command, date: &str) -> Result<ManPage> {
    let is_program = command.get_name() == program.get_name();
    let name = command.get_display_name().unwrap_or(command.get_name());
    let prose = Page::of(if is_program { "" } else { command.get_name() })
        .with_context(|| format!("pages.rs has no description of {name}"))?;
    let help = command.get_after_help().map(ToString::to_string);
    let help = AfterHelp::of(&help.unwrap_or_default());

    let mut out = Vec::new();
    let version = program.get_version().unwrap_or_default();
    let title = Man::new(command.clone())
        .title(name.to_uppercase())
        .date(date)
        .source(format!("twinpath {version}"))
        .manual("Network measurement");
    title.render_title(&mut out)?;
    title.render_name_section(&mut out)?;
    let mut text = String::from_utf8(out)?;
    // A hyphen at the end of a line could be taken for one of an option's name.
    text = text.replacen(".SH NAME", ".nh\n.ad l\n.SH NAME", 1);

    let mut roff = Roff::new();
    synopsis(&mut roff, command);
    roff.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut roff, prose.description);
    if is_program {
        commands(&mut roff, program);
    }
    text.push_str(&roff.to_roff());
    text.push_str(&options(command)?);

    let mut roff = Roff::new();
    if let Some(signals) = &help.signals {
        roff.control("SH", ["SIGNALS"]);
        roff.text([roman(format!("{signals}."))]);
    }
    exit_status(&mut roff, prose, &help);
    environment(&mut roff, command);
    files(&mut roff, command);
    examples(&mut roff, &help.examples);
    notes(&mut roff, &help.notes);
    see_also(&mut roff, program, prose, is_program);
    text.push_str(&roff.to_roff());
    Ok(ManPage {
        file: format!("{name}.1"),
        text,
    })
}

fn synopsis(roff: &mut Roff, command: &Command) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let rest = usage.strip_prefix(name).unwrap_or(usage);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(name), roman(rest)]);
}

fn paragraphs(roff: &mut Roff, paragraphs: &[&str]) {
    for (place, paragraph) in paragraphs.iter().enumerate() {
        if place > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*paragraph)]);
    }
}

fn commands(roff: &mut Roff, program: &Command) {
    roff.control("SH", ["COMMANDS"]);
    for command in program.get_subcommands() {
        roff.control("TP", []);
        roff.text(reference(&format!("twinpath-{}", command.get_name())));
        let about = command.get_about().map(ToString::to_string);
        roff.text([roman(about.unwrap_or_default())]);
    }
}

/// `twinpath-sender(1)`.
fn reference(page: &str) -> Vec<Inline> {
    vec![bold(page), roman("(1)")]
}

/// Arguments, then options under the headings of `--help`.
fn options(command: &Command) -> Result<String> {
    let only = |positional: bool| {
        let shown = |arg: clap::Arg| {
            let hidden = arg.is_hide_set() || arg.is_positional() != positional;
            with_values_in_help(arg).hide(hidden)
        };
        let command = command.clone().mut_args(shown);
        let any = command.get_arguments().any(|arg| !arg.is_hide_set());
        any.then_some(command)
    };
    let mut text = String::new();
    if let Some(arguments) = only(true) {
        let arguments = rendered(arguments)?;
        text.push_str(&arguments.replacen(".SH OPTIONS", ".SH ARGUMENTS", 1));
    }
    if let Some(options) = only(false) {
        let headings: Vec<String> = options
            .get_arguments()
            .filter_map(|arg| arg.get_help_heading().map(str::to_owned))
            .collect();
        for line in rendered(options)?.lines() {
            // A heading of the help is a part of one section.
            let heading = line.strip_prefix(".SH ").map(|name| name.trim_matches('"'));
            let named = |name: &str| headings.iter().find(|it| it.to_uppercase() == name);
            if let Some(heading) = heading.and_then(named) {
                let mut part = Roff::new();
                part.control("SS", [heading.as_str()]);
                text.push_str(&part.to_roff());
            } else {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    Ok(text)
}

/// A list of values goes on in the text, as in `--help`, rather than as a line for each.
fn with_values_in_help(arg: clap::Arg) -> clap::Arg {
    let values = arg.get_possible_values();
    let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
    if names.is_empty() || !arg.get_action().takes_values() {
        return arg;
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = format!("{help} [possible values: {}]", names.join(", "));
    arg.help(help).hide_possible_values(true)
}

fn rendered(command: Command) -> Result<String> {
    let mut out = Vec::new();
    Man::new(command).render_options_section(&mut out)?;
    Ok(String::from_utf8(out)?)
}

fn exit_status(roff: &mut Roff, prose: &Page, help: &AfterHelp) {
    roff.control("SH", ["EXIT STATUS"]);
    let own = prose
        .exit
        .iter()
        .map(|(status, meaning)| ((*status).to_owned(), (*meaning).to_owned()));
    for (status, meaning) in own.chain(help.exit.iter().cloned()) {
        roff.control("TP", []);
        roff.text([bold(status)]);
        roff.text([roman(meaning)]);
    }
}

fn environment(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["ENVIRONMENT"]);
    let mut variable = |name: &str, meaning: &str| {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(meaning)]);
    };
    if has(command, "key-id") {
        variable(
            "TWINPATH_PASSPHRASE",
            "Passphrase of the key, where --keys names no file. It is removed from the environment once it is read.",
        );
    }
    variable(
        "NO_COLOR",
        "If it is set and not empty, output has no colours.",
    );
    variable("TERM", "If it is dumb, output has no colours.");
}

fn files(roff: &mut Roff, command: &Command) {
    let kept = [
        (
            "keys",
            "Keys of TWAMP's secured modes (--keys): \"KEY-ID passphrase\", one a line; mode 0600.",
        ),
        (
            "hmac-key-file",
            "Keys of authenticated STAMP (--hmac-key-file): \"HEX\", \"ssid N HEX\" or \"prefix CIDR HEX\", one a line; \
             mode 0600.",
        ),
        (
            "limits",
            "Who is answered, how much and how fast (--limits): an option a line, without the dashes.",
        ),
    ];
    roff.control("SH", ["FILES"]);
    for (option, meaning) in kept {
        if has(command, option) {
            let name = if option == "hmac-key-file" {
                "stamp-keys"
            } else {
                option
            };
            roff.control("TP", []);
            roff.text([italic(format!("/etc/twinpath/{name}"))]);
            roff.text([roman(meaning)]);
        }
    }
    roff.control("TP", []);
    roff.text([italic(GUIDES)]);
    roff.text([roman("The guides, where a package is installed.")]);
}

fn has(command: &Command, option: &str) -> bool {
    command
        .get_arguments()
        .any(|arg| arg.get_long() == Some(option))
}

fn examples(roff: &mut Roff, examples: &[Example]) {
    if examples.is_empty() {
        return;
    }
    roff.control("SH", ["EXAMPLES"]);
    for example in examples {
        let form = if example.comment.is_some() {
            "TP"
        } else {
            "PP"
        };
        roff.control(form, []);
        roff.text([bold(&*example.line)]);
        if let Some(comment) = &example.comment {
            roff.text([roman(comment)]);
        }
    }
}

fn notes(roff: &mut Roff, notes: &[Vec<String>]) {
    if notes.is_empty() {
        return;
    }
    roff.control("SH", ["NOTES"]);
    for (place, lines) in notes.iter().enumerate() {
        if place > 0 {
            roff.control("PP", []);
        }
        for line in lines {
            // An indented line is what to type.
            match line.strip_prefix("  ") {
                Some(line) => {
                    roff.control("RS", []);
                    roff.text([bold(line)]);
                    roff.control("RE", []);
                }
                None => {
                    roff.text([roman(line)]);
                }
            }
        }
    }
}

fn see_also(roff: &mut Roff, program: &Command, prose: &Page, is_program: bool) {
    roff.control("SH", ["SEE ALSO"]);
    // A smaller build lacks some.
    let known = prose
        .see
        .iter()
        .filter(|name| program.find_subcommand(name).is_some());
    let others = known.map(|name| format!("twinpath-{name}"));
    let first = (!is_program).then(|| "twinpath".to_owned());
    let mut line = Vec::new();
    for page in first.into_iter().chain(others) {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend(reference(&page));
    }
    roff.text(line);
    for guide in prose.guides {
        roff.control("PP", []);
        roff.text([italic(format!("{GUIDES}/{guide}"))]);
    }
}
