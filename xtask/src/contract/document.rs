//! Two outputs side by side: JSON by keys in their order and by values, all else by lines.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Number;

/// Sentences, a comparison's too: their words may change.
const SENTENCES: [&str; 4] = ["line", "assumptions", "test", "why"];

/// A JSON value whose objects keep the order of their keys.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(IndexMap<String, Json>),
}

/// What differs, a line each, by its path in the document. The exit status counts too.
pub(super) fn differences(
    (was, was_status): &(String, Option<i32>),
    (is, is_status): &(String, Option<i32>),
) -> Vec<String> {
    let mut found = Vec::new();
    if was_status != is_status {
        found.push(format!("exit status {was_status:?}, now {is_status:?}"));
    }
    match (documents(was), documents(is)) {
        (Some(was), Some(is)) => list("", &was, &is, &mut found),
        _ if was == is => {}
        _ => lines(was, is, &mut found),
    }
    found
}

/// One document, or one a line; `None`: it is no JSON.
fn documents(printed: &str) -> Option<Vec<Json>> {
    let documents = serde_json::Deserializer::from_str(printed).into_iter::<Json>();
    documents.collect::<Result<_, _>>().ok()
}

fn lines(was: &str, is: &str, found: &mut Vec<String>) {
    let (was, is): (Vec<&str>, Vec<&str>) = (was.lines().collect(), is.lines().collect());
    if was.len() != is.len() {
        found.push(format!("{} lines, now {}", was.len(), is.len()));
    }
    for (number, (was, is)) in was.iter().zip(&is).enumerate() {
        if was != is {
            found.push(format!("line {}: {was} | {is}", number + 1));
        }
    }
}

fn list(path: &str, was: &[Json], is: &[Json], found: &mut Vec<String>) {
    if was.len() != is.len() {
        found.push(format!("{path}: {} entries, now {}", was.len(), is.len()));
    }
    for (place, (was, is)) in was.iter().zip(is).enumerate() {
        value(&format!("{path}[{place}]"), was, is, found);
    }
}

fn value(path: &str, was: &Json, is: &Json, found: &mut Vec<String>) {
    match (was, is) {
        (Json::List(was), Json::List(is)) => list(path, was, is, found),
        (Json::Object(was), Json::Object(is)) => object(path, was, is, found),
        _ if was == is => {}
        _ => found.push(format!("{path}: {was:?}, now {is:?}")),
    }
}

fn object(
    path: &str,
    was: &IndexMap<String, Json>,
    is: &IndexMap<String, Json>,
    found: &mut Vec<String>,
) {
    let keys: Vec<&String> = was.keys().collect();
    let now: Vec<&String> = is.keys().filter(|key| was.contains_key(*key)).collect();
    if keys != now {
        found.push(format!("{path}: keys {keys:?}, now {now:?}"));
    }
    // Behind the last key that was there before.
    let old = is.keys().rposition(|key| was.contains_key(key));
    let before_old = is.keys().take(old.unwrap_or(0));
    for key in before_old.filter(|key| !was.contains_key(*key)) {
        found.push(format!("{path}.{key}: new, and not last in its object"));
    }
    for (key, was) in was {
        if let Some(is) = is.get(key).filter(|_| !SENTENCES.contains(&key.as_str())) {
            value(&format!("{path}.{key}"), was, is, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(was: &str, is: &str) -> Vec<String> {
        differences(&(was.to_owned(), Some(0)), &(is.to_owned(), Some(0)))
    }

    #[test]
    fn additions_that_come_last_and_sentences_may_differ_and_nothing_else() {
        let was = r#"{"a":1,"notes":[{"key":"k","line":"one way"}],"z":null}"#;
        assert!(of(was, was).is_empty());
        let more =
            r#"{"a":1,"notes":[{"key":"k","line":"another","new":1}],"z":null,"new":3,"b":{}}"#;
        assert!(of(was, more).is_empty());
        for other in [
            r#"{"new":3,"a":1,"notes":[{"key":"k","line":"one way"}],"z":null}"#,
            r#"{"a":1,"notes":[{"key":"k","line":"one way"}],"new":3,"z":null}"#,
            r#"{"a":1,"notes":[{"key":"k","new":1,"line":"one way"}],"z":null}"#,
            r#"{"a":1.0,"notes":[{"key":"k","line":"one way"}],"z":null}"#,
            r#"{"a":1,"notes":[{"key":"l","line":"one way"}],"z":null}"#,
            r#"{"a":1,"notes":[],"z":null}"#,
            r#"{"notes":[{"key":"k","line":"one way"}],"a":1,"z":null}"#,
            r#"{"a":1,"notes":[{"key":"k","line":"one way"}]}"#,
        ] {
            assert_eq!(of(was, other).len(), 1, "{other}");
        }
        let new = of(
            was,
            r#"{"new":3,"a":1,"notes":[{"key":"k","line":"one way"}],"z":null}"#,
        );
        assert_eq!(new, ["[0].new: new, and not last in its object"]);
    }

    #[test]
    fn an_exit_status_and_lines_that_are_no_json_are_compared() {
        let differ = differences(
            &("a,1\n".to_owned(), Some(0)),
            &("a,2\n".to_owned(), Some(1)),
        );
        assert_eq!(differ.len(), 2, "{differ:?}");
    }
}
