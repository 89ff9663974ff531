//! The server of the model.

use twinpath_wire::control::{Modes, SecurityMode};
use twinpath_yang::Fault;

use super::{At, DYNAMIC_PORTS, OptionSet, end, understood};
use crate::daemon::reflectors::ServerSpec;
use crate::daemon::settings::readers::Readers;
use crate::plan::Setting;

/// The server, with its reflector.
pub(super) fn twamp_server(
    readers: &mut Readers,
    server: &At<'_>,
    reflector: Option<&At<'_>>,
) -> Result<ServerSpec, Vec<Fault>> {
    let mut options = OptionSet::default();
    options.set("test-ports", DYNAMIC_PORTS);
    options.copy("servwait", server, "servwait");
    options.copy("control-dscp", server, "control-packet-dscp");
    if let Some(reflector) = reflector {
        options.copy("refwait", reflector, "refwait");
        if !reflector.is_on() {
            options.set("max-sessions", "0");
        }
    }
    let allow = server.leaves.each("allow");
    if !allow.is_empty() {
        let allow = (Setting::Values(allow.to_vec()), 0);
        options.0.insert("allow".to_owned(), allow);
    }
    let count = server.iterations("count", 15)?;
    if options.keys(server) {
        options.set("pbkdf2-count", count.to_string());
    }
    let most = server.number("max-count-exponent").unwrap_or(20);
    if u64::from(count.ilog2()) > most {
        let what = format!("above max-count-exponent, which is {most}");
        return Err(server.leaf_fault("count", what));
    }
    let extensions = modes(server, &mut options)?;
    let port = server.one("server-tcp-port").unwrap_or("862");
    let addresses = server.leaves.each("address").iter();
    let mut near: Vec<String> = addresses.map(|address| end(address, port)).collect();
    if near.is_empty() {
        near.push(format!(":{port}"));
    }
    let on = understood(readers.server_on(&options.0, &near), &[server])?;
    Ok(ServerSpec { on, extensions })
}

/// Sets the modes that are offered; the extensions among them, `None`: all.
fn modes(server: &At<'_>, options: &mut OptionSet) -> Result<Option<Modes>, Vec<Fault>> {
    if !server.leaves.has("modes") {
        return Ok(None);
    }
    let modes = server.modes("modes")?;
    let security = SecurityMode::ALL.into_iter();
    let security = security.filter(|mode| modes.contains(mode.modes()));
    let names: Vec<&str> = security.map(SecurityMode::name).collect();
    if names.is_empty() {
        let what = "write one of unauthenticated, authenticated, encrypted and unauth-test-encrypt-control too";
        return Err(server.leaf_fault("modes", what));
    }
    options.set("mode", names.join(","));
    Ok(Some(modes.without(Modes::SECURITY)))
}
