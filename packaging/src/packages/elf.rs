//! What the binary itself says: the machine that it is for, and the libraries that it needs.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use object::elf::{
    DT_NEEDED, EM_386, EM_AARCH64, EM_ARM, EM_RISCV, EM_X86_64, FileHeader32, FileHeader64,
};
use object::read::elf::{Dyn as _, FileHeader};
use object::{Endianness, FileKind};

/// The names of a processor in both kinds of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) deb: &'static str,
    pub(crate) rpm: &'static str,
}

/// A program as a loader sees it.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) machine: Machine,
    pub(crate) is_64_bit: bool,
    /// Each shared library that is needed, with the versions of its symbols.
    pub(crate) libraries: BTreeMap<String, Vec<String>>,
    pub(crate) has_symbols: bool,
}

impl Program {
    /// Reads an ELF file.
    ///
    /// # Errors
    /// It is none, or for a machine that has no name here.
    pub(crate) fn read(octets: &[u8]) -> Result<Self> {
        match FileKind::parse(octets)? {
            FileKind::Elf64 => Self::of::<FileHeader64<Endianness>>(octets, true),
            FileKind::Elf32 => Self::of::<FileHeader32<Endianness>>(octets, false),
            kind => bail!("{kind:?} is no ELF: packages are for Linux"),
        }
    }

    fn of<H: FileHeader<Endian = Endianness>>(octets: &[u8], is_64_bit: bool) -> Result<Self> {
        let header = H::parse(octets)?;
        let endian = header.endian()?;
        let machine = machine(header.e_machine(endian).0)?;
        let sections = header.sections(endian, octets)?;
        let has_symbols = sections.section_by_name(endian, b".symtab").is_some();
        let mut libraries = BTreeMap::new();
        if let Some((entries, strings)) = sections.dynamic(endian, octets)? {
            let strings = sections.strings(endian, octets, strings)?;
            for entry in entries {
                if entry.d_tag(endian) == DT_NEEDED {
                    let at = u32::try_from(entry.d_val(endian).into())?;
                    let name = strings.get(at).ok().context("a library has no name")?;
                    libraries.insert(String::from_utf8(name.to_vec())?, Vec::new());
                }
            }
        }
        if let Some((mut needs, strings)) = sections.gnu_verneed(endian, octets)? {
            let strings = sections.strings(endian, octets, strings)?;
            while let Some((need, mut versions)) = needs.next()? {
                let library = String::from_utf8(need.file(endian, strings)?.to_vec())?;
                let named = libraries.entry(library).or_default();
                while let Some(version) = versions.next()? {
                    named.push(String::from_utf8(version.name(endian, strings)?.to_vec())?);
                }
                named.sort();
            }
        }
        Ok(Self {
            machine,
            is_64_bit,
            libraries,
            has_symbols,
        })
    }

    /// The newest version of glibc that a symbol is of, as `(2, 34)`.
    pub(crate) fn glibc(&self) -> Option<(u32, u32)> {
        let versions = self.libraries.values().flatten();
        let numbers = versions.filter_map(|version| {
            let (major, rest) = version.strip_prefix("GLIBC_")?.split_once('.')?;
            let minor = rest.split('.').next()?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        });
        numbers.max()
    }
}

fn machine(code: u16) -> Result<Machine> {
    let (deb, rpm) = match object::elf::Machine(code) {
        EM_X86_64 => ("amd64", "x86_64"),
        EM_386 => ("i386", "i686"),
        EM_AARCH64 => ("arm64", "aarch64"),
        EM_ARM => ("armhf", "armv7hl"),
        EM_RISCV => ("riscv64", "riscv64"),
        _ => bail!("no package has a name for ELF machine {code}: add it to elf.rs"),
    };
    Ok(Machine { deb, rpm })
}
