//! The program that writes man pages and completions, as `cargo xtask dist` runs it.

use std::fs;
use std::process::Command;

#[test]
fn a_page_for_each_command_and_a_file_for_each_shell_are_written() {
    let out = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinpath-manual"));
    let done = command.arg(out.path()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let pages = fs::read_dir(out.path().join("man")).unwrap().count();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.contains(&format!("/man: {pages} pages")), "{said}");
    for file in ["man/twinpath-sender.1", "completions/fish/twinpath.fish"] {
        let text = fs::read_to_string(out.path().join(file)).unwrap();
        // Man pages have an escape before a minus sign.
        let text = text.replace("\\-", "-");
        assert!(text.contains("do-not-fragment"), "{file}");
    }
    // Only what is asked for.
    let other = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinpath-manual"));
    let done = command.arg(other.path()).arg("man").output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(!other.path().join("completions").exists());
}
