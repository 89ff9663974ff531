//! Pages in a real browser, if one is installed: what a script finds out about them.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A browser that takes longer hangs, as it does now and then on a busy machine, and is started again.
const LONGEST: Duration = Duration::from_secs(90);
const TRIES: usize = 3;
/// Widths of a window and of a phone. Chromium's windows are 500 pixels wide at least: each is a frame inside one.
const WIDTHS: [u32; 2] = [1_200, 390];

/// What the colours of a browser are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Light,
    Dark,
}

pub(super) const SCHEMES: [Scheme; 2] = [Scheme::Light, Scheme::Dark];

/// Whether there is a browser.
pub(super) fn is_there() -> bool {
    let found = Command::new("chromium").arg("--version").output().is_ok();
    if !found {
        println!("SKIPPED: chromium is not installed: no page was looked at");
    }
    found
}

/// Shows a page, as it came from a daemon, in a window and on a phone. `script` is the body of a function of `page` (its
/// document) and `view` (its window) that gives a text: that of the window, and that of the phone.
pub(super) fn examine(html: &str, scheme: Scheme, script: &str) -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("page.html"), html).unwrap();
    let frames = WIDTHS.map(|width| {
        format!(
            "<iframe src=\"page.html\" style=\"border:0;width:{width}px;height:2000px\"></iframe>"
        )
    });
    let file = folder.path().join("frames.html");
    let examining = format!(
        "addEventListener(\"load\", () => {{\n\
         const find = (page, view) => {{\n{script}\n}};\n\
         const frames = [...document.querySelectorAll(\"iframe\")];\n\
         const found = frames.map((frame) => find(frame.contentDocument, frame.contentWindow));\n\
         document.getElementById(\"found\").textContent = `[${{found.join(\"||\")}}]`;\n}});"
    );
    let text = format!(
        "<meta charset=\"utf-8\"><pre id=\"found\"></pre>{}<script>{examining}</script>",
        frames.concat()
    );
    fs::write(&file, text).unwrap();
    let (page, said) = visit(&file, scheme);
    let complaints: Vec<&str> = said.lines().filter(|it| it.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    let found = page.split_once("found\">[").map(|(_, found)| found);
    let found = found.and_then(|found| found.split_once("]</pre>"));
    let (found, _) = found.unwrap_or_else(|| panic!("{page}{said}"));
    let (window, phone) = found.split_once("||").unwrap();
    [window.to_owned(), phone.to_owned()]
}

/// The document of a file, and what the browser said.
fn visit(file: &Path, scheme: Scheme) -> (String, String) {
    for _ in 0..TRIES {
        let folder = tempfile::tempdir().unwrap();
        let [output, errors] = ["output", "errors"].map(|name| folder.path().join(name));
        let scheme = match scheme {
            Scheme::Light => 1,
            Scheme::Dark => 0,
        };
        let mut command = Command::new("chromium");
        command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args(["--hide-scrollbars", "--disable-dev-shm-usage", "--dump-dom"])
            .args(["--allow-file-access-from-files", "--window-size=1700,2000"])
            .args([
                "--virtual-time-budget=5000",
                "--enable-logging=stderr",
                "--v=0",
            ])
            .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg(format!("file://{}", file.display()))
            .stdin(Stdio::null())
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(&errors).unwrap());
        if ends_well(&mut command) {
            let [page, said] = [output, errors].map(|said| {
                let octets = fs::read(said).unwrap();
                String::from_utf8_lossy(&octets).into_owned()
            });
            return (page, said);
        }
    }
    panic!("chromium hangs or fails, {TRIES} times");
}

/// Whether the program ends in time, and well.
fn ends_well(command: &mut Command) -> bool {
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + LONGEST;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}
