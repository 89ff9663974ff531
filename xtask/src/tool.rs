//! The product under measurement: built, started, and its report read.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::{Place, Process, Scratch};

/// A release build of twinpath.
pub(crate) struct Tool {
    binary: PathBuf,
    pub(crate) version: String,
}

impl Tool {
    /// The one at `binary`, or this workspace's, built now.
    pub(crate) fn find(binary: Option<&Path>) -> Result<Self> {
        let binary = match binary {
            Some(binary) => binary
                .canonicalize()
                .with_context(|| binary.display().to_string())?,
            None => build()?,
        };
        let output = Command::new(&binary)
            .arg("-V")
            .output()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Self { binary, version })
    }

    /// Starts `twinpath responder` and waits until it listens.
    pub(crate) fn responder(
        &self,
        scratch: &Scratch,
        place: Place<'_>,
        listen: SocketAddr,
        options: &str,
    ) -> Result<Process> {
        self.listen(scratch, place, &format!("responder {listen} {options}"))
    }

    /// Starts a role that listens, `responder` or `server`, and waits until it does.
    pub(crate) fn listen(
        &self,
        scratch: &Scratch,
        place: Place<'_>,
        line: &str,
    ) -> Result<Process> {
        let mut process = self.start(scratch, place, line)?;
        process.wait_for("listening on")?;
        Ok(process)
    }

    /// Starts `twinpath sender`.
    pub(crate) fn sender(
        &self,
        scratch: &Scratch,
        place: Place<'_>,
        far: SocketAddr,
        options: &str,
    ) -> Result<Process> {
        self.start(scratch, place, &format!("sender {far} {options}"))
    }

    /// Where the program is.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Starts the program with these arguments.
    pub(crate) fn start(&self, scratch: &Scratch, place: Place<'_>, line: &str) -> Result<Process> {
        let arguments: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
        Process::start(scratch, place, &self.binary, &arguments)
    }
}

fn build() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program")?;
    let target = own
        .parent()
        .and_then(Path::parent)
        .context("not in a target directory")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "twinpath",
            "--target-dir",
        ])
        .arg(target)
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("cannot build twinpath");
    }
    Ok(target.join("release").join("twinpath"))
}

/// One session of the document that `--output json` prints; what benchmarks read of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) achieved_pps: Option<f64>,
    pub(crate) timestamps: Timestamps,
    pub(crate) packets: Packets,
    pub(crate) fallback_stamps: FallbackStamps,
    pub(crate) departure: Option<Delay>,
    pub(crate) round_trip: Option<Delay>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Timestamps {
    transmit: Option<String>,
    receive: Option<String>,
}

/// Stamps of a lower rung than the run's.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct FallbackStamps {
    pub(crate) transmit: u64,
    pub(crate) receive: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Packets {
    pub(crate) asked: Option<u64>,
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the document")]
pub(crate) struct Delay {
    pub(crate) min_ns: i64,
    pub(crate) median_ns: i64,
    pub(crate) p99_ns: i64,
}

/// One line of `--output jsonl`; what benchmarks read of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) seq: u32,
    pub(crate) round_trip_ns: Option<i64>,
    pub(crate) fate: String,
}

impl Session {
    /// From a whole `json` or `jsonl` output, whose last document is the report.
    pub(crate) fn parse(output: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Document {
            sessions: Vec<Session>,
        }
        let json = output.rfind("{\"schema\"").or_else(|| output.find("{\n"));
        let json = json
            .and_then(|at| output.get(at..))
            .context("no report in the output")?;
        let document: Document = serde_json::from_str(json).context("not the report expected")?;
        document
            .sessions
            .into_iter()
            .next()
            .context("a report without a session")
    }

    /// An error unless both ends of the run were stamped by the kernel or better.
    pub(crate) fn require_kernel_stamps(&self) -> Result<()> {
        for (end, rung) in [
            ("transmit", &self.timestamps.transmit),
            ("receive", &self.timestamps.receive),
        ] {
            if !matches!(rung.as_deref(), Some("kernel" | "hardware")) {
                bail!("{end} stamps did not arrive from the kernel: the report says {rung:?}");
            }
        }
        // A few may be missing, and are in the figures; more is another measurement.
        let FallbackStamps { transmit, receive } = self.fallback_stamps;
        if (transmit + receive) * 100 > self.packets.sent {
            bail!("{transmit} transmit and {receive} receive stamps fell to a lower rung");
        }
        Ok(())
    }
}

/// The per-packet lines of a `jsonl` output.
pub(crate) fn records(output: &str) -> Result<Vec<Record>> {
    output
        .lines()
        .filter(|line| line.starts_with("{\"seq\""))
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}
