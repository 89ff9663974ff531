//! Which node of a document this host is.

use std::net::{IpAddr, UdpSocket};

use super::document::MeshDocument;
use super::entries::is_own_host;

/// What a host knows of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Identity<'a> {
    /// The node that it is said to be.
    pub(super) node: Option<&'a str>,
    /// What the daemon is called.
    pub(super) name: Option<&'a str>,
    /// What the host is called.
    pub(super) host: Option<&'a str>,
}

impl Identity<'_> {
    /// The place of the node that this host is. `is_own`: whether the host has an address.
    ///
    /// # Errors
    /// It is none: what to write.
    pub(super) fn find(
        &self,
        document: &MeshDocument,
        is_own: impl Fn(IpAddr) -> bool,
    ) -> Result<usize, String> {
        if let Some(node) = self.node {
            let found = document.node_named(node);
            return found.ok_or_else(|| {
                format!(
                    "the document {} has no node {node}: add it, or write another node in [mesh]",
                    document.name
                )
            });
        }
        let mut names = [self.name, self.host].into_iter().flatten();
        if let Some(found) = names.find_map(|name| document.node_named(name)) {
            return Ok(found);
        }
        let nodes = document.nodes.iter().enumerate();
        let mut own = nodes.filter(|(_, node)| is_own_host(&node.far, &is_own));
        match (own.next(), own.next()) {
            (Some((place, _)), None) => Ok(place),
            (Some((_, one)), Some((_, other))) => Err(format!(
                "nodes {} and {} have addresses of this host: add node to [mesh]",
                one.name, other.name
            )),
            (None, _) => Err(format!(
                "the document {} has no node with the name or an address of this host: add node to [mesh]",
                document.name
            )),
        }
    }
}

/// Whether this host has an address: a socket can have it.
pub(super) fn is_local(address: IpAddr) -> bool {
    !address.is_unspecified() && UdpSocket::bind((address, 0)).is_ok()
}
