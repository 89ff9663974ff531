//! Chooses the socket layer: the one for Linux, or the portable one for any system.
//! `TWINPATH_PORTABLE=1` builds the portable one, so that it can be checked on Linux. System calls are filtered on the
//! processors that the library for it has.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(linux_sockets, seccomp)");
    println!("cargo::rerun-if-env-changed=TWINPATH_PORTABLE");
    let linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if linux && std::env::var_os("TWINPATH_PORTABLE").is_none() {
        println!("cargo::rustc-cfg=linux_sockets");
    }
    let processor = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if linux && ["x86_64", "aarch64", "riscv64"].contains(&processor.as_str()) {
        println!("cargo::rustc-cfg=seccomp");
    }
}
