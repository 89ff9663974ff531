//! Files whose names come from a user: opened without waiting, and their kind.

use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::path::Path;

/// Opens `path` with these options without waiting for another program: a named pipe without a peer
/// opens at once for reading, and is refused for writing. Regular files are opened as usual.
///
/// # Errors
/// The system's error.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    options.open(path)
}

/// The kind of a file that is not a regular one, in words; `None` for a regular file.
pub fn other_kind(of: FileType) -> Option<&'static str> {
    if of.is_file() {
        return None;
    }
    if of.is_dir() {
        return Some("a directory");
    }
    if of.is_symlink() {
        return Some("a symbolic link");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if of.is_fifo() {
            return Some(PIPE);
        }
        if of.is_socket() {
            return Some("a socket");
        }
        if of.is_char_device() || of.is_block_device() {
            return Some(DEVICE);
        }
    }
    Some("not a regular file")
}

/// A named or unnamed pipe.
pub const PIPE: &str = "a pipe";
/// A character or block device.
pub const DEVICE: &str = "a device";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_without_a_writer_opens_at_once_and_is_known_as_a_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: no mkfifo here");
            return;
        }
        let file = open(&pipe, OpenOptions::new().read(true)).unwrap();
        assert_eq!(other_kind(file.metadata().unwrap().file_type()), Some(PIPE));
        drop(file);
        assert!(open(&pipe, OpenOptions::new().write(true)).is_err());
        for (path, kind) in [
            (folder.path(), Some("a directory")),
            (Path::new("/dev/null"), Some("a device")),
            (Path::new("Cargo.toml"), None),
        ] {
            let about = std::fs::metadata(path).unwrap();
            assert_eq!(other_kind(about.file_type()), kind, "{}", path.display());
        }
    }
}
