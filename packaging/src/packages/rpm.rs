//! An RPM package.

use anyhow::Result;
use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder};

use crate::contents::Contents;
use crate::elf::Program;
use crate::{About, DESCRIPTION, SUMMARY};

/// The package, and the name of its file.
///
/// # Errors
/// A file has a path or mode that RPM has no place for.
pub(crate) fn package(
    about: &About,
    program: &Program,
    contents: Contents,
) -> Result<(String, Vec<u8>)> {
    let machine = program.machine.rpm;
    let config = BuildConfig::v4()
        .source_date(about.epoch)
        .compression(CompressionWithLevel::Gzip(9));
    let mut builder = PackageBuilder::new("twinpath", about.version, "MIT", machine, SUMMARY);
    builder
        .using_config(config)
        .release(about.release)
        .description(DESCRIPTION)
        .packager(&about.maintainer)
        // The name of a host would tell two builds apart.
        .build_host("localhost")
        .post_install_script(include_str!("../../rpm/post"))
        .pre_uninstall_script(include_str!("../../rpm/preun"))
        .post_uninstall_script(include_str!("../../rpm/postun"));
    for directory in &contents.directories {
        builder.with_dir_entry(FileOptions::dir(directory).permissions(0o755))?;
    }
    for file in contents.files {
        let mut options = FileOptions::new(&file.path).permissions(u16::try_from(file.mode)?);
        if file.is_config {
            options = options.config().noreplace();
        } else if file.path.starts_with("/usr/share/licenses/") {
            options = options.license();
        } else if ["/usr/share/doc/", "/usr/share/man/"]
            .iter()
            .any(|place| file.path.starts_with(place))
        {
            options = options.doc();
        }
        builder.with_file_contents(file.octets, options)?;
    }
    for need in requires(program) {
        builder.requires(Dependency::any(need));
    }
    let package = builder.build()?;
    let mut octets = Vec::new();
    package.write(&mut octets)?;
    let name = format!("twinpath-{}-{}.{machine}.rpm", about.version, about.release);
    Ok((name, octets))
}

/// Libraries by the names that packages of them provide, as `libc.so.6(GLIBC_2.34)(64bit)`.
fn requires(program: &Program) -> Vec<String> {
    let width = if program.is_64_bit { "(64bit)" } else { "" };
    let mut needs = Vec::new();
    for (library, versions) in &program.libraries {
        // RPM writes no empty version where a word has only 32 bits.
        let any = if program.is_64_bit { "()" } else { "" };
        needs.push(format!("{library}{any}{width}"));
        needs.extend(
            versions
                .iter()
                .map(|version| format!("{library}({version}){width}")),
        );
    }
    needs
}
