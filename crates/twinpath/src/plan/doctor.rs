//! What is to be examined.

use super::ends::{one_host, usable};
use super::resolve::{Family, Lookup, resolve};
use crate::args::DoctorArgs;
use crate::doctor::{FarEndPlan, MOST_ADDRESSES};
use crate::failure::Failure;

/// The far end and its addresses.
///
/// # Errors
/// It has none that can be examined.
pub(crate) fn doctor(args: &DoctorArgs, lookup: Lookup<'_>) -> Result<FarEndPlan, Failure> {
    let family = Family::only(args.ipv4, args.ipv6);
    let all = resolve(&args.far.host, 0, family, lookup)?;
    let each = all.into_iter().map(|far| one_host(far.ip()).map(|()| far));
    let mut addresses = usable(each)?;
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    let mut host = args.far.host.to_string();
    if host.contains(':') {
        host = format!("[{host}]");
    }
    let port = args.far.port;
    let name = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    Ok(FarEndPlan {
        name,
        host,
        addresses,
        port: args.far.port,
    })
}
