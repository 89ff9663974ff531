//! Pictures of real runs: where they go, when they are written, and what stops them.

use std::fs;
use std::path::Path;

use crate::program::{Responder, run};

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_run_leaves_the_pictures_that_were_asked_for_and_nothing_else() {
    let responder = Responder::on_loopback();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    for form in ["svg", "png"] {
        let done = run(&format!(
            "sender {} -c 40 -i 2 --label site=<lab> --graph {at}/a.{form} --html {at}/a.html",
            responder.at
        ));
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert!(done.stdout.contains("\nDirection "), "{}", done.stdout);
    }
    assert_eq!(names(folder.path()), ["a.html", "a.png", "a.svg"]);
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(&read("a.png")[1..4], b"PNG");
    let svg = String::from_utf8(read("a.svg")).unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let words: Vec<&str> = document
        .descendants()
        .filter_map(|node| node.text())
        .collect();
    let near = "TWAMP Light from 127.0.0.1:";
    assert!(words.iter().any(|text| text.starts_with(near)), "{words:?}");
    assert!(
        words.iter().any(|text| text.contains("site=<lab>")),
        "{words:?}"
    );
    assert!(
        words.iter().any(|text| text.contains("no loss")),
        "{words:?}"
    );
    assert!(svg.contains(" sent, 0 lost (0%); median "), "{svg}");
    let page = String::from_utf8(read("a.html")).unwrap();
    for part in [
        "<td>40</td>",
        "site=&lt;lab&gt;",
        "Round trip median",
        "<svg ",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_picture_of_several_classes_names_each() {
    let server = Responder::server("");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.svg");
    let done = run(&format!(
        "controller {} 127.0.0.1:0 -c 10 -i 2 --dscp be,ef --graph {}",
        server.at,
        file.display()
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let svg = fs::read_to_string(file).unwrap();
    for name in [">1 be</text>", ">2 ef</text>"] {
        assert!(svg.contains(name), "{name}");
    }
}

#[test]
fn a_run_without_a_reply_is_drawn_as_silence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.svg");
    let (_socket, port) = crate::program::taken_port();
    let done = run(&format!(
        "sender 127.0.0.1:{port} -c 5 -i 2 --timeout 0.1 --graph {}",
        file.display()
    ));
    assert_eq!(done.status, 3, "{}", done.stderr);
    let svg = fs::read_to_string(file).unwrap();
    assert!(
        svg.contains("no reply at all") && svg.contains("100% lost (5 of 5)"),
        "{svg}"
    );
}

#[test]
fn what_cannot_be_drawn_is_said_before_the_first_packet() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    for (options, status, line) in [
        (
            format!("--graph {at}/none/a.svg"),
            1,
            format!(
                "twinpath: cannot write {at}/none/a.svg: No such file or directory (os error 2); create its directory first, or use another\n"
            ),
        ),
        (
            format!("--html {at}"),
            1,
            format!(
                "twinpath: cannot write {at}: it is a directory, not a regular file; give the name of a file\n"
            ),
        ),
        (
            "--theme dark".to_owned(),
            2,
            "twinpath: --theme needs --graph or --html\n".to_owned(),
        ),
        (
            format!("--graph {at}/a.svg --html {at}/a.svg"),
            2,
            format!(
                "twinpath: --graph and --html name the same file, {at}/a.svg; use another name for \
                 one of them\n"
            ),
        ),
    ] {
        let done = run(&format!("sender 127.0.0.1:9 -c 1 {options}"));
        assert_eq!((done.status, done.stderr.as_str()), (status, line.as_str()));
        assert_eq!(done.stdout, "");
    }
    assert_eq!(names(folder.path()), [""; 0]);
}
