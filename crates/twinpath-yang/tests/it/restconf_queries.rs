//! What is shown of resources, by the examples of RFC 8040 appendix B.3 and RFC 6243 appendix A.

use serde_json::{Value as Json, json};

use twinpath_yang::filter::{Content, Fields, Query, get, resource};
use twinpath_yang::tree::DefaultsMode;
use twinpath_yang::{Children, Schema};

use crate::{data, module, path, schema};

const JUKEBOX: &str = "
    container jukebox {
      presence 'there is a jukebox';
      container library {
        list artist { key name; leaf name { type string; }
          list album { key name; leaf name { type string; } leaf genre { type string; } leaf year { type uint16; }
            list song { key name; leaf name { type string; } leaf length { type uint32; } } } }
        leaf artist-count { type uint32; config false; }
      }
      list playlist { key name; leaf name { type string; } leaf description { type string; }
        list song { key index; ordered-by user; leaf index { type uint32; } leaf id { type string; } } }
      container player { leaf gap { type decimal64 { fraction-digits 1; } default 1.0; } }
    }";

fn jukebox() -> (Schema, Children) {
    let schema = schema(JUKEBOX);
    let songs =
        json!([{ "name": "Wasting Light", "length": 286 }, { "name": "Rope", "length": 259 }]);
    let album =
        json!({ "name": "Wasting Light", "genre": "alternative", "year": 2011, "song": songs });
    let library =
        json!({ "artist": [{ "name": "Foo Fighters", "album": [album] }], "artist-count": 1 });
    let playlist = json!({ "name": "Foo-One", "description": "example playlist 1", "song": [{ "index": 1, "id": "Rope" }] });
    let all = json!({ "m:jukebox": { "library": library, "playlist": [playlist], "player": { "gap": "0.5" } } });
    let root = data(&schema, &all.to_string());
    (schema, root)
}

fn shown(schema: &Schema, root: &Children, at: &str, query: &Query) -> Json {
    let target = path(schema, at);
    let shown = get(schema, root, &target, query).unwrap();
    let above = target.parent().and_then(|above| above.node());
    let text =
        twinpath_yang::json::write(schema, above, &shown, twinpath_yang::json::Layout::Compact);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn content_is_configuration_state_or_both() {
    let schema = schema(
        "container events { list event { key name; leaf name { type string; } leaf description { type string; }
           leaf event-count { type uint32; config false; } } container other { leaf x { type int8; } } }",
    );
    let all = json!({ "m:events": { "other": { "x": 1 }, "event": [
        { "name": "interface-up", "description": "Interface up notification count", "event-count": 42 },
        { "name": "interface-down", "description": "Interface down notification count", "event-count": 4 },
        { "name": "unseen" }] } });
    let root = data(&schema, &all.to_string());
    let of = |content| {
        let query = Query {
            content,
            ..Query::default()
        };
        let whole = shown(&schema, &root, "/", &query);
        assert_eq!(shown(&schema, &root, "/m:events", &query), whole);
        whole
    };
    assert_eq!(of(Content::All), all);
    assert_eq!(
        of(Content::Config),
        json!({ "m:events": { "other": { "x": 1 }, "event": [
            { "name": "interface-up", "description": "Interface up notification count" },
            { "name": "interface-down", "description": "Interface down notification count" },
            { "name": "unseen" }] } })
    );
    assert_eq!(
        of(Content::NonConfig),
        json!({ "m:events": { "event": [
            { "name": "interface-up", "event-count": 42 },
            { "name": "interface-down", "event-count": 4 }] } })
    );
    let leaf = |name: &str, content| {
        let at = format!("/m:events/event[name='interface-up']/{name}");
        let query = Query {
            content,
            ..Query::default()
        };
        shown(&schema, &root, &at, &query)
    };
    assert_eq!(leaf("description", Content::NonConfig), json!({}));
    assert_eq!(leaf("event-count", Content::Config), json!({}));
    assert_eq!(
        leaf("event-count", Content::NonConfig),
        json!({ "m:event-count": 42 })
    );
}

#[test]
fn depth_counts_from_the_resource() {
    let (schema, root) = jukebox();
    let of = |at, depth| {
        shown(
            &schema,
            &root,
            at,
            &Query {
                depth: Some(depth),
                ..Query::default()
            },
        )
    };
    assert_eq!(of("/m:jukebox", 1), json!({ "m:jukebox": {} }));
    // RFC 8040 has entries without keys here, which RFC 7951 does not allow.
    assert_eq!(
        of("/m:jukebox", 3),
        json!({ "m:jukebox": {
            "library": { "artist": [{ "name": "Foo Fighters" }], "artist-count": 1 },
            "playlist": [{ "name": "Foo-One", "description": "example playlist 1", "song": [{ "index": 1 }] }],
            "player": { "gap": "0.5" } } })
    );
    assert_eq!(of("/", 1), json!({}));
    assert_eq!(of("/", 2), json!({ "m:jukebox": {} }));
    assert_eq!(of("/", 65535), of("/m:jukebox", 65535));
    assert_eq!(of("/m:jukebox/player/gap", 1), json!({ "m:gap": "0.5" }));
}

#[test]
fn fields_are_nodes_below_the_resource() {
    let (schema, root) = jukebox();
    let of = |at: &str, fields: &str, depth| {
        let fields = Fields::parse(&schema, path(&schema, at).node(), fields).unwrap();
        shown(
            &schema,
            &root,
            at,
            &Query {
                fields: Some(fields),
                depth,
                ..Query::default()
            },
        )
    };
    let album = "/m:jukebox/library/artist[name='Foo Fighters']/album[name='Wasting Light']";
    assert_eq!(
        of(album, "genre;year", None),
        json!({ "m:album": [{ "name": "Wasting Light", "genre": "alternative", "year": 2011 }] })
    );
    assert_eq!(
        of(album, "song/name", None),
        json!({ "m:album": [{ "name": "Wasting Light", "song": [{ "name": "Wasting Light" }, { "name": "Rope" }] }] })
    );
    let nested = json!({ "m:jukebox": {
        "library": { "artist": [{ "name": "Foo Fighters", "album": [{ "name": "Wasting Light", "year": 2011 }] }] },
        "player": { "gap": "0.5" } } });
    assert_eq!(
        of("/", "m:jukebox(library/artist(album(year));player)", None),
        nested
    );
    assert_eq!(
        of(
            "/m:jukebox",
            "library(artist(album(year)));player/gap",
            Some(1)
        ),
        nested
    );
    assert_eq!(
        of("/m:jukebox", "playlist;playlist/name", Some(2)),
        json!({ "m:jukebox": { "playlist": [
            { "name": "Foo-One", "description": "example playlist 1", "song": [{ "index": 1 }] }] } })
    );
    assert_eq!(
        of("/m:jukebox", "playlist/name;playlist", Some(2)),
        of("/m:jukebox", "playlist;playlist/name", Some(2))
    );
}

#[test]
fn fields_that_are_wrong_are_refused() {
    let (schema, _) = jukebox();
    let jukebox = path(&schema, "/m:jukebox").node();
    let what = |of, text: &str| Fields::parse(&schema, of, text).unwrap_err().what;
    assert_eq!(
        what(jukebox, "libary"),
        "libary: unknown node: did you mean library?"
    );
    assert_eq!(what(None, "jukebox"), "jukebox: write m:jukebox");
    assert_eq!(what(jukebox, "player/gap/x"), "x: nothing is below a leaf");
    assert_eq!(what(jukebox, "player(gap"), "fields: a ( without its )");
    assert_eq!(what(jukebox, "player)"), "fields: a ) without its (");
    assert_eq!(
        what(jukebox, "player(gap)player"),
        "player: write ; or ) here"
    );
    assert_eq!(
        what(jukebox, "player;"),
        format!("\"\": unknown node: use library, playlist or player")
    );
}

#[test]
fn a_resource_that_does_not_exist_is_not_shown() {
    let (schema, root) = jukebox();
    let is_there = |at: &str| resource(&schema, &root, &path(&schema, at)).is_some();
    assert!(is_there("/m:jukebox/library/artist[name='Foo Fighters']"));
    assert!(!is_there("/m:jukebox/library/artist[name='Unknown']"));
    assert!(!is_there("/m:jukebox/library/artist[name='Unknown']/album"));
    let none = Children::new();
    assert_eq!(
        resource(&schema, &none, &path(&schema, "/m:jukebox/player")),
        None
    );
    let root = data(&schema, r#"{"m:jukebox": {}}"#);
    let player = resource(&schema, &root, &path(&schema, "/m:jukebox/player")).unwrap();
    let text = twinpath_yang::json::write(
        &schema,
        path(&schema, "/m:jukebox").node(),
        &player,
        twinpath_yang::json::Layout::Compact,
    );
    assert_eq!(text, r#"{"m:player":{}}"#);
}

#[test]
fn defaults_are_shown_as_rfc_6243_has_it() {
    let text = module(
        "m",
        "container interfaces { list interface { key name; leaf name { type string { length '1..max'; } }
           leaf mtu { type uint32; default 1500; } leaf status { config false; type string; default ok; } } }",
    );
    let schema = Schema::load(&[&text], &["m"]).unwrap();
    let set = json!([
        { "name": "eth0", "mtu": 8192, "status": "ok" },
        { "name": "eth1", "status": "ok" },
        { "name": "eth2", "mtu": 9000, "status": "not feeling so good" },
        { "name": "eth3", "mtu": 1500, "status": "waking up" }]);
    let root = data(
        &schema,
        &json!({ "m:interfaces": { "interface": set } }).to_string(),
    );
    let of = |defaults| {
        let json = shown(
            &schema,
            &root,
            "/",
            &Query {
                defaults,
                ..Query::default()
            },
        );
        json["m:interfaces"]["interface"].clone()
    };
    assert_eq!(of(DefaultsMode::Explicit), set);
    let mut all = set.clone();
    all[1]["mtu"] = 1500.into();
    assert_eq!(of(DefaultsMode::ReportAll), all);
    assert_eq!(
        of(DefaultsMode::Trim),
        json!([
            { "name": "eth0", "mtu": 8192 }, { "name": "eth1" },
            { "name": "eth2", "mtu": 9000, "status": "not feeling so good" },
            { "name": "eth3", "status": "waking up" }])
    );
    let mtu = Query {
        defaults: DefaultsMode::ReportAll,
        ..Query::default()
    };
    assert_eq!(
        shown(
            &schema,
            &root,
            "/m:interfaces/interface[name='eth1']/mtu",
            &mtu
        ),
        json!({ "m:mtu": 1500 })
    );
}
