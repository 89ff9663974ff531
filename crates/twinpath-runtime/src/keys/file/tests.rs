//! Files of keys as a whole.

use std::io::Write as _;

use super::*;
use crate::keys::{KeyRing, LineFault};

const MOST_OCTETS: usize = KeyRing::MOST_OCTETS;

/// Of this format, as of any other.
fn read(path: &Path, access: Access) -> Result<KeyRing, KeysError<LineFault>> {
    super::read(path, access)
}

fn file(text: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    file
}

#[test]
fn no_error_quotes_what_stands_in_the_file() {
    for text in [
        "correct horse\ncorrect battery",
        "hunter2",
        "alice hunter2\x07",
    ] {
        let file = file(text.as_bytes());
        let error = read(file.path(), Access::OwnerOnly).unwrap_err();
        let said = format!("{error} {error:?}");
        for word in ["correct", "horse", "battery", "hunter2"] {
            assert!(!said.contains(word), "{said}");
        }
        assert!(
            error
                .to_string()
                .contains(&format!("{}:", file.path().display()))
        );
    }
}

#[test]
fn a_file_is_bounded_and_has_a_key() {
    let empty = file(b"# nothing\n");
    let read = |file: &tempfile::NamedTempFile| read(file.path(), Access::OwnerOnly);
    assert!(matches!(read(&empty), Err(KeysError::Empty { .. })));
    let mut large = vec![b'#'; MOST_OCTETS];
    assert!(matches!(read(&file(&large)), Err(KeysError::Empty { .. })));
    large.push(b'#');
    assert!(matches!(
        read(&file(&large)),
        Err(KeysError::TooLarge { .. })
    ));
    let nothing = super::read::<KeyRing>(Path::new("/no/such/file"), Access::OwnerOnly);
    assert!(matches!(nothing, Err(KeysError::Unreadable { .. })));
}

#[cfg(unix)]
#[test]
fn a_directory_and_a_device_are_no_files_and_a_pipe_is_one() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, kind) in [
        (directory.path(), "is a directory, not a key file"),
        (Path::new("/dev/null"), "is a device, not a key file"),
        (Path::new("/dev/zero"), "is a device, not a key file"),
        (&socket, "is a socket, not a key file"),
    ] {
        for access in [Access::OwnerOnly, Access::Anybody] {
            let error = read(path, access).unwrap_err();
            let said = error.to_string();
            assert!(said.contains(kind), "{said}");
        }
    }
    // What comes late is waited for.
    let (end, mut other) = io::pipe().unwrap();
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&end));
    let late = thread::spawn(move || {
        for octets in [&b"alice sec"[..], b"ret\n", b"bob other\n"] {
            thread::sleep(PIPE_POLL_EVERY * 5);
            other.write_all(octets).unwrap();
        }
    });
    let ring = read(Path::new(&path), Access::OwnerOnly).unwrap();
    late.join().unwrap();
    assert_eq!(ring.len(), 2);
    // From this one nothing comes.
    let (end, other) = io::pipe().unwrap();
    drop(other);
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&end));
    let error = read(Path::new(&path), Access::OwnerOnly).unwrap_err();
    assert!(
        error.to_string().contains("a pipe without a writer"),
        "{error}"
    );
    let (end, mut other) = io::pipe().unwrap();
    other.write_all(b"alice secret\n").unwrap();
    drop(other);
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&end));
    let ring = read(Path::new(&path), Access::OwnerOnly).unwrap();
    assert_eq!(ring.len(), 1);
}

#[cfg(unix)]
#[test]
fn a_file_of_another_user_is_refused() {
    let file = file(b"alice secret");
    let metadata = file.as_file().metadata().unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&metadata);
    assert!(closed::<LineFault>(file.path(), &metadata, Some(owner), OTHERS).is_ok());
    // The system does not tell who we are.
    assert!(closed::<LineFault>(file.path(), &metadata, None, OTHERS).is_ok());
    if std::os::unix::fs::chown(file.path(), Some(65_534), None).is_err() {
        println!("skipped in part: only root gives files away");
        return;
    }
    if twinpath_net::host::effective_user().is_none() {
        println!("skipped in part: this system does not tell who we are");
        return;
    }
    let error = read(file.path(), Access::OwnerOnly).unwrap_err();
    assert!(matches!(error, KeysError::Foreign { owner: 65_534, .. }));
    let said = error.to_string();
    assert!(said.contains("(uid 65534)"), "{said}");
    assert!(read(file.path(), Access::Anybody).is_ok());
    let metadata = file.as_file().metadata().unwrap();
    assert!(closed::<LineFault>(file.path(), &metadata, Some(65_534), OTHERS).is_ok());
    // Root may change any file anyway.
    std::os::unix::fs::chown(file.path(), Some(0), None).unwrap();
    let metadata = file.as_file().metadata().unwrap();
    assert!(closed::<LineFault>(file.path(), &metadata, Some(65_534), OTHERS).is_ok());
}

#[test]
fn who_reads_keys_leaves_no_core() {
    let file = file(b"alice secret");
    read(file.path(), Access::OwnerOnly).unwrap();
    // `None`: the system has no such thing.
    assert_ne!(twinpath_net::host::may_dump_core(), Some(true));
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_or_change_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = file(b"alice secret");
    for (mode, closed) in [
        (0o600, true),
        (0o400, true),
        (0o700, true),
        (0o640, false),
        (0o620, false),
        (0o604, false),
        (0o602, false),
        (0o666, false),
    ] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(file.path(), permissions).unwrap();
        let found = read(file.path(), Access::OwnerOnly);
        assert_eq!(found.is_ok(), closed, "{mode:o}");
        if let Err(error) = found {
            assert!(matches!(error, KeysError::Exposed { .. }), "{error}");
            let said = error.to_string();
            assert!(said.contains(&format!("(mode 0{mode:o})")), "{said}");
        }
        // The mask of an access control list is where the permissions of a group are.
        let of_service = closed || mode == 0o640;
        assert_eq!(read(file.path(), Access::Service).is_ok(), of_service);
        assert!(read(file.path(), Access::Anybody).is_ok());
    }
}
