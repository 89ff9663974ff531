//! The page in a real browser, if installed: it is painted, fits, and causes no errors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use resvg::tiny_skia::Pixmap;

use super::runs;
use crate::picture::{Theme, page, svg};

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

/// A browser's picture of a file, and its errors.
fn look(browser: &Path, file: &Path, width: u32, height: u32, dark: bool) -> (Pixmap, String) {
    let folder = tempfile::tempdir().unwrap();
    let shot = folder.path().join("shot.png");
    let mut command = Command::new(browser);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args([
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--force-device-scale-factor=1",
        ])
        // The picture is taken when all is painted, however long that takes on a busy machine.
        .args([
            "--run-all-compositor-stages-before-draw",
            "--virtual-time-budget=10000",
        ])
        .args(["--enable-logging=stderr", "--v=0"])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--screenshot={}", shot.display()))
        .arg(format!("file://{}", file.display()))
        .stdin(Stdio::null());
    if dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    } else {
        command.arg("--blink-settings=preferredColorScheme=1");
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let complaints = said.lines().filter(|line| line.contains("CONSOLE"));
    let complaints = complaints.collect::<Vec<_>>().join("\n");
    let octets = fs::read(&shot).unwrap_or_else(|error| panic!("{error}: {said}"));
    (Pixmap::decode_png(&octets).unwrap(), complaints)
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
