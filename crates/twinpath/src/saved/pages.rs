//! The pages of a column looked over before they are read: what their headers say decides how much
//! memory reading them takes, and a file from a stranger may say anything.

use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::ChunkReader;

use super::Broken;
use super::whole::Whole;

/// Octets of a page at most, when it is decompressed; ours have a million.
const LARGEST: u64 = 64 << 20;
/// Octets of a page's header at most.
const HEADER: usize = 8 << 10;
/// How many times as long a compressed page can be when it is decompressed: a copy of 64 octets takes
/// three.
const DENSEST: u64 = 32;
/// Encodings that are read with memory for what is there, not for what is claimed: plain, by
/// dictionary (both names), run lengths, differences.
const ENCODINGS: [i64; 5] = [0, 2, 3, 5, 8];
/// Structures within structures.
const DEEPEST: u8 = 8;

/// Looks over the pages of a column.
///
/// # Errors
/// [`Broken`]: they cannot be, or are larger than can be read.
pub(super) fn look_over(file: &Whole, about: &ColumnChunkMetaData) -> Result<(), Broken> {
    let begin = match about.dictionary_page_offset() {
        Some(dictionary) if dictionary > 0 => dictionary,
        Some(_) | None => about.data_page_offset(),
    };
    let begin = u64::try_from(begin).map_err(|_| Broken::Rows)?;
    let length = u64::try_from(about.compressed_size()).map_err(|_| Broken::Rows)?;
    let end = begin.checked_add(length).ok_or(Broken::Rows)?;
    let packed = about.compression() != Compression::UNCOMPRESSED;
    let mut at = begin;
    while at < end {
        let header = usize::try_from(end - at).unwrap_or(HEADER).min(HEADER);
        let octets = file.get_bytes(at, header)?;
        let mut octets = Octets(&octets);
        let page = Page::read(&mut octets).ok_or(Broken::Rows)?;
        page.check(packed)?;
        let behind = (header - octets.0.len()) as u64 + page.stored;
        at = at.checked_add(behind).ok_or(Broken::Rows)?;
    }
    // Beyond its column is no place for a page.
    if at > end { Err(Broken::Rows) } else { Ok(()) }
}

/// What a page says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    stored: u64,
    unpacked: u64,
    /// Values of a dictionary.
    entries: u64,
    encoding: i64,
}

impl Page {
    /// `PageHeader` of the Parquet format: 2 and 3 are sizes, 5, 7 and 8 headers of data pages, of
    /// dictionaries, and of data pages of version 2, which have their encoding in their field 2 or 4.
    fn read(octets: &mut Octets<'_>) -> Option<Self> {
        let mut page = Self::default();
        let mut id = 0;
        loop {
            let kind = octets.field(&mut id)?;
            match (id, kind) {
                (_, STOP) => return Some(page),
                (2, INTEGER) => page.unpacked = u64::try_from(octets.integer()?).ok()?,
                (3, INTEGER) => page.stored = u64::try_from(octets.integer()?).ok()?,
                (5 | 7 | 8, STRUCTURE) => {
                    let header = id;
                    let mut id = 0;
                    loop {
                        let kind = octets.field(&mut id)?;
                        match (header, id, kind) {
                            (.., STOP) => break,
                            (7, 1, INTEGER) => {
                                page.entries = u64::try_from(octets.integer()?).ok()?;
                            }
                            (5 | 7, 2, INTEGER) | (8, 4, INTEGER) => {
                                page.encoding = octets.integer()?;
                            }
                            _ => octets.skip(kind, DEEPEST)?,
                        }
                    }
                }
                _ => octets.skip(kind, DEEPEST)?,
            }
        }
    }

    fn check(&self, packed: bool) -> Result<(), Broken> {
        let most = if packed {
            self.stored.saturating_mul(DENSEST).saturating_add(64)
        } else {
            self.stored
        };
        if self.unpacked > LARGEST {
            return Err(Broken::TooLarge);
        }
        if !ENCODINGS.contains(&self.encoding) {
            return Err(Broken::Encoding);
        }
        // An entry has four octets at least.
        if self.unpacked > most || self.entries > self.unpacked / 4 {
            return Err(Broken::Rows);
        }
        Ok(())
    }
}

/// Types of Thrift's compact protocol, and the end of a structure.
const STOP: u8 = 0;
const INTEGER: u8 = 5;
const STRUCTURE: u8 = 12;

/// Thrift's compact protocol, as much of it as a page's header needs.
struct Octets<'a>(&'a [u8]);

impl Octets<'_> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            value |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The type of the next field, its number in `id`.
    fn field(&mut self, id: &mut i64) -> Option<u8> {
        let head = self.octet()?;
        *id = match (head, head >> 4) {
            (STOP, _) => return Some(STOP),
            (_, 0) => self.integer()?,
            (_, delta) => id.checked_add(delta.into())?,
        };
        Some(head & 0x0f)
    }

    fn skip(&mut self, kind: u8, deep: u8) -> Option<()> {
        let deep = deep.checked_sub(1)?;
        match kind {
            // True and false are the type alone.
            1 | 2 => {}
            3 => drop(self.octet()?),
            4..=6 => drop(self.varint()?),
            7 => self.0 = self.0.get(8..)?,
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.0 = self.0.get(length..)?;
            }
            STRUCTURE => {
                let mut id = 0;
                loop {
                    match self.field(&mut id)? {
                        STOP => break,
                        kind => self.skip(kind, deep)?,
                    }
                }
            }
            // No header of a page has lists or maps.
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data page of 500 octets, 90 of them stored: its header with a statistic in it.
    const DATA: [u8; 22] = [
        0x15, 0, // type
        0x15, 0xe8, 0x07, // 500 unpacked
        0x15, 0xb4, 0x01, // 90 stored
        0x2c, // data page header
        0x15, 0x08, 0x15, 0x0a, 0x15, 0x06, 0x15,
        0x06, // 4 values, encoding 5, levels 3 and 3
        0x1c, 0x18, 0x00, 0x00, // a statistic: an empty word
        0x00, // end of the data page header
    ];

    #[test]
    fn a_page_s_header_is_read_and_no_longer_than_it_is() {
        let mut octets = DATA.to_vec();
        octets.extend([0x00, 0xff]);
        let mut octets = Octets(&octets);
        let page = Page::read(&mut octets).unwrap();
        assert_eq!(octets.0, [0xff]);
        let expected = Page {
            stored: 90,
            unpacked: 500,
            entries: 0,
            encoding: 5,
        };
        assert_eq!(page, expected);
        for length in 0..=DATA.len() {
            assert_eq!(Page::read(&mut Octets(&DATA[..length])), None, "{length}");
        }
    }

    #[test]
    fn a_page_that_claims_more_than_it_can_hold_is_refused() {
        let page = |stored, unpacked, entries, encoding| Page {
            stored,
            unpacked,
            entries,
            encoding,
        };
        assert!(page(90, 500, 100, 8).check(true).is_ok());
        assert!(
            page(90, 500, 0, 0).check(false).is_err(),
            "longer than it is stored"
        );
        assert!(
            page(90, 50_000, 0, 0).check(true).is_err(),
            "denser than can be"
        );
        assert!(
            page(90, 500, 126, 8).check(true).is_err(),
            "more words than octets"
        );
        assert!(
            page(1 << 30, 1 << 29, 0, 0).check(true).is_err(),
            "too large"
        );
        assert!(page(90, 500, 0, 7).check(true).is_err(), "another encoding");
    }
}
