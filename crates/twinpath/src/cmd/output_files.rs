//! Files that a command writes: all different, and none that it reads. Checked before
//! anything is opened.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A file by the option that names it.
pub(super) type Named<'a> = (&'static str, &'a Path);

/// Symbolic links to a file that is not there yet, one to the next, at most.
const LINKS: usize = 40;

/// Makes sure that nothing that is `written` takes the place of something else that is, or of what is
/// `read`.
///
/// # Errors
/// [`Failure`]: two options name one file.
pub(super) fn distinct_files(written: &[Named<'_>], read: &[Named<'_>]) -> Result<(), Failure> {
    let mut known: Vec<(Named<'_>, FileTarget)> = read
        .iter()
        .map(|named| (*named, FileTarget::of(named.1)))
        .collect();
    for (option, path) in written {
        let target = FileTarget::of(path);
        for ((other, there), known) in &known {
            if target.is(known) {
                let line = format!(
                    "{other} and {option} name the same file, {}",
                    there.display()
                );
                return Err(
                    Failure::usage(line).with_remedy(Some("use another name for one of them"))
                );
            }
        }
        known.push(((option, path), target));
    }
    Ok(())
}

/// Where a name leads to.
struct FileTarget {
    path: PathBuf,
    file: Option<Identity>,
}

impl FileTarget {
    fn of(path: &Path) -> Self {
        Self {
            path: followed(path),
            file: fs::metadata(path).ok().as_ref().and_then(identity),
        }
    }

    fn is(&self, other: &Self) -> bool {
        self.path == other.path || self.file.is_some() && self.file == other.file
    }
}

/// A path without links and detours, where the file is not there yet too.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if let Ok(there) = fs::canonicalize(&path) {
            return there;
        }
        // A link to what is not there yet: that is what opening it would make.
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = path
            .parent()
            .map_or(target.clone(), |parent| parent.join(target));
    }
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return path,
    };
    match (fs::canonicalize(parent), path.file_name()) {
        (Ok(parent), Some(name)) => parent.join(name),
        _ => path,
    }
}

/// Device and number of a file: one for all its hard links.
type Identity = (u64, u64);

/// `None` where a second one is of no harm, as of terminals.
#[cfg(unix)]
fn identity(there: &fs::Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    there.is_file().then(|| (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> Option<Identity> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_known_by_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("there"), "x").unwrap();
        fs::hard_link(at("there"), at("hard")).unwrap();
        fs::create_dir(at("below")).unwrap();
        for (link, target) in [
            ("soft", "there"),
            ("dangling", "new"),
            ("twice", "dangling"),
            ("ring", "ring"),
        ] {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        for (one, other, same) in [
            ("there", "./there", true),
            ("there", "below/../there", true),
            ("there", "hard", true),
            ("soft", "hard", true),
            ("new", "dangling", true),
            ("new", "twice", true),
            ("new", "below/../new", true),
            ("new", "below/new", false),
            ("there", "new", false),
            ("ring", "new", false),
            ("none/a", "none/b", false),
            ("none/a", "none/a", true),
        ] {
            let (one, other) = (at(one), at(other));
            let pair: [Named<'_>; 2] = [("--save", &one), ("--html", &other)];
            assert_eq!(distinct_files(&pair, &[]).is_err(), same, "{pair:?}");
            let [one, other] = pair;
            assert_eq!(distinct_files(&[one], &[other]).is_err(), same, "{pair:?}");
        }
        let read: Named<'_> = ("FILE", &at("there"));
        assert!(
            distinct_files(&[], &[read, read]).is_ok(),
            "reading a file twice is harmless"
        );
    }
}
