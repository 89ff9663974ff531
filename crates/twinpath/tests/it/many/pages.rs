//! Pages and pictures of many targets and paths.

use std::net::UdpSocket;

use crate::lossy::LossyReflector;
use crate::program::{Responder, run};

/// What a page of many sessions says of each in this class of elements, in its order.
fn said<'a>(page: &'a str, class: &str) -> Vec<&'a str> {
    let begin = format!("<span class=\"{class}\">");
    let parts = page.split(&begin).skip(1);
    parts
        .map(|part| part.split("</span>").next().unwrap_or_default())
        .collect()
}

#[test]
fn the_lossy_one_of_16_paths_is_named_on_the_page_and_in_the_picture() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let far = LossyReflector::start();
    let line = format!(
        "sender 127.0.0.1:{} --paths 16 -c 20 -i 10ms --timeout 4 --html {at}/a.html --graph {at}/a.svg",
        far.port
    );
    let done = run(&line);
    assert_eq!(done.status, 0, "{}{}", done.stdout, done.stderr);
    let read = |name| std::fs::read_to_string(directory.path().join(name)).unwrap();
    let (page, picture) = (read("a.html"), read("a.svg"));
    let lead = page.split("<p class=\"lead\">").nth(1).unwrap();
    let port = far.lossy_port();
    let named = format!(" of 16, source port {port}: 25.00% loss");
    assert!(
        lead.split("</p>").next().unwrap().contains(&named),
        "{lead}"
    );
    assert!(picture.contains(&named), "{picture}");
    // It is the first, and marked.
    assert!(said(&page, "e")[0].starts_with(&format!("127.0.0.1:{port} to ")));
    assert_eq!(said(&page, "l bad"), ["25.00% lost"]);
    assert_eq!(said(&page, "l"), ["no loss"; 15]);
    let path = said(&page, "n")[0];
    let first = picture.split(">path ").nth(1).unwrap();
    assert_eq!(path, format!("path {}", first.split('<').next().unwrap()));
}

#[cfg(feature = "report")]
#[test]
fn a_page_of_many_targets_has_each_of_them_from_a_raw_file_too() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let responder = Responder::start("0.0.0.0:0");
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let port = responder.at.port();
    let answering = (1..=60).map(|number| format!("127.1.0.{number}:{port} core{number}"));
    let others = [
        format!("{silent} <gone>"),
        "no-such-host.invalid unknown".to_owned(),
    ];
    let list: Vec<String> = answering.chain(others).collect();
    let targets = directory.path().join("targets");
    std::fs::write(&targets, list.join("\n")).unwrap();
    let done = run(&format!(
        "sender --targets {} -c 5 -i 20ms --timeout 4 --save {at}/a.parquet --html {at}/a.html",
        targets.display()
    ));
    assert_eq!(done.status, 1, "{}", done.stderr);
    let done = run(&format!(
        "report {at}/a.parquet --html {at}/b.html --graph {at}/b.png"
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    for name in ["a.html", "b.html"] {
        let page = std::fs::read_to_string(directory.path().join(name)).unwrap();
        let names = said(&page, "n");
        assert_eq!(names.len(), 61, "{name}");
        assert_eq!(names[0], "&lt;gone&gt;", "{name}");
        for number in 1..=60 {
            let own = format!("core{number}");
            assert!(names.contains(&own.as_str()), "{name}: {own}");
        }
        assert_eq!(said(&page, "l bad"), ["no reply"], "{name}");
        let summary =
            "1 of 61 targets did not answer: &lt;gone&gt;; 1 target could not be measured";
        assert!(page.contains(summary), "{name}");
        assert!(page.contains("<p>unknown: "), "{name}");
    }
    let picture = std::fs::read(directory.path().join("b.png")).unwrap();
    assert_eq!(&picture[1..4], b"PNG");
}

#[test]
fn a_page_of_a_few_targets_names_them_and_what_was_not_measured() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.html");
    let responder = Responder::on_loopback();
    let line = format!(
        "sender {} --to no-such-host.invalid --paths 2 -c 2 -i 10ms --html {}",
        responder.at,
        file.display()
    );
    let done = run(&line);
    assert_eq!(done.status, 1, "{}", done.stderr);
    let page = std::fs::read_to_string(file).unwrap();
    for part in [
        &*format!("<b>{} path 1</b>", responder.at),
        &format!("<b>{} path 2</b>", responder.at),
        "1 target not measured",
        "<p>no-such-host.invalid: ",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("id=\"sessions\""), "{page}");
}
