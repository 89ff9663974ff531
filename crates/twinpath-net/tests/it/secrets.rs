//! Protection of secrets in a process.

use std::process::Command;

use twinpath_net::host;

/// Set for the process that acts as a program with a secret in its environment.
const PART: &str = "TWINPATH_TEST_PART";

#[test]
fn with_other_threads_the_environment_is_only_read() {
    if std::env::var_os(PART).is_some() {
        return;
    }
    // This process has threads, so its environment is only read.
    let path = host::take_variable(c"PATH").unwrap();
    assert_eq!(
        Some(path),
        std::env::var_os("PATH").map(std::ffi::OsString::into_encoded_bytes)
    );
    assert_eq!(host::take_variable(c"TWINPATH_NO_SUCH_VARIABLE"), None);
}

#[test]
fn core_dumps_can_be_forbidden() {
    // In a process of its own: threads of other tests share this one.
    if std::env::var_os(PART).is_some() {
        if host::may_dump_core().is_some() {
            assert!(host::forbid_core_dumps());
            assert_eq!(host::may_dump_core(), Some(false));
        }
        return;
    }
    let mut own = Command::new(std::env::current_exe().unwrap());
    own.args(["--exact", "secrets::core_dumps_can_be_forbidden"]);
    assert!(own.env(PART, "1").status().unwrap().success());
}
