//! Entity tags, and clients that do not overwrite one another (RFC 8040 section 3.5.1).

use super::{JSON, MEASUREMENT, Served, XML, of_session};

#[test]
fn a_change_that_is_meant_for_another_configuration_is_refused() {
    let served = Served::start();
    let shown = served.get("/data?content=config");
    let (tag, since) = (shown.field("etag"), shown.field("last-modified"));
    assert!(tag.starts_with('"') && since.ends_with(" GMT"), "{shown:?}");
    let put = |field: &str, value: &str, name: &str| {
        let fields = [("Content-Type", JSON), (field, value)];
        let body = served.session(name).to_string();
        served.ask("PUT", &of_session(name), &fields, &body)
    };
    let changed = put("If-Match", tag, "b");
    assert_eq!(changed.status, 201);
    let new = changed.field("etag");
    assert_ne!(new, tag);
    assert_eq!(served.get(&of_session("b")).field("etag"), new);
    // The second client had the first configuration.
    let refused = put("If-Match", tag, "c");
    assert_eq!(
        (refused.status, refused.error().1.as_str()),
        (412, "operation-failed")
    );
    assert_eq!(put("If-Match", &format!("\"x\", {new}"), "c").status, 201);
    assert_eq!(put("If-Match", "*", "d").status, 412);
    assert_eq!(put("If-None-Match", "*", "c").status, 412);
    assert_eq!(put("If-None-Match", "*", "d").status, 201);
    let [long_ago, in_years] = [
        "Thu, 26 Jan 2017 20:56:30 GMT",
        "Thu, 26 Jan 2090 20:56:30 GMT",
    ];
    assert_eq!(put("If-Unmodified-Since", long_ago, "e").status, 412);
    assert_eq!(put("If-Unmodified-Since", in_years, "e").status, 201);
    // What changes nothing leaves the tag.
    let tag = served.get("/data?content=config").field("etag").to_owned();
    let same = put("If-Match", &tag, "e");
    assert_eq!((same.status, same.field("etag")), (204, tag.as_str()));
}

/// The entity tag changes when the configuration does (RFC 8040 section 3.5.2).
#[test]
fn files_that_are_read_again_without_a_change_have_the_same_tag() {
    let mut served = Served::start();
    let tag = served.get("/data?content=config").field("etag").to_owned();
    for (more, is_same) in [("", true), ("# A comment.\n", true), ("ttl = 3\n", false)] {
        let text = served.text() + more;
        served.daemon.reload(&text);
        let process = served.daemon.process();
        process.wait_for_error("configuration read again");
        let ask = || served.get("/data?content=config").field("etag").to_owned();
        if is_same {
            // It is in force within a moment, or is found to be so below.
            let wrong = served.daemon.status_when(|_| true);
            assert_eq!(ask(), tag, "{wrong:#}");
        } else {
            super::super::wait_for("another tag", || ask() != tag);
        }
    }
}

#[test]
fn what_a_client_has_already_is_not_sent_again() {
    let served = Served::start();
    let shown = served.get("/data?content=config");
    let tag = shown.field("etag");
    let again =
        |path: &str, field: &str, value: &str| served.ask("GET", path, &[(field, value)], "");
    let same = again("/data?content=config", "If-None-Match", tag);
    assert_eq!(
        (same.status, same.body.as_str(), same.field("etag")),
        (304, "", tag)
    );
    let other = again("/data?content=config", "If-None-Match", "\"x\"");
    assert_eq!(other.status, 200);
    let since = shown.field("last-modified");
    let same = again("/data?content=config", "If-Modified-Since", since);
    assert_eq!(same.status, 304);
    // State changes all the time.
    assert_eq!(again("/data", "If-None-Match", tag).status, 200);
}

/// RFC 9110 sections 8.8.3, 12.5.5 and 13.1.1.
#[test]
fn each_encoding_has_its_tag_and_a_weak_tag_matches_no_change() {
    let served = Served::start();
    let get = |accept: &str, fields: &[(&str, &str)]| {
        let all: Vec<_> = [("Accept", accept)].iter().chain(fields).copied().collect();
        served.ask("GET", &format!("{MEASUREMENT}?content=config"), &all, "")
    };
    let (json, xml) = (get(JSON, &[]), get(XML, &[]));
    let tags = [&json, &xml].map(|answer| answer.field("etag").to_owned());
    assert_ne!(tags[0], tags[1]);
    for answer in [&json, &xml] {
        assert_eq!(answer.field("vary").to_ascii_lowercase(), "accept");
    }
    // What a client has in one encoding it does not have in the other.
    let status = |accept, tag: &str| get(accept, &[("If-None-Match", tag)]).status;
    assert_eq!([status(JSON, &tags[0]), status(XML, &tags[0])], [304, 200]);
    assert_eq!(status(XML, &format!("\"x\", W/{}", tags[1])), 304);
    let put = |field: &str, tag: &str| {
        let fields = [("Content-Type", JSON), (field, tag)];
        let body = served.session("b").to_string();
        served.ask("PUT", &of_session("b"), &fields, &body).status
    };
    assert_eq!(put("If-Match", &format!("W/{}", tags[0])), 412);
    assert_eq!(put("If-None-Match", &format!("W/{}", tags[0])), 412);
    // The configuration is the same in both.
    assert_eq!(put("If-Match", &tags[1]), 201);
}

/// RFC 8040 section 4.8.1.
#[test]
fn a_leaf_of_another_content_has_none() {
    let served = Served::start();
    let name = format!("{}/name", of_session("a"));
    let started = format!("{MEASUREMENT}/state/started");
    for (path, content, status) in [
        (&name, "config", 200),
        (&name, "nonconfig", 204),
        (&started, "nonconfig", 200),
        (&started, "config", 204),
    ] {
        let answer = served.get(&format!("{path}?content={content}"));
        assert_eq!(answer.status, status, "{path} {content}: {answer:?}");
        assert_eq!(answer.body.is_empty(), status == 204, "{answer:?}");
    }
}
