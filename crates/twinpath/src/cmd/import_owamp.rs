//! `twinpath import-owamp`.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use twinpath_runtime::keys::{self, Access, KeysError};
use zeroize::Zeroizing;

use super::unwritten;
use crate::args::ImportOwampArgs;
use crate::failure::{Exit, Failure, one_line};
use crate::files::{self, Readers};
use crate::output::units::count;
use crate::output::{print_to_stderr, stdout};
use crate::owamp::{
    Config, Fault, Imported, MOST_OCTETS, PassphraseStore, Place, Policy, aes_keys, imported,
};

/// How twampd's files are named before the dot, the newer way first.
const BASES: [&str; 2] = ["twamp-server", "twampd"];
const KINDS: [&str; 4] = ["conf", "limits", "pfs", "keys"];
/// What is written into a directory.
const LIMITS: &str = "server.limits";
const KEYS: &str = "server.keys";
const CONF: &str = "server.conf";

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::usage(fault.to_string())
    }
}

pub(super) fn run(args: &ImportOwampArgs) -> Result<Exit, Failure> {
    let source = Source::find(&args.from)?;
    let server = source.server()?;
    let result = match &args.to {
        Some(directory) => Target::new(directory)?.write(&server, args.force)?,
        None => shown(&server),
    };
    source.warn();
    for remark in &server.remarks {
        let kind = if remark.is_warning { "warning" } else { "note" };
        print_to_stderr(&format!("{kind}: {}", one_line(&remark.to_string())));
    }
    let mut out = stdout();
    let written = out.write_all(result.as_bytes()).and_then(|()| out.flush());
    written.map_or_else(|error| unwritten(&error), |()| Ok(Exit::Done))
}

/// The files of a twampd.
struct Source {
    directory: PathBuf,
    base: &'static str,
}

impl Source {
    fn find(directory: &Path) -> Result<Self, Failure> {
        let is_there = |base: &&str| {
            let mut paths = KINDS
                .iter()
                .map(|kind| directory.join(format!("{base}.{kind}")));
            paths.any(|path| path.symlink_metadata().is_ok())
        };
        let base = BASES.into_iter().find(is_there).ok_or_else(|| {
            let line = format!(
                "{}: no twamp-server.conf, .limits or .pfs in it, and no twampd.conf, .limits, .pfs or .keys",
                directory.display()
            );
            Failure::could_not(line).with_remedy(Some("give the directory of twampd's configuration"))
        })?;
        Ok(Self {
            directory: directory.to_owned(),
            base,
        })
    }

    fn path(&self, kind: &str) -> PathBuf {
        self.directory.join(format!("{}.{kind}", self.base))
    }

    /// The path of one of its files, if there is one, and how messages name it.
    fn file(&self, kind: &str) -> Option<(PathBuf, String)> {
        let path = self.path(kind);
        let name = path.display().to_string();
        path.symlink_metadata().is_ok().then_some((path, name))
    }

    fn server(&self) -> Result<Imported, Failure> {
        let config = match self.file("conf") {
            Some((path, name)) => Config::parse(&name, &text(&path)?)?,
            None => Config::default(),
        };
        let policy = match self.file("limits") {
            Some((path, name)) => Policy::parse(&name, &text(&path)?)?,
            None => Policy::default(),
        };
        let store = self.store()?;
        let store = store.as_ref().map(|(name, store)| (name.as_str(), store));
        let aes = match self.file("keys") {
            Some((path, name)) => {
                let place = |(line, id)| {
                    let file = name.clone();
                    (Place { file, line }, id)
                };
                aes_keys(&octets(&path)?).into_iter().map(place).collect()
            }
            None => Vec::new(),
        };
        imported(&config, &policy, store, &aes).map_err(|why| {
            let line = format!("{}: {why}", self.directory.display());
            Failure::usage(line)
        })
    }

    fn store(&self) -> Result<Option<(String, PassphraseStore)>, Failure> {
        let Some((path, name)) = self.file("pfs") else {
            return Ok(None);
        };
        // Other users may be able to read it: a warning says so, and its keys go into a file of one owner.
        match keys::read(&path, Access::Anybody) {
            Ok(store) => Ok(Some((name, store))),
            Err(KeysError::Empty { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is wrong with the files themselves.
    fn warn(&self) {
        let other = BASES.into_iter().filter(|base| *base != self.base);
        for base in other {
            let found = Self {
                directory: self.directory.clone(),
                base,
            };
            let names = KINDS.iter().filter_map(|kind| found.file(kind));
            for (_, name) in names {
                let text = format!("warning: {name}: not read, as there is {}.*", self.base);
                print_to_stderr(&one_line(&text));
            }
        }
        if let Some((path, name)) = self.file("pfs")
            && is_exposed(&path)
        {
            let text = format!(
                "warning: {name}: other users can read it; give its identities new passphrases"
            );
            print_to_stderr(&one_line(&text));
        }
    }
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|about| about.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &Path) -> bool {
    false
}

/// All of a file, which may have secrets.
fn octets(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::could_not(format!("cannot read {}: {why}", path.display()))
    };
    let file = files::open(path).map_err(|why| failed(&why))?;
    let mut octets = Zeroizing::new(Vec::with_capacity(MOST_OCTETS + 1));
    let most = MOST_OCTETS as u64 + 1;
    file.take(most)
        .read_to_end(&mut octets)
        .map_err(|why| failed(&why))?;
    if octets.len() > MOST_OCTETS {
        let line = format!("{} has more than {MOST_OCTETS} octets", path.display());
        return Err(Failure::usage(line));
    }
    Ok(octets)
}

fn text(path: &Path) -> Result<String, Failure> {
    let octets = octets(path)?;
    let text = std::str::from_utf8(&octets).map_err(|error| {
        let valid = octets.get(..error.valid_up_to()).unwrap_or_default();
        let line = valid.split(|octet| *octet == b'\n').count();
        Failure::usage(format!("{}:{line}: not UTF-8 text", path.display()))
    })?;
    Ok(text.to_owned())
}

/// A directory for our files.
struct Target(PathBuf);

impl Target {
    fn new(directory: &Path) -> Result<Self, Failure> {
        let failed = |why: &std::io::Error| {
            let line = format!("cannot use --to {}: {why}", directory.display());
            Failure::could_not(line).with_remedy(Some(files::remedy(why)))
        };
        let whole = directory.canonicalize().map_err(|why| failed(&why))?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
        if !whole
            .to_str()
            .is_some_and(|path| path.chars().all(is_plain))
        {
            let line = format!("--to {}: no name for OPTIONS", whole.display());
            let remedy = "use a directory whose name has letters, digits, dots and dashes only";
            return Err(Failure::usage(line).with_remedy(Some(remedy)));
        }
        Ok(Self(whole))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes all files, the keys first, and says which.
    fn write(&self, server: &Imported, replaces: bool) -> Result<String, Failure> {
        let has_keys = !server.key_ids.is_empty();
        let directory = format!("{}/", self.0.display());
        let (limits, conf) = (limits(server), conf(server, &directory));
        let mut new = vec![
            (LIMITS, limits.as_bytes(), Readers::Usual),
            (CONF, conf.as_bytes(), Readers::Usual),
        ];
        if has_keys {
            new.insert(0, (KEYS, &server.keys, Readers::Owner));
        }
        let paths = new.iter().map(|(name, ..)| self.path(name));
        let mut there = paths.filter(|path| path.symlink_metadata().is_ok());
        if let Some(path) = there.next().filter(|_| !replaces) {
            let line = format!("{} exists, nothing is written", path.display());
            return Err(Failure::could_not(line)
                .with_remedy(Some("use --force to replace it, or another directory")));
        }
        for (name, octets, readers) in new {
            let path = self.path(name);
            files::write_new(&path, octets, readers, replaces).map_err(|why| {
                let line = format!("cannot write {}: {why}", path.display());
                Failure::could_not(line).with_remedy(Some(why.remedy()))
            })?;
        }
        let mut said = format!(
            "{directory}{LIMITS}: {}\n",
            count(server.limits.len() as u64, "limit", "limits")
        );
        if has_keys {
            let keys = count(server.key_ids.len() as u64, "key", "keys");
            let _ = writeln!(said, "{directory}{KEYS}: {keys}");
        }
        let _ = writeln!(
            said,
            "{directory}{CONF}: options of twinpath-server.service"
        );
        let _ = writeln!(said, "{}", command_line(server, &directory));
        Ok(said)
    }
}

/// What would be written, without secrets.
fn shown(server: &Imported) -> String {
    let mut text = format!(
        "==> {LIMITS}\n{}\n==> {CONF}\n{}\n",
        limits(server),
        conf(server, "")
    );
    if !server.key_ids.is_empty() {
        let _ = writeln!(text, "==> {KEYS}: passphrases of");
        for id in &server.key_ids {
            let _ = writeln!(text, "{}", one_line(id));
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{}", command_line(server, ""));
    text
}

/// The file of limits.
fn limits(server: &Imported) -> String {
    let heading = "# Limits of twinpath server, from the configuration of twampd. SIGHUP has them read again.";
    format!("{heading}\n{}\n", server.limits.join("\n"))
}

/// The options of the service. `directory`: where files are, with a slash.
fn conf(server: &Imported, directory: &str) -> String {
    let mut text =
        String::from("# Options of twinpath-server.service, from the configuration of twampd.\n");
    let mut options = format!("--limits {directory}{LIMITS}");
    if let Some(near) = &server.near {
        let _ = writeln!(
            text,
            "# The address and port {near} are for ListenStream= of twinpath-server.socket (systemctl edit)."
        );
    }
    if !server.key_ids.is_empty() {
        let _ = writeln!(
            text,
            "# Keys: install -m 600 {directory}{KEYS} /etc/credstore/twinpath-server.keys"
        );
        options.push_str(" --keys credential:keys");
    }
    for word in &server.options {
        let _ = write!(options, " {word}");
    }
    let _ = writeln!(text, "OPTIONS=\"{options}\"");
    text
}

/// The server without a service manager.
fn command_line(server: &Imported, directory: &str) -> String {
    let mut line = "twinpath server".to_owned();
    if let Some(near) = &server.near {
        let _ = write!(line, " {near}");
    }
    let _ = write!(line, " --limits {directory}{LIMITS}");
    if !server.key_ids.is_empty() {
        let _ = write!(line, " --keys {directory}{KEYS}");
    }
    for word in &server.options {
        let _ = write!(line, " {word}");
    }
    line
}
