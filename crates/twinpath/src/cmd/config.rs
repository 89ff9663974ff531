//! `twinpath config`.

use std::io::Write as _;
use std::path::Path;

use super::unwritten;
use crate::args::{ConfigArgs, ConfigCommand};
use crate::daemon::mesh::{self, MeshDocument};
use crate::daemon::{self, Configuration, Source};
use crate::failure::{Exit, Failure};
use crate::output::{print_to_stderr, stdout};

pub(super) fn run(args: &ConfigArgs) -> Result<Exit, Failure> {
    match &args.command {
        ConfigCommand::Check { file } => {
            let configuration = read(file)?;
            configuration.check()?;
            if let Some(remark) = configuration.remark() {
                print_to_stderr(&format!("note: {remark}"));
            }
            Ok(Exit::Done)
        }
        #[cfg(unix)]
        ConfigCommand::Apply { file, socket } => {
            for setting in read(file)?.apply(socket.as_deref())? {
                let line = format!("note: {setting} changes when the daemon is started again");
                print_to_stderr(&line);
            }
            Ok(Exit::Done)
        }
        ConfigCommand::Show { file } => print(&read(file)?.to_toml(), Exit::Done),
        ConfigCommand::Diff { from, to } => {
            let differences = read(from)?.differences(&read(to)?);
            let exit = if differences.is_empty() {
                Exit::Done
            } else {
                Exit::CouldNot
            };
            let lines = differences
                .iter()
                .map(|difference| format!("{difference}\n"));
            print(&lines.collect::<String>(), exit)
        }
        ConfigCommand::Mesh { file, node, keys } => {
            let document = MeshDocument::read_file(file)?;
            let text = match node {
                Some(node) => mesh::of_node(&document, node, Some(keys))?,
                None => mesh::summary(&document, Some(keys))?,
            };
            print(&text, Exit::Done)
        }
        ConfigCommand::Schema { module } => {
            print(daemon::module_text(module.as_deref())?, Exit::Done)
        }
    }
}

fn read(path: &Path) -> Result<Configuration, Failure> {
    Source::of(Some(path))?.read()
}

/// Writes a result. `exit`: with what the program ends then.
fn print(text: &str, exit: Exit) -> Result<Exit, Failure> {
    let mut out = stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_or_else(|error| unwritten(&error), |()| Ok(exit))
}
