//! The files that are compared: runs over loopback of every kind, files that were cut, captures.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{Place, Process, Scratch};
use crate::tool::Tool;

/// For one run.
const LIMIT: Duration = Duration::from_secs(20);
/// After this a run that is to be killed is under way, and has rows in its file.
const UNDER_WAY: Duration = Duration::from_millis(2_500);

/// The runs: a name, who answers (`closed`: a port that is closed) with its options, and the options of
/// the sender, or of the controller where a server answers. KEYS is a file of keys. Those named
/// `killed` are, under way.
const RUNS: &str = "\
plain          | responder                 | -c 60 -i 10
again          | responder                 | -c 60 -i 10
one-packet     | responder                 | -c 1
stamp          | responder                 | -c 60 -i 10 --stamp
ssid           | responder                 | -c 60 -i 10 --stamp --ssid 77
stateless      | responder --stateless     | -c 60 -i 10
imix           | responder                 | -c 60 -i 10 --padding -1
large          | responder                 | -c 60 -i 10 --padding 8000
classes        | responder                 | -c 40 -i 10 --dscp ef,af41,0
remarked       | responder --dscp 0        | -c 40 -i 10 --dscp ef
tos            | responder --ttl 33        | -c 40 -i 10 --tos 0x03 --ttl 9
poisson        | responder                 | -c 60 -i 5 --schedule poisson --seed 5
uniform        | responder                 | -c 60 --schedule uniform:2ms-9ms --seed 6
duration       | responder                 | --duration 700ms -i 10
bins           | responder                 | -c 60 -i 10 --bins 5us,10us,20us,1ms
limited        | responder --max-rate 60   | -c 150 -i 5 --timeout 300ms
user           | responder --timestamps user | -c 60 -i 10 --timestamps user
portable       | responder --portable      | -c 60 -i 10 --portable
raw-t3         | responder --raw-t3        | -c 60 -i 10
closed         | closed                    | -c 20 -i 10 --timeout 300ms
labels         | responder                 | -c 20 -i 10 --label a=b --label site=x
light-speed    | responder                 | -c 2000 -i 500us
agreed         | server                    | -c 60 -i 10 --mode unauthenticated
extended       | server                    | -c 60 -i 10 --mode unauthenticated --reflect-octets --symmetrical-size --dscp-monitoring
refused        | server --max-sessions 1   | -c 40 -i 10 --mode unauthenticated --dscp ef,0
authenticated  | server KEYS               | -c 60 -i 10 --mode authenticated KEYS
encrypted      | server KEYS               | -c 60 -i 10 --mode encrypted KEYS
six            | responder -6              | -c 60 -i 10
killed         | responder                 | -c 1000 -i 10
killed-classes | responder                 | -c 1000 -i 10 --dscp ef,0";

/// Saves every run that is not in `directory` yet.
pub(super) fn saved(tool: &Tool, scratch: &Scratch, directory: &Path) -> Result<Vec<PathBuf>> {
    let keys = scratch.secret("user a passphrase of this test\n")?;
    let runs = RUNS.replace("KEYS", &format!("--keys {}", keys.display()));
    let mut files = Vec::new();
    for run in runs.lines() {
        let cells: Vec<&str> = run.split(" | ").map(str::trim).collect();
        let [name, far, options] = cells[..] else {
            bail!("not a run: {run}")
        };
        let file = directory.join(format!("{name}.parquet"));
        if !file.exists() {
            let options = format!("{options} --save {} --quiet", file.display());
            let (_far, process) = begin(tool, scratch, far, &options)?;
            if name.starts_with("killed") {
                std::thread::sleep(UNDER_WAY);
            } else {
                process.finish(LIMIT)?;
            }
        }
        files.push(file);
    }
    Ok(files)
}

/// Starts the far end, waits until it listens, and starts the run.
fn begin(
    tool: &Tool,
    scratch: &Scratch,
    far: &str,
    options: &str,
) -> Result<(Option<Process>, Process)> {
    let near = Place::default();
    let address = free(far.contains(" -6"))?;
    let (role, of_far) = far.split_once(' ').unwrap_or((far, ""));
    let listening = match role {
        "closed" => None,
        _ => Some(tool.listen(scratch, near, &format!("{role} {address} {of_far}"))?),
    };
    let near_role = if role == "server" {
        "controller"
    } else {
        "sender"
    };
    let run = tool.start(scratch, near, &format!("{near_role} {address} {options}"))?;
    Ok((listening, run))
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

/// The captures and raw files of the repository.
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
