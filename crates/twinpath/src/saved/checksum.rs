//! Checksums of a raw file: those of its row groups are in the footer, that of the footer right
//! before it. An octet changed by a disk or a copy is an error, not another value.

use parquet::file::metadata::{KeyValue, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;

use super::{Unreadable, WRITER};

/// The key of the row groups' checksums: a list in JSON, in their order.
const KEY: &str = "twinpath.checksums";
/// What the seal of a footer begins with.
const TAG: [u8; 4] = *b"TPck";
/// Octets of a seal: the tag, the footer's length, its checksum.
const SEAL: usize = 12;
/// Octets read at once.
const STRETCH: u64 = 1 << 20;

/// CRC-32 of these octets.
pub(super) fn of(octets: &[u8]) -> u32 {
    crc32fast::hash(octets)
}

/// The footer's entry for row groups with these checksums.
pub(super) fn fact(groups: &[u32]) -> KeyValue {
    let list: Vec<String> = groups.iter().map(u32::to_string).collect();
    KeyValue::new(KEY.to_owned(), format!("[{}]", list.join(",")))
}

/// What is right before this footer, which is without its length and the magic number.
pub(crate) fn seal(footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap_or(u32::MAX);
    [TAG, length.to_le_bytes(), of(footer).to_le_bytes()].concat()
}

/// Checks the footer of a file, and gives the checksums of its row groups; `None`: it has none,
/// because an older version wrote it, or another program rewrote it.
///
/// # Errors
/// [`Unreadable`].
pub(crate) fn of_groups<C: ChunkReader>(
    file: &C,
    about: &ParquetMetaData,
) -> Result<Option<Vec<u32>>, Unreadable> {
    let facts = about.file_metadata().key_value_metadata();
    let mut facts = facts.into_iter().flatten();
    let list = facts.find(|fact| fact.key == KEY);
    let list = list.and_then(|fact| fact.value.as_deref());
    let created_by = about.file_metadata().created_by();
    let expected = list.is_some() && created_by.is_some_and(|by| by.starts_with(WRITER));
    if !footer(file)? {
        return if expected {
            Err(Unreadable::Checksum)
        } else {
            Ok(None)
        };
    }
    let list = list.and_then(|list| serde_json::from_str::<Vec<u32>>(list).ok());
    list.filter(|list| list.len() == about.num_row_groups())
        .map(Some)
        .ok_or(Unreadable::Checksum)
}

/// Whether the footer has a seal, which it then agrees with.
fn footer<C: ChunkReader>(file: &C) -> Result<bool, Unreadable> {
    let end = file.len().saturating_sub(8);
    let length = number(&file.get_bytes(end, 4)?);
    let begin = end.checked_sub(length.into()).ok_or(Unreadable::Checksum)?;
    let Some(before) = begin.checked_sub(SEAL as u64) else {
        return Ok(false);
    };
    let seal = file.get_bytes(before, SEAL)?;
    let Some((sealed, sum)) = seal
        .strip_prefix(&TAG)
        .and_then(|rest| rest.split_at_checked(4))
    else {
        return Ok(false);
    };
    let sealed = number(sealed);
    // While a file grows, meaningless octets may follow its footer.
    if sealed > length || hash(file, begin, sealed.into())? != number(sum) {
        return Err(Unreadable::Checksum);
    }
    Ok(true)
}

/// Checks a row group.
///
/// # Errors
/// [`Unreadable`].
pub(crate) fn check<C: ChunkReader>(
    file: &C,
    group: &RowGroupMetaData,
    sum: u32,
) -> Result<(), Unreadable> {
    let begin = group.file_offset().and_then(|at| u64::try_from(at).ok());
    let length = u64::try_from(group.compressed_size()).ok();
    let (begin, length) = begin.zip(length).ok_or(Unreadable::Rows)?;
    if hash(file, begin, length)? == sum {
        Ok(())
    } else {
        Err(Unreadable::Checksum)
    }
}

fn hash<C: ChunkReader>(file: &C, begin: u64, length: u64) -> Result<u32, Unreadable> {
    let mut hasher = crc32fast::Hasher::new();
    let (mut at, mut left) = (begin, length);
    while left > 0 {
        let now = left.min(STRETCH);
        hasher.update(&file.get_bytes(at, usize::try_from(now).unwrap_or(0))?);
        at = at.checked_add(now).ok_or(Unreadable::Rows)?;
        left -= now;
    }
    Ok(hasher.finalize())
}

fn number(octets: &[u8]) -> u32 {
    octets
        .first_chunk()
        .map_or(0, |octets| u32::from_le_bytes(*octets))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use super::super::file::Writer;
    use super::super::tests::{row, rows};
    use super::super::{END_KEY, FORMAT, FORMAT_KEY, Reader, Row};
    use super::*;

    /// The same file as an older version wrote it.
    pub(in super::super) fn without(file: &[u8]) -> Vec<u8> {
        let mut file = file.to_vec();
        for what in [KEY.as_bytes(), &TAG] {
            let places: Vec<usize> = file
                .windows(what.len())
                .enumerate()
                .filter_map(|(at, found)| (found == what).then_some(at))
                .collect();
            assert!(!places.is_empty());
            for at in places {
                file[at..at + what.len()].fill(b'-');
            }
        }
        file
    }

    fn file_of(octets: &[u8]) -> std::fs::File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(octets).unwrap();
        file
    }

    fn finished() -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let facts = vec![(FORMAT_KEY, FORMAT.to_owned())];
        let store = file.reopen().unwrap();
        let mut writer = Writer::new(store, facts).unwrap().of_groups(40);
        for row in rows().into_iter().chain((0..90).map(row)) {
            if writer.push(row) {
                writer.write(super::super::file::Sync::Memory).unwrap();
            }
        }
        writer.set_metadata(END_KEY, "ended".to_owned());
        writer.finish().unwrap();
        std::fs::read(file.path()).unwrap()
    }

    fn read(octets: &[u8]) -> Result<(Vec<Row>, Option<String>), Unreadable> {
        let reader = Reader::open(file_of(octets))?;
        let mut rows = Vec::new();
        reader.each(|row| {
            rows.push(row);
            Ok::<(), Unreadable>(())
        })?;
        Ok((rows, reader.fact(END_KEY).map(str::to_owned)))
    }

    #[test]
    fn a_bit_that_flipped_anywhere_is_an_error_and_no_other_value() {
        let whole = finished();
        let right = read(&whole).unwrap();
        assert_eq!(right.0.len(), rows().len() + 90);
        let mut harmless = 0;
        for (turn, at) in (4..whole.len()).step_by(3).enumerate() {
            let mut octets = whole.clone();
            octets[at] ^= 1 << (turn % 8);
            if let Ok(found) = read(&octets) {
                assert!(found == right, "octet {at} of {} differs", whole.len());
                harmless += 1;
            }
        }
        // Between the last row group and the footer, up to the next multiple of eight.
        assert!(harmless <= 3, "{harmless}");
    }

    #[test]
    fn a_file_of_before_is_read_without_them() {
        let right = read(&finished()).unwrap();
        assert_eq!(read(&without(&finished())).unwrap(), right);
    }

    #[test]
    fn a_file_that_lost_its_seal_or_its_list_is_damaged() {
        let whole = finished();
        let once = |what: &[u8]| {
            let mut octets = whole.clone();
            let mut found = octets.windows(what.len());
            let at = found.rposition(|found| found == what).unwrap();
            octets[at] ^= 1;
            octets
        };
        for what in [TAG.as_slice(), KEY.as_bytes()] {
            assert!(matches!(read(&once(what)), Err(Unreadable::Checksum)));
        }
    }
}
