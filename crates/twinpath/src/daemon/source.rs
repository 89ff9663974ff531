//! Where a configuration comes from.

mod record;
mod replacing;
mod saving;
mod unconfirmed;

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tracing::warn;
use twinpath_yang::diff::{diff, line};
#[cfg(unix)]
use twinpath_yang::json::{self, Layout};
use twinpath_yang::toml::{self, Document, FileFault, Reader};
use twinpath_yang::{Children, Fault, Scope, Select, validate};

use crate::failure::Failure;
use crate::files;

use super::mesh;
use super::model::{MODULE, Model, model};
use super::settings::Settings;

pub(in crate::daemon) use unconfirmed::Step;
pub(crate) use unconfirmed::Unconfirmed;

/// The most octets of a file: 10,000 sessions, and as much again.
const MOST_OCTETS: u64 = toml::MAX_TEXT as u64;
/// The most files of a directory.
const MOST_FILES: usize = 1_000;
/// Of more faults only the number is said.
const MOST_FAULTS: usize = 50;
/// Where its page is, if that is free.
const PAGE_PORT: u16 = 8_862;
/// The port of its responder where none is free.
const DEMONSTRATION_PORT: u16 = 20_001;

/// A file, a directory of files, or the demonstration.
pub(crate) enum Source {
    Path(PathBuf),
    /// A responder and a session to it on loopback, stored in a directory that ends with the program.
    Demonstration(TempDir),
}

/// A configuration without a fault.
pub(crate) struct Configuration {
    pub(crate) settings: Settings,
    document: Document,
    model: &'static Model,
}

impl Source {
    /// The demonstration, where no path is given.
    ///
    /// # Errors
    /// There can be no directory for it.
    pub(crate) fn of(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            let directory = tempfile::Builder::new().prefix("twinpath-").tempdir();
            let directory = directory.map_err(|error| {
                Failure::could_not(format!("cannot make a temporary directory: {error}"))
            })?;
            return Ok(Self::Demonstration(directory));
        };
        Ok(Self::Path(path.to_owned()))
    }

    /// Removes what is made for this run only: threads that go on may hold the rest until the program ends.
    pub(crate) fn remove_directory(&self) {
        let Self::Demonstration(directory) = self else {
            return;
        };
        if let Err(error) = fs::remove_dir_all(directory.path()) {
            warn!("cannot remove {}: {error}", directory.path().display());
        }
    }

    /// Its page may be at another port.
    pub(crate) fn is_demonstration(&self) -> bool {
        matches!(self, Self::Demonstration(_))
    }

    /// What is read, by its option.
    pub(crate) fn read_files(&self) -> Vec<(&'static str, &Path)> {
        match self {
            Self::Path(path) => vec![("--config", path)],
            Self::Demonstration(_) => Vec::new(),
        }
    }

    /// The configuration as it is now.
    ///
    /// # Errors
    /// A file cannot be read, or has a fault: all of them, each with its line.
    pub(crate) fn read(&self) -> Result<Configuration, Failure> {
        configuration(&self.files()?)
    }

    /// The same, after what [`Self::recover`] could not restore in the files.
    ///
    /// # Errors
    /// As of [`Self::read`].
    pub(crate) fn read_recovered(
        &self,
        unconfirmed: &Unconfirmed,
    ) -> Result<Configuration, Failure> {
        let mut files = self.files()?;
        if let Some(place) = self.place() {
            unconfirmed.overlay(&place, &mut files);
        }
        configuration(&files)
    }

    /// All files.
    fn files(&self) -> Result<Vec<File>, Failure> {
        let path = match self {
            Self::Demonstration(store) => {
                return Ok(vec![File {
                    path: "the demonstration".into(),
                    text: demonstration(store.path()),
                }]);
            }
            Self::Path(path) => path,
        };
        let paths = toml_files(path)?.into_iter();
        let files = paths.map(|path| {
            let text = text(&path)?;
            Ok(File { path, text })
        });
        files.collect()
    }
}

/// A file as it is.
struct File {
    path: PathBuf,
    text: String,
}

/// What files say.
fn configuration(files: &[File]) -> Result<Configuration, Failure> {
    let model = model()?;
    let (document, mut faults) = read_document(model, files);
    let found = validate(&model.schema, &document.root, Scope::Config);
    faults.extend(found.into_iter().map(|fault| document.locate(fault)));
    // What an entry means is not known where some of it is missing.
    all_of(faults)?;
    match Settings::of(model, &document.root) {
        Ok(settings) => Ok(Configuration {
            settings,
            document,
            model,
        }),
        Err(faults) => {
            let faults = faults.into_iter();
            all_of(faults.map(|fault| document.locate(fault)).collect())?;
            Err(Failure::usage("a configuration with faults"))
        }
    }
}

/// What files say, and their faults.
fn read_document(model: &Model, files: &[File]) -> (Document, Vec<FileFault>) {
    let mut reader = Reader::new(&model.schema, &model.roots);
    for file in files {
        reader.add(&file.path.display().to_string(), &file.text);
    }
    reader.finish()
}

impl Configuration {
    /// Another tree as a configuration, which no file has yet.
    ///
    /// # Errors
    /// All that no configuration can mean.
    pub(super) fn with_root(&self, root: Children) -> Result<Self, Vec<Fault>> {
        let model = self.model;
        let faults = validate(&model.schema, &root, Scope::Config);
        if !faults.is_empty() {
            return Err(faults);
        }
        let settings = Settings::of(model, &root)?;
        let mut document = Document::default();
        document.root = root;
        Ok(Self {
            settings,
            document,
            model,
        })
    }

    /// The tree.
    pub(super) fn root(&self) -> &Children {
        &self.document.root
    }

    /// Whether this host has what its entries need, such as key files.
    ///
    /// # Errors
    /// What it lacks.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let lacks = self.settings.lacks(self.model, &self.document.root);
        let lacks = lacks.into_iter();
        all_of(lacks.map(|fault| self.document.locate(fault)).collect())
    }

    /// What to say of a configuration that is valid and runs nothing.
    pub(crate) fn remark(&self) -> Option<&'static str> {
        let line = "the configuration runs nothing: it has no [[session]], [[group]], [[responder]], [[server]] or [mesh] that is enabled";
        self.settings.run_nothing().then_some(line)
    }

    /// What this host lacks of the files and programs of actions and exports, without which it measures.
    pub(super) fn lacks_beside(&self) -> Vec<String> {
        let lacks = self
            .settings
            .lacks_beside(self.model, &self.document.root)
            .into_iter();
        lacks
            .map(|fault| self.document.locate(fault).to_string())
            .collect()
    }

    /// As one TOML file.
    pub(crate) fn to_toml(&self) -> String {
        toml::write(&self.model.schema, &self.model.roots, &self.document.root)
    }

    /// As JSON (RFC 7951), in the form of RESTCONF's datastore.
    #[cfg(unix)]
    pub(crate) fn to_json(&self) -> String {
        let data = json::write(
            &self.model.schema,
            None,
            &self.document.root,
            Layout::Compact,
        );
        format!("{{\"ietf-restconf:data\":{data}}}")
    }

    /// What another configuration changes, a line for each node.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let Model { schema, roots, .. } = self.model;
        let root = twinpath_yang::Path::root().join(roots.main, Select::All);
        let changes = diff(schema, &self.document.root, &other.document.root);
        let lines = changes.iter().map(|change| line(schema, &root, change));
        lines.collect()
    }
}

/// One failure that says all of these, as far as there are some.
pub(super) fn all_of(mut faults: Vec<FileFault>) -> Result<(), Failure> {
    faults.sort_by_key(|fault| {
        let place = fault.place.as_ref();
        place.map(|place| (place.file.clone(), place.line))
    });
    let more = faults.len().saturating_sub(MOST_FAULTS);
    let shown = faults.iter().take(MOST_FAULTS);
    let mut failures: Vec<Failure> = shown
        .map(|fault| Failure::usage(fault.to_string()))
        .collect();
    if more > 0 {
        failures.push(Failure::usage(format!("{more} more faults")));
    }
    match failures.pop() {
        None => Ok(()),
        Some(last) => Err(last.after(failures)),
    }
}

/// The file, or the `.toml` files of a directory in the order of their names.
fn toml_files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| cannot_read(path, &error))? {
        let file = entry.map_err(|error| cannot_read(path, &error))?.path();
        let name = file.file_name().unwrap_or_default();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if file.extension().is_some_and(|it| it == "toml") && !is_hidden {
            found.push(file);
        }
        if found.len() > MOST_FILES {
            let line = format!("{} has more than {MOST_FILES} .toml files", path.display());
            return Err(Failure::usage(line));
        }
    }
    found.sort();
    if found.is_empty() {
        let line = format!("{} has no .toml file", path.display());
        return Err(Failure::usage(line));
    }
    Ok(found)
}

fn cannot_read(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::could_not(format!("cannot read {}: {error}", path.display()))
}

/// All of a file.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let file = files::open(path).map_err(|error| cannot_read(path, &error))?;
    let mut octets = Vec::new();
    file.take(MOST_OCTETS + 1)
        .read_to_end(&mut octets)
        .map_err(|error| cannot_read(path, &error))?;
    if octets.len() as u64 > MOST_OCTETS {
        let line = format!("{} has more than {MOST_OCTETS} octets", path.display());
        return Err(Failure::usage(line).with_remedy(Some("use a directory of several files")));
    }
    String::from_utf8(octets).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let valid = error.as_bytes().get(..valid).unwrap_or_default();
        let line = valid.split(|octet| *octet == b'\n').count();
        Failure::usage(format!("{}:{line}: not UTF-8 text", path.display()))
    })
}

/// A responder and a session to it on loopback, at a port that is free now.
fn demonstration(store: &Path) -> String {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
    let port = socket.map_or(DEMONSTRATION_PORT, |address| address.port());
    let mut text = String::new();
    // Memory takes it.
    let _ = write!(
        text,
        "[api]\nlisten = \"127.0.0.1:{PAGE_PORT}\"\n\n[store]\npath = {}\n\n[[responder]]\nname = \"responder\"\naddress = \"127.0.0.1:{port}\"\n\n\
         [[session]]\nname = \"loopback\"\naddress = \"127.0.0.1:{port}\"\n\
         interval = \"100ms\"\nreport-interval = \"5s\"\ntimeout = \"1s\"\n",
        quoted(&store.display().to_string())
    );
    text
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// The text of a YANG module of the schema.
///
/// # Errors
/// It has none of this name.
pub(crate) fn module_text(module: Option<&str>) -> Result<&'static str, Failure> {
    let modules = || -> Result<_, Failure> {
        let documents = mesh::schema()?.modules();
        let own = documents.filter(|(_, module)| module.is_implemented);
        Ok(model()?.schema.modules().chain(own))
    };
    let name = module.unwrap_or(MODULE);
    let found = modules()?.find(|(_, module)| &*module.name == name);
    if let Some((_, module)) = found {
        return Ok(&module.text);
    }
    let names: Vec<&str> = modules()?.map(|(_, module)| &*module.name).collect();
    let line = format!("no module is called {name}: use {}", names.join(", "));
    Err(Failure::usage(line))
}
