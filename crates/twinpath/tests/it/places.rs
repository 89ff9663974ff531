//! Where runs are saved and drawn: what is there already, and what cannot be written.

use crate::program::{Responder, free_port, run, shell};

#[test]
fn a_run_that_comes_to_nothing_leaves_the_file_as_it_was_and_makes_none() {
    let directory = tempfile::tempdir().unwrap();
    let (before, new) = (
        directory.path().join("before"),
        directory.path().join("new"),
    );
    std::fs::write(&before, "what was measured before").unwrap();
    let gone = format!("127.0.0.1:{}", free_port());
    let server = Responder::server("");
    for (far, options) in [
        (gone, ""),
        // The sockets cannot be had.
        (server.at.to_string(), "--interface none0"),
    ] {
        for file in [&before, &new] {
            let done = run(&format!(
                "controller {far} -c 2 {options} --save {}",
                file.display()
            ));
            assert_eq!(done.status, 1, "{}{}", done.stdout, done.stderr);
        }
        assert_eq!(std::fs::read(&before).unwrap(), b"what was measured before");
        assert!(!new.exists(), "{far}");
    }
    let done = run(&format!(
        "controller {} -c 2 -i 1 --save {}",
        server.at,
        before.display()
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(std::fs::read(&before).unwrap()[..4], *b"PAR1");
}

#[test]
fn what_is_written_never_takes_the_place_of_something_else() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let responder = Responder::on_loopback();
    let saved = run(&format!(
        "sender {} -c 5 -i 1 --save {at}/a.parquet",
        responder.at
    ));
    assert_eq!(saved.status, 0, "{}", saved.stderr);
    let octets = std::fs::read(directory.path().join("a.parquet")).unwrap();
    std::os::unix::fs::symlink("a.parquet", directory.path().join("link")).unwrap();
    std::fs::create_dir(directory.path().join("b")).unwrap();
    let targets = format!("{}\n", responder.at);
    std::fs::write(directory.path().join("t.txt"), &targets).unwrap();
    let far = &responder.at;
    for line in [
        format!("sender {far} -c 2 --save {at}/a.parquet --html {at}/./a.parquet"),
        format!("sender {far} -c 2 --save {at}/a.parquet --html {at}/link"),
        format!("sender {far} -c 2 --save {at}/new.svg --graph {at}/b/../new.svg"),
        format!("sender {far} -c 2 --save {at}/a.parquet --logfile {at}/link"),
        format!("controller {far} -c 2 --save {at}/a.parquet --html {at}/link"),
        format!("controller {far} -c 2 --keys {at}/a.parquet --save {at}/link"),
        format!("server 127.0.0.1:0 --keys {at}/a.parquet --logfile {at}/link"),
        format!("controlclient {far} {far} --keys {at}/link --logfile {at}/a.parquet"),
        format!("sender --targets {at}/t.txt -c 1 --save {at}/b/../t.txt"),
        format!("sender {far} --targets {at}/t.txt -c 1 --html {at}/t.txt"),
        format!("sender --targets {at}/t.txt -c 1 --logfile {at}/t.txt"),
        format!("report {at}/a.parquet --html {at}/link"),
        format!("report {at}/link --logfile {at}/a.parquet"),
    ] {
        let done = run(&line);
        assert_eq!(done.status, 2, "{line}: {}", done.stderr);
        assert!(
            done.stderr.contains(" name the same file, "),
            "{}",
            done.stderr
        );
        assert!(
            done.stderr.contains("; use another name"),
            "{}",
            done.stderr
        );
        assert_eq!(done.stdout, "");
    }
    assert_eq!(
        std::fs::read(directory.path().join("a.parquet")).unwrap(),
        octets
    );
    let through_stdin = shell(&format!(
        "exec {} sender --targets - -c 1 --save {at}/t.txt < {at}/t.txt",
        env!("CARGO_BIN_EXE_twinpath")
    ));
    assert_eq!(through_stdin.status, 2, "{}", through_stdin.stderr);
    assert_eq!(
        std::fs::read_to_string(directory.path().join("t.txt")).unwrap(),
        targets
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 4);
}

#[test]
fn a_disk_without_room_is_refused_by_its_name_and_no_file_stays() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let responder = Responder::on_loopback();
    // No octet may be written: as a full disk, it makes the file all the same.
    let script = format!(
        "trap '' XFSZ; ulimit -f 0; exec {} sender {} -c 5 -i 1 --save {}",
        env!("CARGO_BIN_EXE_twinpath"),
        responder.at,
        file.display()
    );
    let done = shell(&script);
    assert_eq!(
        (done.status, done.stdout.as_str()),
        (1, ""),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("cannot write"), "{}", done.stderr);
    assert!(!file.exists());
}
