//! Completions for bash, zsh and fish.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;
use twinpath_wire::Dscp;

/// Each shell, and the name that it looks for.
pub(crate) const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "twinpath"),
    (Shell::Zsh, "_twinpath"),
    (Shell::Fish, "twinpath.fish"),
];

/// Writes them to a directory for each shell, and says for how many.
///
/// # Errors
/// A directory cannot be made or written to.
pub(crate) fn write(out: &Path) -> Result<usize> {
    for (shell, file) in SHELLS {
        let directory = out.join(shell.to_string());
        std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        let path = directory.join(file);
        std::fs::write(&path, script(shell)).with_context(|| path.display().to_string())?;
    }
    Ok(SHELLS.len())
}

/// The completions of a shell.
pub(crate) fn script(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut command(), "twinpath", &mut out);
    out
}

/// The command line, each value with what a shell can offer for it.
fn command() -> Command {
    twinpath::inside::command_line().mut_subcommands(|command| command.mut_args(hinted))
}

/// By the name of its value: hosts, files, DSCPs. Of numbers and times there is nothing to offer.
fn hinted(arg: Arg) -> Arg {
    if !arg.get_action().takes_values() || !arg.get_possible_values().is_empty() {
        return arg;
    }
    let names = arg.get_value_names().unwrap_or_default();
    let name = names.first().map(ToString::to_string).unwrap_or_default();
    if ["FAR", "SERVER", "SENDER"]
        .iter()
        .any(|host| name.starts_with(host))
    {
        arg.value_hint(ValueHint::Hostname)
    } else if name.starts_with("FILE") {
        arg.value_hint(ValueHint::FilePath)
    } else if name.starts_with("NAME|0-63") {
        arg.value_parser(PossibleValuesParser::new(Dscp::NAMES.map(|(name, _)| name)))
    } else {
        arg.value_hint(ValueHint::Other)
    }
}
