//! What the Makefile builds and installs, with definitions in the place of those of OpenWrt's build system.

use std::path::Path;
use std::process::Command;

use crate::program::{Done, finish};
use crate::units::{is_installed, packaging};

/// As much of OpenWrt's build system as the Makefile uses.
const RULES: &str = "
comma:=,
RUST_ARCH_DEPENDS:=@RUST
PKG_BUILD_DIR:=$(TOPDIR)/build
PKG_INSTALL_DIR:=$(TOPDIR)/built
INSTALL_DIR:=install -d -m 755
INSTALL_BIN:=install -m 755
INSTALL_CONF:=install -m 600
INSTALL_DATA:=install -m 644
";
const RUST: &str = "
define Build/Compile/Cargo
\t@echo cargo install --path $(1) $(2)
endef
define RustBinPackage
endef
";
const BUILD: &str = "
define BuildPackage
all:
\t$(call Build/Prepare)
\t$(call Build/Compile)
\t$(call Package/$(1)/install,$(TOPDIR)/root)
\t@echo version $(PKG_VERSION)
endef
";

#[test]
fn the_makefile_builds_this_tree_and_installs_each_file_in_its_place() {
    if !is_installed("make") {
        println!("skipped: make is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let top = directory.path();
    let write = |path: &str, text: &str| {
        let path = top.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("rules.mk", RULES);
    write("include/package.mk", BUILD);
    write("feeds/packages/lang/rust/rust-package.mk", RUST);
    write("built/bin/twinpath", "the program");
    let mut make = Command::new("make");
    make.arg("-C").arg(packaging("openwrt"));
    make.arg(format!("TOPDIR={}", top.display()));
    make.arg(format!("INCLUDE_DIR={}", top.join("include").display()));
    let done = finish(make);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let version = format!("version {}", env!("CARGO_PKG_VERSION"));
    assert!(
        done.stdout.lines().any(|line| line == version),
        "{}",
        done.stdout
    );
    let cargo =
        "cargo install --path crates/twinpath --no-default-features --features control,status";
    assert!(
        done.stdout.lines().any(|line| line == cargo),
        "{}",
        done.stdout
    );
    installed(&done, &top.join("root"));
    // All members of the workspace are needed, and its lock file.
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args([
        "metadata",
        "--offline",
        "--locked",
        "--no-deps",
        "--format-version",
        "1",
    ]);
    metadata.current_dir(top.join("build/crates/twinpath"));
    let done = finish(metadata);
    assert_eq!(done.status, 0, "{}", done.stderr);
}

fn installed(done: &Done, root: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for (path, mode) in [
        ("usr/bin/twinpath", 0o755),
        ("etc/init.d/twinpath", 0o755),
        ("etc/config/twinpath", 0o600),
        ("etc/capabilities/twinpath.json", 0o644),
    ] {
        let metadata = std::fs::metadata(root.join(path));
        let metadata = metadata.unwrap_or_else(|error| panic!("{path}: {error}: {}", done.stdout));
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
}
