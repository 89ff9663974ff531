//! A compressed tar archive as Debian packages have two of.

use std::collections::BTreeSet;

use anyhow::Result;
use tar::{Builder, EntryType, Header};

use crate::contents::gzipped;

/// Files of root, all of one time, below directories that come before them.
pub(crate) struct Tarball {
    builder: Builder<Vec<u8>>,
    epoch: u32,
    directories: BTreeSet<String>,
}

impl Tarball {
    pub(crate) fn new(epoch: u32) -> Self {
        Self {
            builder: Builder::new(Vec::new()),
            epoch,
            directories: BTreeSet::new(),
        }
    }

    /// A file at this absolute path.
    pub(crate) fn file(&mut self, path: &str, mode: u32, octets: &[u8]) -> Result<()> {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.directory(parent)?;
        self.entry(&format!(".{path}"), EntryType::Regular, mode, octets)
    }

    /// A directory and those above it, each once.
    pub(crate) fn directory(&mut self, path: &str) -> Result<()> {
        if self.directories.insert(path.to_owned()) {
            if let Some((parent, _)) = path.rsplit_once('/') {
                self.directory(parent)?;
            }
            self.entry(&format!(".{path}/"), EntryType::Directory, 0o755, &[])?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, kind: EntryType, mode: u32, octets: &[u8]) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(u64::try_from(octets.len())?);
        header.set_mode(mode);
        header.set_mtime(self.epoch.into());
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        // The crate leaves out a leading "./", which Debian's archives have.
        let name = header
            .as_gnu_mut()
            .and_then(|gnu| gnu.name.get_mut(..path.len()));
        let name = name.ok_or_else(|| anyhow::anyhow!("{path} is too long for a tar archive"))?;
        name.copy_from_slice(path.as_bytes());
        header.set_cksum();
        self.builder.append(&header, octets)?;
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        gzipped(&self.builder.into_inner()?)
    }
}
