//! Chooses the socket layer: Linux's own, or the portable one that any system has.
//! `TWINPATH_PORTABLE=1` builds as for a system without the former, so that this can be checked here.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(linux_sockets)");
    println!("cargo::rerun-if-env-changed=TWINPATH_PORTABLE");
    let linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if linux && std::env::var_os("TWINPATH_PORTABLE").is_none() {
        println!("cargo::rustc-cfg=linux_sockets");
    }
}
