//! Two network namespaces with a veth between them, made and removed with a [`Link`].

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const PREFIX: &str = "twinbench-";

/// One end of the link.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// Name of the namespace.
    pub(crate) name: String,
    number: u16,
}

impl End {
    pub(crate) fn v4(&self) -> IpAddr {
        let [high, low] = self.number.to_be_bytes();
        Ipv4Addr::new(10, 199, high, low).into()
    }

    pub(crate) fn v6(&self) -> IpAddr {
        Ipv6Addr::new(0xfd19, 0x9199, 0, 0, 0, 0, 0, self.number).into()
    }

    pub(crate) fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// One more IPv4 address of this end.
    pub(crate) fn add_address(&self, address: Ipv4Addr) -> Result<()> {
        ip(&format!(
            "-n {} address add {address}/16 dev wire",
            self.name
        ))
    }
}

/// Two hosts with a wire between them: the Session-Sender's and the Session-Reflector's.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) sender: End,
    pub(crate) reflector: End,
}

impl Link {
    pub(crate) fn create() -> Result<Self> {
        remove_left_over();
        let pid = std::process::id();
        let end = |letter, number| End {
            name: format!("{PREFIX}{pid}-{letter}"),
            number,
        };
        let link = Self {
            sender: end('s', 1),
            reflector: end('r', 2),
        };
        link.set_up()
            .context("cannot make network namespaces (root and `ip` are needed)")?;
        Ok(link)
    }

    fn set_up(&self) -> Result<()> {
        let (s, r) = (&self.sender, &self.reflector);
        ip(&format!("netns add {}", s.name))?;
        ip(&format!("netns add {}", r.name))?;
        ip(&format!(
            "link add name wire netns {} address 02:00:00:00:00:01 type veth \
             peer name wire netns {} address 02:00:00:00:00:02",
            s.name, r.name
        ))?;
        for (own, other) in [(s, r), (r, s)] {
            let name = &own.name;
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} link set wire up"))?;
            ip(&format!("-n {name} address add {}/16 dev wire", own.v4()))?;
            ip(&format!(
                "-n {name} address add {}/64 dev wire nodad",
                own.v6()
            ))?;
            // Neighbours that never expire: no packet of a benchmark waits for ARP.
            for address in [other.v4(), other.v6()] {
                ip(&format!(
                    "-n {name} neighbour replace {address} lladdr 02:00:00:00:00:0{} dev wire \
                     nud permanent",
                    other.number
                ))?;
            }
        }
        Ok(())
    }
}

impl Link {
    /// Makes a network of 2^16 addresses the reflector's.
    pub(crate) fn route_to_reflector(&self, net: Ipv4Addr) -> Result<()> {
        let (s, r) = (&self.sender, &self.reflector);
        ip(&format!("-n {} route add {net}/16 via {}", s.name, r.v4()))?;
        ip(&format!("-n {} route add local {net}/16 dev lo", r.name))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for end in [&self.sender, &self.reflector] {
            if end.path().exists()
                && let Err(error) = ip(&format!("netns delete {}", end.name))
            {
                eprintln!("{error:#}");
            }
        }
    }
}

/// Namespaces of a benchmark that was killed: their names say whose they were.
fn remove_left_over() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some((pid, _)) = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'))
        else {
            continue;
        };
        if !Path::new("/proc").join(pid).exists() {
            let _ = ip(&format!("netns delete {name}"));
        }
    }
}

fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments.split_ascii_whitespace())
        .output()
        .context("cannot run `ip`")?;
    if !output.status.success() {
        bail!(
            "ip {arguments}: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(())
}
