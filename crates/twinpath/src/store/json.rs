//! Rows as JSON objects for other programs: the columns of the files, those without a value left out.

use serde::{Serialize, Serializer, ser::SerializeMap};
use twinpath_report::words::instant;
use twinpath_wire::Wall;

use super::columns::{COLUMNS, Kind, Values};
use super::row::StoredRow;

/// Digits of a second in times.
const DIGITS: u8 = 9;

impl Serialize for StoredRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        for column in COLUMNS.iter() {
            let name = &*column.name;
            match Values::of(column, std::slice::from_ref(self)) {
                Values::Texts(texts) => {
                    if let [text] = &*texts {
                        object.serialize_entry(name, &**text)?;
                    }
                }
                Values::Numbers(numbers) => {
                    if let [Some(number)] = *numbers {
                        match column.kind {
                            Kind::Time => {
                                let time = instant(Wall::from_unix_ns(number), DIGITS);
                                object.serialize_entry(name, &time)?;
                            }
                            Kind::Real => {
                                let real = f64::from_bits(number.cast_unsigned());
                                object.serialize_entry(name, &real)?;
                            }
                            Kind::Text | Kind::Short | Kind::Whole | Kind::List => {
                                object.serialize_entry(name, &number)?;
                            }
                        }
                    }
                }
                Values::Lists(lists) => {
                    if let [Some(list)] = &*lists {
                        object.serialize_entry(name, list)?;
                    }
                }
            }
        }
        object.end()
    }
}
