//! The addresses of both ends: names looked up, families and zones matched.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use twinpath_report::finding::Silence;

use crate::args::{FarEnd, Host, IpOptions, NearEnd};
use crate::failure::Failure;

use super::resolve::{Family, Lookup, in_zone, resolve};

/// Other addresses of the far end's name, if `used` did not answer.
pub(crate) fn other_addresses(
    far: &FarEnd,
    ip: &IpOptions,
    used: IpAddr,
    lookup: Lookup<'_>,
) -> Option<Silence> {
    let Host::Name(name) = &far.host else {
        return None;
    };
    let all = resolve(&far.host, 0, Family::Any, lookup).ok()?;
    let others = all
        .iter()
        .map(SocketAddr::ip)
        .filter(|other| *other != used);
    let others: Vec<IpAddr> = others.take(4).collect();
    (!others.is_empty()).then(|| Silence::OtherAddresses {
        name: name.clone(),
        used,
        others,
        is_version_chosen: if used.is_ipv4() { ip.ipv4 } else { ip.ipv6 },
    })
}

/// All addresses of the far end, each with a local one of its family: at least one.
pub(super) fn all_ends(
    far: &FarEnd,
    near: Option<&NearEnd>,
    ip: &IpOptions,
    default_port: u16,
    lookup: Lookup<'_>,
) -> Result<Vec<(SocketAddr, Option<IpAddr>)>, Failure> {
    let family = Family::of_options(ip);
    let port = far.port.unwrap_or(default_port);
    let far = resolve(&far.host, port, family, lookup)?;
    let near = match near {
        Some(NearEnd {
            host: Some(host), ..
        }) => Some(resolve(host, 0, family, lookup)?),
        _ => None,
    };
    let ends: Vec<_> = match &near {
        None => far.iter().map(|far| (*far, None)).collect(),
        Some(near) => pairs(&far, near)?
            .into_iter()
            .map(|(far, near)| (far, Some(near)))
            .collect(),
    };
    let end = |(far, near): (SocketAddr, Option<SocketAddr>)| {
        let far = with_zone(far, near, ip, lookup)?;
        one_host(far.ip())?;
        let near = near.map(|near| near.ip());
        Ok((far, near.filter(|near| !near.is_unspecified())))
    };
    usable(ends.into_iter().map(end))
}

/// An address that is one host's.
pub(super) fn one_host(far: IpAddr) -> Result<(), Failure> {
    let why = if far.is_unspecified() {
        "is not a valid destination: give a host"
    } else if far == IpAddr::V4(Ipv4Addr::BROADCAST) {
        "is a broadcast address: give one host"
    } else if far.is_multicast() {
        "is a multicast address: give one host"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!("{far} {why}")))
}

/// Each of `far` with the first of `near` of its family: at least one pair.
pub(super) fn pairs(
    far: &[SocketAddr],
    near: &[SocketAddr],
) -> Result<Vec<(SocketAddr, SocketAddr)>, Failure> {
    let of_family = |far: &SocketAddr| {
        let near = near.iter().find(|near| near.is_ipv4() == far.is_ipv4())?;
        Some((*far, *near))
    };
    let pairs: Vec<_> = far.iter().filter_map(of_family).collect();
    match (far.first(), near.first()) {
        (Some(far), Some(near)) if pairs.is_empty() => {
            let (far, near) = (far.ip(), near.ip());
            Err(Failure::usage(format!(
                "{far} is {} but {near} is {}: both must be of the same family",
                Family::of(far),
                Family::of(near)
            )))
        }
        _ => Ok(pairs),
    }
}

/// The usable ones of several; if none, why not the first.
pub(super) fn usable<T>(all: impl Iterator<Item = Result<T, Failure>>) -> Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    let mut why = None;
    for one in all {
        match one {
            Ok(one) => found.push(one),
            Err(failure) => why = why.or(Some(failure)),
        }
    }
    match why {
        Some(failure) if found.is_empty() => Err(failure),
        _ => Ok(found),
    }
}

/// A link-local destination needs an interface: its own zone, NEAR's, or `--interface`.
fn with_zone(
    far: SocketAddr,
    near: Option<SocketAddr>,
    ip: &IpOptions,
    lookup: Lookup<'_>,
) -> Result<SocketAddr, Failure> {
    if let (SocketAddr::V6(mut far), Some(SocketAddr::V6(near))) = (far, near)
        && far.ip().is_unicast_link_local()
        && far.scope_id() == 0
        && near.scope_id() != 0
    {
        far.set_scope_id(near.scope_id());
        return Ok(far.into());
    }
    in_zone(far, ip.interface.as_deref(), lookup)
}
