//! Configurations and what they come to.

use super::*;
use crate::daemon::model::model;

/// What a configuration of a file comes to.
fn settings(text: &str) -> Result<Settings, Vec<Fault>> {
    let model = model().unwrap();
    let mut reader = twinpath_yang::toml::Reader::new(&model.schema, &model.roots);
    reader.add("text", text);
    let (document, faults) = reader.finish();
    assert!(faults.is_empty(), "{faults:?}");
    Settings::of(model, &document.root)
}

#[test]
fn raw_of_a_session_goes_before_its_group_that_before_the_defaults_and_these_before_the_store() {
    let is_raw = |layers: [&str; 4]| {
        let [store, defaults, group, own] = layers;
        let text = format!(
            "[store]\npath = \"/s\"\n{store}\n[defaults]\n{defaults}\n[[group]]\nname = \"g\"\n{group}\n\
             [[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\ngroup = \"g\"\n{own}\n"
        );
        settings(&text).unwrap().sessions["a"].is_raw()
    };
    let (yes, no) = ("raw = true", "raw = false");
    assert!(!is_raw(["", "", "", ""]));
    assert!(is_raw([yes, "", "", ""]));
    assert!(!is_raw([yes, no, "", ""]));
    assert!(is_raw([no, yes, "", ""]));
    assert!(!is_raw([yes, yes, no, ""]));
    assert!(is_raw([no, no, yes, ""]));
    assert!(!is_raw([yes, yes, yes, no]));
    assert!(is_raw([no, no, no, yes]));
}

#[test]
fn a_change_of_raw_is_one_of_the_sessions_that_it_is_for_and_takes_no_restart() {
    let of = |store: &str, a: &str| {
        settings(&format!(
            "[store]\npath = \"/s\"\n{store}\n[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\n{a}\n\
             [[session]]\nname = \"b\"\naddress = \"192.0.2.1\"\nprotocol = \"twamp\"\n"
        ))
        .unwrap()
    };
    let changed = |one: &Settings, other: &Settings| {
        assert_eq!(one.needs_restart(other), Vec::<&str>::new());
        ["a", "b"].map(|name| one.sessions[name] != other.sessions[name])
    };
    let before = of("", "");
    assert_eq!(changed(&before, &of("", "raw = true")), [true, false]);
    assert_eq!(changed(&before, &of("raw = true", "")), [true, true]);
    let with_own = of("raw = true", "raw = false");
    assert_eq!(changed(&before, &with_own), [false, true]);
}
