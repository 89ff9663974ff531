//! The page in a real browser, if installed: it is painted, fits, and causes no errors.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use resvg::tiny_skia::Pixmap;

use super::{many, runs};
use crate::picture::{Theme, page, svg};

/// A browser that takes longer hangs, as it does now and then on a busy machine, and is started again.
const PATIENCE: Duration = Duration::from_secs(90);
const TRIES: usize = 3;
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn browser() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&folders)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|path| path.is_file());
    if found.is_none() {
        println!("SKIPPED: no browser ({NAMES:?}) on this machine: no page was looked at");
    }
    found
}

/// What a browser without a window says of a file, on its standard output and on the other.
fn visit(browser: &Path, file: &Path, options: &[String]) -> (String, String) {
    for _ in 0..TRIES {
        let folder = tempfile::tempdir().unwrap();
        let [output, errors] = ["output", "errors"].map(|name| folder.path().join(name));
        let mut command = Command::new(browser);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--hide-scrollbars", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--force-device-scale-factor=1"])
            // It answers when all is painted, however long that takes on a busy machine.
            .args([
                "--run-all-compositor-stages-before-draw",
                "--virtual-time-budget=10000",
            ])
            .args(["--enable-logging=stderr", "--v=0"])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .args(options)
            .arg(format!("file://{}", file.display()))
            .stdin(Stdio::null())
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(&errors).unwrap());
        if ends_well(&mut command) {
            let said = [output, errors].map(|said| fs::read(said).unwrap());
            let [output, errors] = said.map(|octets| String::from_utf8_lossy(&octets).into_owned());
            return (output, errors);
        }
    }
    panic!("{} hangs or fails, {TRIES} times", browser.display());
}

/// Whether the program ends in time, and well.
fn ends_well(command: &mut Command) -> bool {
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

/// The errors of a page.
fn complaints(said: &str) -> String {
    let lines = said.lines().filter(|line| line.contains("CONSOLE"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A browser's picture of a file, and its errors.
fn look(browser: &Path, file: &Path, width: u32, height: u32, dark: bool) -> (Pixmap, String) {
    let folder = tempfile::tempdir().unwrap();
    let shot = folder.path().join("shot.png");
    let scheme = u8::from(!dark);
    let options = [
        format!("--window-size={width},{height}"),
        format!("--screenshot={}", shot.display()),
        format!("--blink-settings=preferredColorScheme={scheme}"),
    ];
    let (_, said) = visit(browser, file, &options);
    let octets = fs::read(&shot).unwrap_or_else(|error| panic!("{error}: {said}"));
    (Pixmap::decode_png(&octets).unwrap(), complaints(&said))
}

/// How many colours there are, and how light the corner is.
fn colours(map: &Pixmap) -> (usize, u8) {
    let mut all: Vec<(u8, u8, u8)> = map
        .pixels()
        .iter()
        .map(|pixel| (pixel.red(), pixel.green(), pixel.blue()))
        .collect();
    all.sort_unstable();
    all.dedup();
    (all.len(), map.pixel(1, 1).unwrap().green())
}

#[test]
fn a_browser_paints_the_page_in_light_and_dark_and_on_a_phone() {
    let Some(browser) = browser() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    fs::write(&file, page(&runs::dies(), Theme::Auto, "twinpath")).unwrap();
    // Chromium's windows are 500 pixels wide at least: a phone is a frame inside one.
    let phone = folder.path().join("phone.html");
    let frame = "<body style=\"margin:0\"><iframe src=\"page.html\" \
                 style=\"border:0;width:390px;height:1800px\"></iframe>";
    fs::write(&phone, frame).unwrap();
    for (name, file, width, dark) in [
        ("light", &file, 1000, false),
        ("dark", &file, 1000, true),
        ("phone", &phone, 500, false),
        ("phone, dark", &phone, 500, true),
    ] {
        let (shot, complaints) = look(&browser, file, width, 1800, dark);
        assert_eq!(complaints, "", "{name}");
        let (count, corner) = colours(&shot);
        assert!(count > 60, "{name}: {count} colours");
        assert_eq!(corner < 60, dark, "{name}: {corner}");
        if name.starts_with("phone") {
            // Both charts' right ends lie inside the phone: it need not be moved sideways.
            let silence = if dark {
                (0x5b, 0x2a, 0x66)
            } else {
                (0x3d, 0x15, 0x42)
            };
            let column = |x: u32| {
                (0..1800)
                    .filter(|y| {
                        let pixel = shot.pixel(x, *y).unwrap();
                        (pixel.red(), pixel.green(), pixel.blue()) == silence
                    })
                    .count()
            };
            assert!(column(365) > 100, "{name}: {}", column(365));
            assert_eq!(column(385), 0, "{name}");
        }
        if let Some(folder) = std::env::var_os("TWINPATH_PICTURES") {
            let name = name.replace(", ", "-");
            let path = Path::new(&folder).join(format!("browser-{name}.png"));
            fs::write(path, shot.encode_png().unwrap()).unwrap();
        }
    }
}

/// What a script finds out in pages that are as wide as a window and as a phone.
const EXAMINE: &str = include_str!("examine.js");

#[test]
fn a_page_of_many_sessions_is_searched_and_sorted_and_fits_a_window_and_a_phone() {
    let Some(browser) = browser() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("page.html"), many::page(&many::mesh(40))).unwrap();
    let file = folder.path().join("frames.html");
    let frame = |width| {
        format!(
            "<iframe src=\"page.html\" style=\"border:0;width:{width}px;height:1200px\"></iframe>"
        )
    };
    let frames = format!(
        "<pre id=\"found\"></pre>{}{}<script>{EXAMINE}</script>",
        frame(1_200),
        frame(390)
    );
    fs::write(&file, frames).unwrap();
    let options = [
        "--allow-file-access-from-files",
        "--dump-dom",
        "--window-size=1700,1200",
    ];
    let (page, said) = visit(&browser, &file, &options.map(str::to_owned));
    assert_eq!(complaints(&said), "");
    let found = page.split_once("found\">[").map(|(_, found)| found);
    let found = found.and_then(|found| found.split(']').next());
    let one = "fits true|shown 40 of 40|first fra-core0 ef path 0|fits open true|larger true\
               |slowest fra-core39 ef path 7|by name fra-core2 ef path 2\
               |searched fra-core31 ef path 15 1 of 40|again fra-core0 ef path 0 40";
    assert_eq!(found, Some(&*format!("{one}|{one}")), "{said}");
    for (name, width) in [("many", 1_200), ("many-phone", 500)] {
        let file = folder.path().join("page.html");
        let (shot, _) = look(&browser, &file, width, 1_200, false);
        let (count, _) = colours(&shot);
        assert!(count > 60, "{name}: {count} colours");
        if let Some(folder) = std::env::var_os("TWINPATH_PICTURES") {
            let path = Path::new(&folder).join(format!("browser-{name}.png"));
            fs::write(path, shot.encode_png().unwrap()).unwrap();
        }
    }
}

#[test]
fn a_browser_paints_the_picture_by_itself() {
    let Some(browser) = browser() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture.svg");
    fs::write(&file, svg(&runs::route_change(), Theme::Auto)).unwrap();
    for dark in [false, true] {
        let (shot, complaints) = look(&browser, &file, 1000, 1200, dark);
        assert_eq!(complaints, "");
        let (count, corner) = colours(&shot);
        assert!(count > 60, "{count} colours");
        assert_eq!(corner < 60, dark, "{corner}");
    }
}
