//! How clients find out what there is (RFC 8040 sections 3.1, 3.3 and 3.7; RFC 8525), and what they are shown.

use super::{JSON, MEASUREMENT, Served, XML, of_session, raw};
use crate::program::shell;

#[test]
fn a_client_finds_resources_and_modules() {
    let served = Served::start();
    let found = raw(
        served.api,
        b"GET /.well-known/host-meta HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(found.field("content-type"), "application/xrd+xml");
    let link = "<Link rel='restconf' href='/restconf'/>";
    assert!(found.body.contains(link), "{found:?}");
    let api = served.get("").document();
    let api = &api["ietf-restconf:restconf"];
    assert_eq!(api["yang-library-version"], "2019-01-04");
    assert!(api["data"].is_object() && api["operations"].is_object());
    let version = served.get("/yang-library-version").document();
    assert_eq!(version["ietf-restconf:yang-library-version"], "2019-01-04");
    let operations = served.get("/operations").document();
    assert!(operations["ietf-restconf:operations"].is_object());
    // Each module of the library is there as text.
    let library = served
        .get("/data/ietf-yang-library:yang-library")
        .document();
    let set = &library["ietf-yang-library:yang-library"]["module-set"][0];
    let mut names = Vec::new();
    for list in ["module", "import-only-module"] {
        for module in set[list].as_array().unwrap() {
            let location = module["location"][0].as_str().unwrap();
            let text = served.get(location.strip_prefix("/restconf").unwrap());
            let name = module["name"].as_str().unwrap();
            assert_eq!(text.status, 200);
            assert!(text.body.contains(&format!("module {name} {{")), "{name}");
            names.push(name.to_owned());
        }
    }
    let of = ["twinpath-measurement", "ietf-netconf-acm", "ietf-restconf"];
    assert!(
        of.iter()
            .all(|name| names.iter().any(|known| known == name))
    );
    let state = served.get("/data/ietf-restconf-monitoring:restconf-state/capabilities");
    let capability = "capability:defaults:1.0?basic-mode=explicit";
    assert!(state.body.contains(capability), "{state:?}");
}

#[test]
fn what_is_shown_is_in_either_encoding() {
    let served = Served::start();
    let json = served.get(&of_session("a"));
    assert_eq!(json.status, 200);
    let json = json.document();
    assert_eq!(json["twinpath-measurement:session"][0]["name"], "a");
    let xml = served.ask("GET", &of_session("a"), &[("Accept", XML)], "");
    assert_eq!(xml.field("content-type"), XML);
    assert!(
        xml.body
            .starts_with("<session xmlns=\"urn:twinpath:measurement\">")
    );
    let whole = served.ask("GET", "/data", &[("Accept", XML)], "");
    let start = "<data xmlns=\"urn:ietf:params:xml:ns:yang:ietf-restconf\">";
    assert!(whole.body.starts_with(start));
    roxmltree::Document::parse(&whole.body).unwrap();
    let whole = served.get("/data").document();
    let data = &whole["ietf-restconf:data"];
    assert!(data["twinpath-measurement:measurement"]["session"].is_array());
    assert!(data["ietf-yang-library:yang-library"].is_object());
    let none = served.ask("GET", "/data", &[("Accept", "text/html")], "");
    assert_eq!(none.status, 406);
    let head = served.ask("HEAD", &of_session("a"), &[], "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.field("content-type"), JSON);
}

#[test]
fn parameters_choose_what_is_shown() {
    let served = Served::start();
    let measurement = |parameters: &str| {
        let mut document = served
            .get(&format!("{MEASUREMENT}?{parameters}"))
            .document();
        document["twinpath-measurement:measurement"].take()
    };
    let shown = measurement("content=config&depth=2");
    assert!(shown["session"][0]["name"].is_string(), "{shown}");
    assert!(shown["session"][0]["labels"].is_null());
    let shown = measurement("fields=session(labels)");
    assert_eq!(shown["session"][0]["labels"][0]["value"], "fra");
    assert!(shown["defaults"].is_null() && shown["session"][0]["address"].is_null());
    let session = format!(
        "{}?with-defaults=report-all&content=config",
        of_session("a")
    );
    assert_eq!(served.get(&session).status, 200);
    let config = served.get("/data?content=config").document();
    assert!(config["ietf-restconf:data"]["ietf-yang-library:yang-library"].is_null());
    let state = served.get("/data?content=nonconfig").document();
    let defaults = &state["ietf-restconf:data"]["twinpath-measurement:measurement"]["defaults"];
    assert!(defaults.is_null());
}

/// A client that others wrote.
#[test]
fn curl_reads_and_writes() {
    if shell("curl --version").status != 0 {
        eprintln!("skipped: curl is not installed");
        return;
    }
    let served = Served::start();
    assert_eq!(served.get("").status, 200);
    let url = format!(
        "http://127.0.0.1:{}/restconf{}",
        served.api,
        of_session("c")
    );
    let body = served.session("c").to_string();
    let line = format!(
        "curl -sS --max-time 30 -o /dev/null -w '%{{http_code}}' -X PUT -H 'Content-Type: {JSON}' -d '{body}' {url}"
    );
    let done = shell(&line);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("201", ""));
    let done = shell(&format!("curl -sS --max-time 30 {url}?content=config"));
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(document["twinpath-measurement:session"][0]["name"], "c");
}
