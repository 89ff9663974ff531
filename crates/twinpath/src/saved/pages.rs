//! Checks the pages of a column before they are read: their headers determine the memory that
//! reading takes, and a file may contain any values.

use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::ChunkReader;

use super::Unreadable;

/// The most octets of a decompressed page; this program writes a million.
const LARGEST: u64 = 64 << 20;
/// The most octets of a page's header.
const HEADER: usize = 8 << 10;
/// How many times as long a compressed page can be when it is decompressed: a copy of 64 octets takes
/// three.
const DENSEST: u64 = 32;
/// Encodings whose decoding takes memory for actual, not claimed, values: plain, by dictionary
/// (both names), run lengths, differences.
const ENCODINGS: [i64; 5] = [0, 2, 3, 5, 8];
/// Structures within structures.
const DEEPEST: usize = 8;

/// The most values of a page of lists, whose levels take memory for claimed ones: this program writes some
/// ten thousand.
const LISTED: u64 = 1 << 20;

/// Checks the pages of a column.
///
/// # Errors
/// [`Unreadable`]: they are invalid, or too large to read.
pub(crate) fn check_pages<C: ChunkReader>(
    file: &C,
    about: &ColumnChunkMetaData,
) -> Result<(), Unreadable> {
    let has_lists = about.column_descr().max_rep_level() > 0;
    let begin = match about.dictionary_page_offset() {
        Some(dictionary) if dictionary > 0 => dictionary,
        Some(_) | None => about.data_page_offset(),
    };
    let begin = u64::try_from(begin).map_err(|_| Unreadable::Rows)?;
    let length = u64::try_from(about.compressed_size()).map_err(|_| Unreadable::Rows)?;
    let end = begin.checked_add(length).ok_or(Unreadable::Rows)?;
    let packed = about.compression() != Compression::UNCOMPRESSED;
    let mut at = begin;
    while at < end {
        let header = usize::try_from(end - at).unwrap_or(HEADER).min(HEADER);
        let octets = file.get_bytes(at, header)?;
        let mut octets = Octets(&octets);
        let page = Page::read(&mut octets).ok_or(Unreadable::Rows)?;
        page.check(packed)?;
        if has_lists && page.values > LISTED {
            return Err(Unreadable::TooLarge);
        }
        let behind = (header - octets.0.len()) as u64 + page.stored;
        at = at.checked_add(behind).ok_or(Unreadable::Rows)?;
    }
    // Beyond its column is no place for a page.
    if at > end {
        Err(Unreadable::Rows)
    } else {
        Ok(())
    }
}

/// A page's header.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    stored: u64,
    unpacked: u64,
    /// Values of a dictionary.
    entries: u64,
    /// Values of a data page, missing ones included.
    values: u64,
    encoding: i64,
}

impl Page {
    /// The page whose header these octets begin with.
    fn read(octets: &mut Octets<'_>) -> Option<Self> {
        let mut page = Self::default();
        page.structure(octets, &mut Vec::new())?;
        Some(page)
    }

    /// A structure to its end; `path`: the numbers of the fields that it is in. The library that reads
    /// the page goes by the number of a field, whatever type the field has: one that has another type
    /// than `PageHeader` gives it (the Parquet format) would be something else to it, and is refused.
    fn structure(&mut self, octets: &mut Octets<'_>, path: &mut Vec<u8>) -> Option<()> {
        if path.len() >= DEEPEST {
            return None;
        }
        path.push(0);
        loop {
            let head = octets.octet()?;
            if head == 0 {
                break;
            }
            // Each field is named by its distance from the one before; 0 would be a number by itself.
            let distance = Some(head >> 4).filter(|distance| *distance > 0)?;
            let id = path.last_mut()?;
            *id = id.checked_add(distance)?;
            match (path.as_slice(), head & 0x0f) {
                ([1..=4] | [5, 1..=4] | [7, 1 | 2] | [8, 1..=6], kind) => {
                    let value = Some(octets.integer()?).filter(|_| kind == INTEGER)?;
                    self.take(path, value)?;
                }
                ([5..=8] | [5, 5] | [8, 8], kind) if kind != STRUCTURE => return None,
                (_, STRUCTURE) => self.structure(octets, path)?,
                (_, kind) => octets.skip(kind)?,
            }
        }
        path.pop();
        Some(())
    }

    /// 2 and 3 are sizes; 5, 7 and 8 headers of data pages, of dictionaries, and of data pages of version
    /// 2, which have their encoding in their field 2 or 4.
    fn take(&mut self, path: &[u8], value: i64) -> Option<()> {
        let count = || u64::try_from(value).ok();
        match path {
            [2] => self.unpacked = count()?,
            [3] => self.stored = count()?,
            [7, 1] => self.entries = count()?,
            [5 | 8, 1] => self.values = count()?,
            [5 | 7, 2] | [8, 4] => self.encoding = value,
            _ => {}
        }
        Some(())
    }

    fn check(&self, packed: bool) -> Result<(), Unreadable> {
        let most = if packed {
            self.stored.saturating_mul(DENSEST).saturating_add(64)
        } else {
            self.stored
        };
        if self.unpacked > LARGEST {
            return Err(Unreadable::TooLarge);
        }
        if !ENCODINGS.contains(&self.encoding) {
            return Err(Unreadable::Encoding);
        }
        // An entry has four octets at least.
        if self.unpacked > most || self.entries > self.unpacked / 4 {
            return Err(Unreadable::Rows);
        }
        Ok(())
    }
}

/// Types of Thrift's compact protocol.
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

    /// A value of such a type. No header of a page has lists or maps.
    fn skip(&mut self, kind: u8) -> Option<()> {
        let length = match kind {
            // True and false are the type alone.
            1 | 2 => 0,
            3 => 1,
            4..=6 => return self.varint().map(drop),
            7 => 8,
            8 => usize::try_from(self.varint()?).ok()?,
            _ => return None,
        };
        self.0 = self.0.get(length..)?;
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
            values: 4,
            encoding: 5,
        };
        assert_eq!(page, expected);
        for length in 0..=DATA.len() {
            assert_eq!(Page::read(&mut Octets(&DATA[..length])), None, "{length}");
        }
    }

    #[test]
    fn a_field_that_is_of_another_type_to_the_library_is_refused() {
        let read = |octets: &[u8]| Page::read(&mut Octets(octets));
        let header = [&DATA[..], &[0]].concat();
        assert!(read(&header).is_some());
        let with = |at: usize, octet: u8| {
            let mut header = header.clone();
            header[at] = octet;
            read(&header)
        };
        // The size when it is unpacked, and the encoding, as 64 or 16 bits; a header as a list.
        for (at, octet) in [(2, 0x16), (2, 0x14), (11, 0x16), (8, 0x29)] {
            assert_eq!(with(at, octet), None, "{octet:02x} at {at}");
        }
        // The number 2 again, by itself: as it is, and as the library would cut it to 16 bits.
        for id in [&[0x04][..], &[0x84, 0x80, 0x08]] {
            let again = [&DATA[..], &[0x05], id, &[0xfe, 0xff, 0xff, 0xff, 0x0f, 0]].concat();
            assert_eq!(read(&again), None, "{id:x?}");
        }
    }

    #[test]
    fn a_page_that_claims_more_than_it_can_hold_is_refused() {
        let page = |stored, unpacked, entries, encoding| Page {
            stored,
            unpacked,
            entries,
            values: 0,
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
