//! A Debian package: an ar archive of a version, the control files and the data (deb(5)).

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};
use md5::{Digest as _, Md5};

use crate::contents::{Contents, gzipped};
use crate::elf::Program;
use crate::tarball::Tarball;
use crate::{About, DESCRIPTION, SUMMARY};

/// What runs when the package comes and goes.
const SCRIPTS: [(&str, &str); 3] = [
    ("/postinst", include_str!("../../debian/postinst")),
    ("/prerm", include_str!("../../debian/prerm")),
    ("/postrm", include_str!("../../debian/postrm")),
];

/// The package, and the name of its file.
///
/// # Errors
/// The program needs a library of which no package is known here.
pub(crate) fn package(
    about: &About,
    program: &Program,
    mut contents: Contents,
) -> Result<(String, Vec<u8>)> {
    let version = format!("{}-{}", about.version, about.release);
    contents.add(
        "/usr/share/doc/twinpath/changelog.Debian.gz",
        gzipped(changelog(about, &version)?.as_bytes())?,
    );

    let mut data = Tarball::new(about.epoch);
    let mut sums = String::new();
    let mut config = String::new();
    let mut octets = 0_usize;
    for directory in &contents.directories {
        data.directory(directory)?;
    }
    for file in &contents.files {
        data.file(&file.path, file.mode, &file.octets)?;
        octets += file.octets.len();
        if file.is_config {
            writeln!(config, "{}", file.path)?;
        } else {
            for octet in Md5::digest(&file.octets) {
                write!(sums, "{octet:02x}")?;
            }
            writeln!(sums, "  {}", file.path.trim_start_matches('/'))?;
        }
    }

    let mut control = Tarball::new(about.epoch);
    let fields = control_fields(about, program, &version, octets)?;
    control.file("/control", 0o644, fields.as_bytes())?;
    control.file("/md5sums", 0o644, sums.as_bytes())?;
    if !config.is_empty() {
        control.file("/conffiles", 0o644, config.as_bytes())?;
    }

    for (name, script) in SCRIPTS {
        control.file(name, 0o755, script.as_bytes())?;
    }

    let mut archive = b"!<arch>\n".to_vec();
    for (name, octets) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", control.finish()?),
        ("data.tar.gz", data.finish()?),
    ] {
        member(&mut archive, name, about.epoch, &octets);
    }
    let name = format!("twinpath_{version}_{}.deb", program.machine.deb);
    Ok((name, archive))
}

fn control_fields(
    about: &About,
    program: &Program,
    version: &str,
    octets: usize,
) -> Result<String> {
    ensure!(
        about.maintainer.contains(" <") && about.maintainer.ends_with('>'),
        "the maintainer is written as in \"Name <name@example.org>\""
    );
    let mut fields = String::new();
    writeln!(fields, "Package: twinpath")?;
    writeln!(fields, "Version: {version}")?;
    writeln!(fields, "Architecture: {}", program.machine.deb)?;
    writeln!(fields, "Maintainer: {}", about.maintainer)?;
    writeln!(fields, "Installed-Size: {}", octets.div_ceil(1024))?;
    let depends = depends(program)?;
    if !depends.is_empty() {
        writeln!(fields, "Depends: {}", depends.join(", "))?;
    }
    writeln!(fields, "Section: net")?;
    writeln!(fields, "Priority: optional")?;
    writeln!(fields, "Description: {SUMMARY}")?;
    for line in DESCRIPTION.lines() {
        writeln!(fields, " {line}")?;
    }
    Ok(fields)
}

/// The packages of the libraries that the program needs. A static one needs none.
fn depends(program: &Program) -> Result<Vec<String>> {
    let mut depends = Vec::new();
    for library in program.libraries.keys() {
        let package = match library.as_str() {
            // Of one package, of the newest version that is asked for.
            "libc.so.6" | "libm.so.6" => program.glibc().map_or_else(
                || "libc6".to_owned(),
                |(major, minor)| format!("libc6 (>= {major}.{minor})"),
            ),
            // It is part of the C library.
            loader if loader.starts_with("ld-linux") => continue,
            "libgcc_s.so.1" => "libgcc-s1".to_owned(),
            library => bail!("no package is known that has {library}: add it to deb.rs"),
        };
        if !depends.contains(&package) {
            depends.push(package);
        }
    }
    Ok(depends)
}

/// Debian's own, which names this package and what it was made for.
fn changelog(about: &About, version: &str) -> Result<String> {
    let at = jiff::Timestamp::from_second(about.epoch.into())?;
    let at = at.strftime("%a, %d %b %Y %H:%M:%S +0000");
    Ok(format!(
        "twinpath ({version}) unstable; urgency=medium\n\n  * What is new in {} is in changelog.gz.\n\n -- {}  {at}\n",
        about.version, about.maintainer
    ))
}

/// A member of an ar archive, of root. Members begin at even places.
fn member(archive: &mut Vec<u8>, name: &str, epoch: u32, octets: &[u8]) {
    let mode = 0o100_644;
    let length = octets.len();
    let header = format!(
        "{name:<16}{epoch:<12}{:<6}{:<6}{mode:<8o}{length:<10}`\n",
        0, 0
    );
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(octets);
    if length % 2 == 1 {
        archive.push(b'\n');
    }
}
