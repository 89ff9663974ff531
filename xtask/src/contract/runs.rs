//! The files that are compared: runs over loopback of every kind, files that were cut, captures.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{Place, Process, Scratch};
use crate::tool::Tool;

/// For one run.
const LIMIT: Duration = Duration::from_secs(20);
/// After this a run that is to be killed is under way, and has rows in its file.
const UNDER_WAY: Duration = Duration::from_millis(2_500);

/// One run that is saved.
struct Saved {
    name: &'static str,
    far: Far,
    /// Of the sender or the controller.
    options: &'static str,
}

/// Who answers.
enum Far {
    /// `responder` with these options.
    Responder(&'static str),
    /// `server`, over TCP.
    Server(&'static str),
    /// A port that is closed.
    Closed,
}

const fn saved_as(name: &'static str, far: Far, options: &'static str) -> Saved {
    Saved { name, far, options }
}

const RUNS: [Saved; 27] = [
    saved_as("plain", Far::Responder(""), "-c 60 -i 10"),
    saved_as("again", Far::Responder(""), "-c 60 -i 10"),
    saved_as("one-packet", Far::Responder(""), "-c 1"),
    saved_as("stamp", Far::Responder(""), "-c 60 -i 10 --stamp"),
    saved_as("ssid", Far::Responder(""), "-c 60 -i 10 --stamp --ssid 77"),
    saved_as("stateless", Far::Responder("--stateless"), "-c 60 -i 10"),
    saved_as("imix", Far::Responder(""), "-c 60 -i 10 --padding -1"),
    saved_as("large", Far::Responder(""), "-c 60 -i 10 --padding 8000"),
    saved_as(
        "classes",
        Far::Responder(""),
        "-c 40 -i 10 --dscp ef,af41,0",
    ),
    saved_as(
        "remarked",
        Far::Responder("--dscp 0"),
        "-c 40 -i 10 --dscp ef",
    ),
    saved_as(
        "tos",
        Far::Responder("--ttl 33"),
        "-c 40 -i 10 --tos 0x03 --ttl 9",
    ),
    saved_as(
        "poisson",
        Far::Responder(""),
        "-c 60 -i 5 --schedule poisson --seed 5",
    ),
    saved_as(
        "uniform",
        Far::Responder(""),
        "-c 60 --schedule uniform:2ms-9ms --seed 6",
    ),
    saved_as("duration", Far::Responder(""), "--duration 700ms -i 10"),
    saved_as(
        "bins",
        Far::Responder(""),
        "-c 60 -i 10 --bins 5us,10us,20us,1ms",
    ),
    saved_as(
        "limited",
        Far::Responder("--max-rate 60"),
        "-c 150 -i 5 --timeout 300ms",
    ),
    saved_as(
        "user",
        Far::Responder("--timestamps user"),
        "-c 60 -i 10 --timestamps user",
    ),
    saved_as(
        "portable",
        Far::Responder("--portable"),
        "-c 60 -i 10 --portable",
    ),
    saved_as("raw-t3", Far::Responder("--raw-t3"), "-c 60 -i 10"),
    saved_as("closed", Far::Closed, "-c 20 -i 10 --timeout 300ms"),
    saved_as(
        "labels",
        Far::Responder(""),
        "-c 20 -i 10 --label a=b --label site=x",
    ),
    saved_as("light-speed", Far::Responder(""), "-c 2000 -i 500us"),
    saved_as(
        "agreed",
        Far::Server(""),
        "-c 60 -i 10 --mode unauthenticated",
    ),
    saved_as(
        "extended",
        Far::Server(""),
        "-c 60 -i 10 --mode unauthenticated --reflect-octets --symmetrical-size --dscp-monitoring",
    ),
    saved_as(
        "refused",
        Far::Server("--max-sessions 1"),
        "-c 40 -i 10 --mode unauthenticated --dscp ef,0",
    ),
    saved_as(
        "authenticated",
        Far::Server("KEYS"),
        "-c 60 -i 10 --mode authenticated KEYS",
    ),
    saved_as(
        "encrypted",
        Far::Server("KEYS"),
        "-c 60 -i 10 --mode encrypted KEYS",
    ),
];

/// Saves every run that is not in `directory` yet, and one over IPv6, and one that is killed.
pub(super) fn saved(tool: &Tool, scratch: &Scratch, directory: &Path) -> Result<Vec<PathBuf>> {
    let keys = scratch.secret("user a passphrase of this test\n")?;
    let keys = format!("--keys {}", keys.display());
    let mut files = Vec::new();
    for run in &RUNS {
        let file = directory.join(format!("{}.parquet", run.name));
        if !file.exists() {
            let options = run.options.replace("KEYS", &keys);
            let ended = run.begin(tool, scratch, &file, &keys, &options, false)?;
            ended.1.finish(LIMIT)?;
        }
        files.push(file);
    }
    for (name, run, killed) in [
        (
            "six",
            saved_as("", Far::Responder("-6"), "-c 60 -i 10"),
            false,
        ),
        (
            "killed",
            saved_as("", Far::Responder(""), "-c 1000 -i 10"),
            true,
        ),
        (
            "killed-classes",
            saved_as("", Far::Responder(""), "-c 1000 -i 10 --dscp ef,0"),
            true,
        ),
    ] {
        let file = directory.join(format!("{name}.parquet"));
        if !file.exists() {
            let six = name == "six";
            let (_far, process) = run.begin(tool, scratch, &file, &keys, run.options, six)?;
            if killed {
                std::thread::sleep(UNDER_WAY);
                drop(process);
            } else {
                process.finish(LIMIT)?;
            }
        }
        files.push(file);
    }
    Ok(files)
}

impl Saved {
    /// Starts the far end, waits until it listens, and starts the run.
    fn begin(
        &self,
        tool: &Tool,
        scratch: &Scratch,
        file: &Path,
        keys: &str,
        options: &str,
        six: bool,
    ) -> Result<(Option<Process>, Process)> {
        let near = Place::default();
        let address = free(six)?;
        let options = format!("{options} --save {} --quiet", file.display());
        Ok(match self.far {
            Far::Responder(of_far) => {
                let far = tool.responder(scratch, near, address, of_far)?;
                (Some(far), tool.sender(scratch, near, address, &options)?)
            }
            Far::Server(of_far) => {
                let of_far = of_far.replace("KEYS", keys);
                let far = tool.server(scratch, near, address, &of_far)?;
                (
                    Some(far),
                    tool.controller(scratch, near, address, &options)?,
                )
            }
            Far::Closed => (None, tool.sender(scratch, near, address, &options)?),
        })
    }
}

/// An address of this host whose port was free a moment ago.
fn free(six: bool) -> Result<SocketAddr> {
    let host = if six {
        Ipv6Addr::LOCALHOST.into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    };
    let socket = UdpSocket::bind(SocketAddr::new(host, 0)).context("no free port")?;
    Ok(socket.local_addr()?)
}

/// Copies of some of them, cut as a full disk or an interrupted transfer leaves them.
pub(super) fn torn(directory: &Path, files: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut torn = Vec::new();
    for file in files {
        let name = file
            .file_stem()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        if !matches!(name, "plain" | "killed" | "classes" | "light-speed") {
            continue;
        }
        let octets = fs::read(file).with_context(|| file.display().to_string())?;
        for percent in [50, 90] {
            let path = directory.join(format!("{name}-{percent}.cut.parquet"));
            let kept = octets.len() * percent / 100;
            fs::write(&path, octets.get(..kept).unwrap_or_default())?;
            torn.push(path);
        }
    }
    Ok(torn)
}

/// The captures and saved runs of the repository.
pub(super) fn kept(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for directory in ["testdata/captures", "testdata/saved"] {
        for entry in fs::read_dir(root.join(directory))? {
            let path = entry?.path();
            let kind = path.extension().and_then(|kind| kind.to_str());
            if matches!(kind, Some("pcap" | "parquet")) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
