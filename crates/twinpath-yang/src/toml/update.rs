//! Changes of data, written into the text that an operator wrote.

use std::collections::HashMap;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, TableLike};

use super::{Roots, write};
use crate::schema::Schema;
use crate::tree::Children;

/// Key by which entries of a list are found.
const NAME: &str = "name";

/// A file with what differs between two trees. Comments and all that does not differ stay as they are. `adds`: this file
/// takes entries and tables that no file had; a directory has one such file.
///
/// What is written in forms that this does not know stays as it was: read all files again, and compare.
///
/// # Errors
///
/// The text is not TOML.
pub fn update(
    schema: &Schema,
    roots: &Roots,
    text: &str,
    (from, to): (&Children, &Children),
    adds: bool,
) -> Result<String, String> {
    let mut document = parse(text)?;
    let from = parse(&write(schema, roots, from))?;
    let to = parse(&write(schema, roots, to))?;
    merge(
        document.as_table_mut(),
        from.as_table(),
        to.as_table(),
        adds,
    );
    Ok(document.to_string())
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse()
        .map_err(|error: toml_edit::TomlError| error.to_string())
}

/// Changes a table by what differs between two others.
fn merge(mine: &mut dyn TableLike, from: &dyn TableLike, to: &dyn TableLike, adds: bool) {
    for (key, to) in to.iter() {
        match (mine.get_mut(key), from.get(key)) {
            (_, Some(from)) if is_same(from, to) => {}
            (Some(mine), Some(from)) => change(mine, from, to, adds),
            (Some(mine), None) => replace(mine, to),
            (None, None) if adds => {
                mine.insert(key, placed(to));
            }
            // It is in another file.
            (None, Some(_) | None) => {}
        }
    }
    for (key, _) in from.iter().filter(|(key, _)| to.get(key).is_none()) {
        mine.remove(key);
    }
}

fn is_same(one: &Item, other: &Item) -> bool {
    one.to_string().trim() == other.to_string().trim()
}

fn change(mine: &mut Item, from: &Item, to: &Item, adds: bool) {
    if let Some(from) = from.as_table_like()
        && let Some(to) = to.as_table_like()
        && let Some(mine) = mine.as_table_like_mut()
    {
        return merge(mine, from, to, true);
    }
    if let Some(from) = from.as_array_of_tables()
        && let Some(to) = to.as_array_of_tables()
        && let Some(entries) = mine.as_array_of_tables_mut()
        && are_named(from)
        && are_named(to)
        && are_named(entries)
    {
        return merge_entries(entries, from, to, adds);
    }
    replace(mine, to);
}

fn merge_entries(mine: &mut ArrayOfTables, from: &ArrayOfTables, to: &ArrayOfTables, adds: bool) {
    let (before, after) = (by_name(from), by_name(to));
    mine.retain(|entry| is_in(&after, entry) || !is_in(&before, entry));
    for entry in mine.iter_mut() {
        let both = name(entry).map(|name| (before.get(name), after.get(name)));
        if let Some((Some(from), Some(to))) = both {
            merge(entry, *from, *to, true);
        }
    }
    for entry in to.iter().filter(|entry| adds && !is_in(&before, entry)) {
        let mut entry = entry.clone();
        unplace(&mut entry);
        mine.push(entry);
    }
}

type Entries<'a> = HashMap<&'a str, &'a Table>;

fn is_in(entries: &Entries<'_>, entry: &Table) -> bool {
    name(entry).is_some_and(|name| entries.contains_key(name))
}

fn by_name(entries: &ArrayOfTables) -> Entries<'_> {
    let entries = entries.iter();
    entries
        .filter_map(|entry| Some((name(entry)?, entry)))
        .collect()
}

fn name(entry: &Table) -> Option<&str> {
    entry.get(NAME)?.as_str()
}

fn are_named(entries: &ArrayOfTables) -> bool {
    entries.iter().all(|entry| name(entry).is_some())
}

/// Sets another value; a comment behind the old one stays.
fn replace(mine: &mut Item, to: &Item) {
    let decor = mine.as_value().map(|value| value.decor().clone());
    *mine = placed(to);
    if let (Some(decor), Some(value)) = (decor, mine.as_value_mut()) {
        *value.decor_mut() = decor;
    }
}

/// A copy without its place in the text that it comes from.
fn placed(item: &Item) -> Item {
    let mut item = item.clone();
    unplace_item(&mut item);
    item
}

fn unplace_item(item: &mut Item) {
    match item {
        Item::Table(table) => unplace(table),
        Item::ArrayOfTables(entries) => entries.iter_mut().for_each(unplace),
        Item::None | Item::Value(_) => {}
    }
}

fn unplace(table: &mut Table) {
    table.set_position(None);
    for (_, item) in table.iter_mut() {
        unplace_item(item);
    }
}
