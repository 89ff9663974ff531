//! Changes written into files that people wrote.

use twinpath_yang::toml::{Reader, Roots, update};
use twinpath_yang::{Children, Schema};

const MODULE: &str = r#"
    module example {
      yang-version 1.1; namespace "urn:example"; prefix ex;
      container top {
        container daemon { leaf name { type string; } leaf threads { type uint8; } }
        list session {
          key name;
          leaf name { type string; }
          leaf count { type uint8; }
          leaf since { type uint64; }
          leaf-list classes { type string; }
          list labels { key name; leaf name { type string; } leaf value { type string; } }
          list step { key id; leaf id { type uint8; } leaf what { type string; } }
        }
      }
      container other { leaf a { type string; } }
    }"#;

fn schema() -> (Schema, Roots) {
    let schema = Schema::load(&[MODULE], &["example"]).unwrap();
    let top = |name| schema.child(None, schema.module_named("example"), name);
    let roots = Roots {
        main: top("top").unwrap(),
        tables: vec![("other".into(), top("other").unwrap())],
    };
    (schema, roots)
}

fn read(files: &[&str]) -> Children {
    let (schema, roots) = schema();
    let mut reader = Reader::new(&schema, &roots);
    for (number, text) in files.iter().enumerate() {
        reader.add(&number.to_string(), text);
    }
    let (document, faults) = reader.finish();
    assert!(faults.is_empty(), "{faults:?}");
    document.root
}

/// Files after a change to what `to` says, of which the last takes what is new.
fn updated(files: &[&str], to: &str) -> Vec<String> {
    let (schema, roots) = schema();
    let trees = (&read(files), &read(&[to]));
    let last = files.len() - 1;
    let texts = files.iter().enumerate();
    let texts = texts.map(|(at, text)| update(&schema, &roots, text, trees, at == last));
    let texts: Vec<String> = texts.map(Result::unwrap).collect();
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(&read(&all), trees.1, "{texts:?}");
    texts
}

const FILE: &str = r#"# Our probe.
[daemon]
name = "probe1"   # as in DNS
threads = 2

# Frankfurt.
[[session]]
name = "fra"
count = 0x0a  # ten
classes = [
  "be",  # best effort
  "ef",
]

# Berlin.
[[session]]
name = "ber"
labels = { site = "ber" }
"#;

#[test]
fn comments_and_all_that_does_not_change_stay() {
    let to = FILE.replace("threads = 2", "threads = 3");
    assert_eq!(updated(&[FILE], &to), [to]);
    let to = FILE.replace("\"probe1\"", "\"probe2\"");
    assert_eq!(updated(&[FILE], &to), [to]);
    assert_eq!(updated(&[FILE], FILE), [FILE]);
}

#[test]
fn an_entry_that_goes_takes_nothing_else_with_it() {
    let to = FILE.split("# Berlin.").next().unwrap();
    let text = &updated(&[FILE], to)[0];
    assert!(text.contains("count = 0x0a  # ten"), "{text}");
    assert!(!text.contains("ber"), "{text}");
}

#[test]
fn an_entry_that_comes_is_behind_the_others() {
    let new =
        "\n[[session]]\nname = \"muc\"\ncount = 3\n\n[[session.step]]\nid = 4\nwhat = \"x\"\n";
    let to = format!("{FILE}{new}");
    assert_eq!(updated(&[FILE], &to), [to]);
}

#[test]
fn values_that_go_and_come_within_an_entry() {
    let to = FILE.replace("count = 0x0a  # ten", "count = 11");
    let text = &updated(&[FILE], &to)[0];
    assert!(text.contains("count = 11  # ten"), "{text}");
    let to = FILE.replace("labels = { site = \"ber\" }", "count = 1");
    let text = &updated(&[FILE], &to)[0];
    assert!(
        text.contains("# Berlin.") && !text.contains("labels"),
        "{text}"
    );
    updated(&[FILE], &FILE.replace("\"ef\"", "\"af11\""));
}

#[test]
fn what_an_empty_file_did_not_have() {
    assert_eq!(
        updated(&[""], "[other]\na = \"b\"\n"),
        ["[other]\na = \"b\"\n"]
    );
    updated(&[FILE], "");
    updated(&[""], FILE);
}

#[test]
fn an_entry_is_changed_in_the_file_that_has_it() {
    let [one, two] = [FILE, "[[session]]\nname = \"muc\" # Munich\n"];
    let to =
        format!("{FILE}\n[[session]]\nname = \"muc\"\ncount = 4\n[[session]]\nname = \"new\"\n");
    let texts = updated(&[one, two], &to);
    assert_eq!(texts[0], FILE);
    assert!(texts[1].starts_with("[[session]]\nname = \"muc\" # Munich\ncount = 4\n"));
    assert!(texts[1].contains("new"));
    // What the first file has goes there, and nothing else does.
    let to = FILE.replace("threads = 2", "threads = 9");
    let texts = updated(&[one, ""], &to);
    assert_eq!(texts, [to, String::new()]);
}

#[test]
fn lists_without_names_are_written_as_a_whole() {
    let [one, two] = ["a", "b"].map(|what| {
        format!("[[session]]\nname = \"s\"\n\n[[session.step]]\nid = 1\nwhat = \"{what}\"\n")
    });
    updated(&[&one], &two);
}

#[test]
fn what_is_not_toml_is_no_file() {
    let (schema, roots) = schema();
    let tree = Children::new();
    assert!(update(&schema, &roots, "[", (&tree, &tree), true).is_err());
}

/// TOML's integers end at 2^63 - 1: larger ones are in quotes.
#[test]
fn large_numbers_are_kept_and_do_not_hinder_later_changes() {
    let file = "[[session]]\nname = \"a\"\n";
    let large = "[[session]]\nname = \"a\"\nsince = \"18446744073709551615\"\n";
    let texts = updated(&[file], large);
    assert_eq!(texts[0], large);
    let next = updated(&[&texts[0]], &format!("{large}count = 3\n"));
    assert!(next[0].contains("since = \"18446744073709551615\"") && next[0].contains("count = 3"));
    let most = "[[session]]\nname = \"a\"\nsince = 9223372036854775807\n";
    assert_eq!(updated(&[file], most)[0], most);
    let (schema, roots) = schema();
    let fault = |value: &str| {
        let mut reader = Reader::new(&schema, &roots);
        reader.add(
            "f",
            &format!("[[session]]\nname = \"a\"\nsince = {value}\n"),
        );
        let (_, faults) = reader.finish();
        faults.iter().map(ToString::to_string).collect::<String>()
    };
    let said = fault("9223372036854775808");
    assert!(
        said.contains("write \"9223372036854775808\", in quotes"),
        "{said}"
    );
    // Others are no text.
    assert!(!fault("\"5\"").is_empty());
    assert!(!fault("\"18446744073709551616\"").is_empty());
}
