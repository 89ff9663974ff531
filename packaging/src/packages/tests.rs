//! The packages, read by the programs that install and check them. A test says that it is skipped where such
//! a program is missing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::contents::{Contents, Places, root};
use crate::elf::Program;
use crate::{About, Format, deb, rpm};

/// A program of the system, stripped and linked to its C library alone.
const PROGRAM: &str = "/bin/true";
const EPOCH: u32 = 1_700_000_000;
/// Files that an operator edits.
const CONFIGURED: &str = "/etc/twinpath/daemon.conf\n/etc/twinpath/responder.conf\n/etc/twinpath/responder.limits\n\
     /etc/twinpath/server.conf\n/etc/twinpath/server.limits\n\
     /etc/twinpath/twinpath.toml\n";

/// A directory with what the packages want of `cargo xtask dist`, and the packages.
struct Made {
    directory: tempfile::TempDir,
    deb: String,
    rpm: String,
}

impl Made {
    fn at(&self) -> &Path {
        self.directory.path()
    }
}

fn places(dist: &Path) -> Places {
    Places {
        binary: PathBuf::from(PROGRAM),
        dist: dist.to_owned(),
        root: root(),
    }
}

/// Both packages of a program that stands for twinpath; `None` where it is not of this kind of system.
fn made() -> Option<Made> {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let page = ".TH TWINPATH 1\n.SH NAME\ntwinpath \\- measure\n";
    for (file, text) in [
        ("man/twinpath.1", page),
        ("man/twinpath-sender.1", page),
        ("completions/bash/twinpath", "complete -W x twinpath\n"),
        ("completions/zsh/_twinpath", "#compdef twinpath\n"),
        ("completions/fish/twinpath.fish", "complete -c twinpath\n"),
    ] {
        let path = at.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let octets = std::fs::read(PROGRAM).ok()?;
    let Ok(program) = Program::read(&octets) else {
        eprintln!("skipped: {PROGRAM} is no ELF of a known machine");
        return None;
    };
    let package = |format| {
        let contents = Contents::read(&places(at), format).unwrap();
        let (name, package) = match format {
            Format::Deb => deb::package(&about(), &program, contents),
            Format::Rpm => rpm::package(&about(), &program, contents),
        }
        .unwrap();
        std::fs::write(at.join(&name), &package).unwrap();
        (name, package)
    };
    let ((deb, one), (rpm, other)) = (package(Format::Deb), package(Format::Rpm));
    // The same again is the same.
    assert!(package(Format::Deb).1 == one && package(Format::Rpm).1 == other);
    Some(Made {
        directory,
        deb,
        rpm,
    })
}

fn about() -> About {
    About {
        version: env!("CARGO_PKG_VERSION"),
        release: "1",
        maintainer: "Ann Other <ann@debian.org>".to_owned(),
        epoch: EPOCH,
    }
}

/// What a program prints on stdout; `None`, with a word about it, where it is not installed.
fn output(at: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(at)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
    let Output {
        status,
        stdout,
        stderr,
    } = match command.output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: {program} cannot be run: {error}");
            return None;
        }
    };
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(
        status.success(),
        "{program} {arguments:?}: {stdout}{stderr}"
    );
    Some(stdout)
}

#[test]
fn dpkg_reads_the_package_and_finds_each_file_as_it_was() {
    let Some(made) = made() else { return };
    let Some(listed) = output(made.at(), "dpkg-deb", &["-c", &made.deb]) else {
        return;
    };
    for line in [
        "-rwxr-xr-x root/root",
        "./usr/bin/twinpath\n",
        "./usr/share/man/man1/twinpath-sender.1.gz\n",
        "./usr/share/bash-completion/completions/twinpath\n",
        "./usr/share/zsh/vendor-completions/_twinpath\n",
        "./usr/share/fish/vendor_completions.d/twinpath.fish\n",
        "./etc/twinpath/responder.limits\n",
        "./usr/lib/systemd/system/twinpath-responder.service\n",
        "./usr/lib/systemd/system/twinpath-responder@.service\n",
        "./usr/lib/systemd/system/twinpath-server.socket\n",
        "./usr/share/doc/twinpath/copyright\n",
        "./usr/share/doc/twinpath/changelog.gz\n",
        "./usr/share/doc/twinpath/changelog.Debian.gz\n",
        "2023-11-14 22:13 ./usr/",
    ] {
        assert!(listed.contains(line), "{line}: {listed}");
    }
    assert!(
        listed.lines().all(|line| line.contains(" root/root ")),
        "{listed}"
    );
    let field = |name| output(made.at(), "dpkg-deb", &["-f", &made.deb, name]).unwrap();
    assert_eq!(
        field("Version").trim(),
        format!("{}-1", env!("CARGO_PKG_VERSION"))
    );
    // Of the C library alone, whatever symbols it is asked for.
    let depends = field("Depends");
    let version = depends.trim().strip_prefix("libc6 (>= 2.").unwrap();
    assert!(
        version.trim_end_matches(')').parse::<u32>().unwrap() >= 2,
        "{depends}"
    );

    output(made.at(), "dpkg-deb", &["-R", &made.deb, "unpacked"]).unwrap();
    let unpacked = made.at().join("unpacked");
    let conffiles = std::fs::read_to_string(unpacked.join("DEBIAN/conffiles")).unwrap();
    assert_eq!(conffiles, CONFIGURED);
    for script in ["postinst", "prerm", "postrm"] {
        output(&unpacked.join("DEBIAN"), "sh", &["-n", script]).unwrap();
        let written = std::fs::metadata(unpacked.join("DEBIAN").join(script)).unwrap();
        assert_eq!(written.permissions().mode() & 0o777, 0o755);
    }
    let sums = output(&unpacked, "md5sum", &["-c", "--quiet", "DEBIAN/md5sums"]);
    assert_eq!(sums.unwrap(), "");
    let program = std::fs::read(unpacked.join("usr/bin/twinpath")).unwrap();
    assert!(program == std::fs::read(PROGRAM).unwrap());
}

#[test]
fn lintian_finds_no_error() {
    let Some(made) = made() else { return };
    let arguments = ["--fail-on", "error", "--allow-root", "--no-cfg", &made.deb];
    let Some(found) = output(made.at(), "lintian", &arguments) else {
        return;
    };
    // Of a package that closes no bug report, as one for Debian itself would.
    let other = found
        .lines()
        .filter(|line| !line.contains("initial-upload-closes-no-bugs"));
    let other: Vec<&str> = other.filter(|line| !line.starts_with("N: ")).collect();
    assert_eq!(other, [""; 0]);
}

#[test]
fn rpm_reads_the_package_and_verifies_it() {
    let Some(made) = made() else { return };
    let query = |arguments: &[&str]| {
        let database = made.at().join("rpmdb").display().to_string();
        let mut words = vec!["--dbpath", &database];
        words.extend(arguments);
        output(made.at(), "rpm", &words)
    };
    let Some(checked) = query(&["-Kv", &made.rpm]) else {
        return;
    };
    assert!(
        checked.contains("OK") && !checked.contains("BAD"),
        "{checked}"
    );
    let listed = query(&["-qplv", &made.rpm]).unwrap();
    for (mode, path) in [
        ("-rwxr-xr-x", "/usr/bin/twinpath"),
        ("drwxr-xr-x", "/etc/twinpath"),
        ("-rw-r--r--", "/etc/twinpath/responder.limits"),
        (
            "-rw-r--r--",
            "/usr/lib/systemd/system/twinpath-server.service",
        ),
        ("-rw-r--r--", "/usr/share/licenses/twinpath/LICENSE"),
        ("-rw-r--r--", "/usr/share/man/man1/twinpath.1.gz"),
        ("-rw-r--r--", "/usr/share/zsh/site-functions/_twinpath"),
    ] {
        let line = listed
            .lines()
            .find(|line| line.ends_with(&format!(" {path}")));
        assert!(
            line.is_some_and(|line| line.starts_with(mode)),
            "{path}: {listed}"
        );
    }
    let configured = query(&["-qpc", &made.rpm]).unwrap();
    assert_eq!(configured, CONFIGURED);
    let needs = query(&["-qp", "--requires", &made.rpm]).unwrap();
    assert!(
        needs
            .lines()
            .any(|line| line == "libc.so.6()(64bit)" || line == "libc.so.6"),
        "{needs}"
    );
    let scripts = query(&["-qp", "--scripts", &made.rpm]).unwrap();
    for kind in ["postinstall", "preuninstall", "postuninstall"] {
        assert!(
            scripts.contains(&format!("{kind} scriptlet")),
            "{kind}: {scripts}"
        );
    }
    let built = query(&["-qp", "--qf", "%{BUILDTIME} %{LICENSE}", &made.rpm]).unwrap();
    assert_eq!(built, format!("{EPOCH} MIT"));
}

#[test]
fn a_list_that_names_no_file_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let error = Contents::read(&places(directory.path()), Format::Deb).unwrap_err();
    assert!(format!("{error:#}").contains("dist:man/*.1: "), "{error:#}");
}

#[test]
fn a_maintainer_without_an_address_is_refused() {
    let Some(made) = made() else { return };
    let program = Program::read(&std::fs::read(PROGRAM).unwrap()).unwrap();
    let contents = Contents::read(&places(made.at()), Format::Deb).unwrap();
    let about = About {
        maintainer: "Ann".to_owned(),
        ..about()
    };
    let error = deb::package(&about, &program, contents).unwrap_err();
    assert!(
        error.to_string().contains("Name <name@example.org>"),
        "{error}"
    );
}
