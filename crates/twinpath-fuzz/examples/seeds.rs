//! Writes the seeds of every target to `DIRECTORY/TARGET/NUMBER`, for a fuzzer to begin with:
//! `cargo run -p twinpath-fuzz --example seeds -- DIRECTORY`.

use std::path::PathBuf;

use twinpath_fuzz::{TARGETS, seeds};

fn main() -> std::io::Result<()> {
    let Some(root) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(std::io::Error::other("name a directory"));
    };
    for (target, _) in TARGETS {
        let directory = root.join(target);
        std::fs::create_dir_all(&directory)?;
        for (number, seed) in seeds::of(target).iter().enumerate() {
            std::fs::write(directory.join(format!("seed-{number:02}")), seed)?;
        }
    }
    Ok(())
}
