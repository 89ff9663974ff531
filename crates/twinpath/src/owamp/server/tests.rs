use clap::Parser as _;
use twinpath_runtime::keys::KeyFile as _;

use super::*;
use crate::args::{Cli, Command, ControlCommand};

const LOCKED: &str = "limit root with allow_open_mode=off\n";

fn import(config: &str, limits: &str, keys: &str) -> Result<Imported, String> {
    let config = Config::parse("c", config).unwrap();
    let policy = Policy::parse("l", limits).unwrap();
    let Ok(store) = PassphraseStore::parse(keys.as_bytes()) else {
        panic!("{keys}")
    };
    imported(&config, &policy, Some(("p", &store)), &[])
}

fn said(server: &Imported, warnings: bool) -> Vec<String> {
    let remarks = server.remarks.iter().filter(|it| it.is_warning == warnings);
    remarks.map(ToString::to_string).collect()
}

#[test]
fn the_configuration_that_perfsonar_installs_goes_over() {
    let limits = "limit root with disk=0,\\\n bandwidth=0,\\\n delete_on_fetch=on\n\
                  limit regular with parent=root,\\\n disk=10G,\\\n bandwidth=20M\n\
                  assign default regular\n";
    let server = import("user twamp\nverbose\ntestports 8760-9960\n", limits, "").unwrap();
    assert_eq!(server.limits, ["max-connections 1000"]);
    assert_eq!(server.options, ["--test-ports", "8760-9960"]);
    assert!(server.key_ids.is_empty() && server.near.is_none());
    assert_eq!(said(&server, true), [""; 0]);
    let notes = said(&server, false);
    for part in [
        "c:1: user: ",
        "c:2: verbose: ",
        "l:1: delete_on_fetch=on of class root: ",
        "l:4: disk=10G of class regular: ",
        "l:4: bandwidth=20M of class regular: no effect in twampd",
        "maxcontrolsessions has no limit",
        "twampd limits no sessions here",
    ] {
        let found = notes.iter().filter(|note| note.starts_with(part));
        assert_eq!(found.count(), 1, "{part}: {notes:?}");
    }
    assert_eq!(notes.len(), 7, "{notes:?}");
}

#[test]
fn open_mode_is_for_the_networks_that_have_it_and_no_other() {
    let limits = format!(
        "{LOCKED}limit open with parent=root,allow_open_mode=on\n\
         assign net 192.0.2.0/24 open\nassign net 192.0.2.128/25 root\nassign net 2001:db8::/32 open\n"
    );
    let server = import("", &limits, "").unwrap();
    assert_eq!(
        server.limits,
        [
            "allow 192.0.2.0/25",
            "allow 2001:db8::/32",
            "max-connections 1000"
        ]
    );
    assert_eq!(said(&server, true), [""; 0]);
    // With keys, these are bound to the same networks, which is said.
    let server = import("", &limits, "joe 61").unwrap();
    assert_eq!(server.limits[0], "allow 192.0.2.0/25");
    assert_eq!(server.options[1], "authenticated,encrypted,unauthenticated");
    let warnings = said(&server, true);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("clients with a key come from the networks"));
}

#[test]
fn where_every_client_needs_a_key_open_mode_is_not_offered() {
    let server = import("", LOCKED, "joe 636f7272656374\nnoc 61").unwrap();
    assert_eq!(server.options, ["--mode", "authenticated,encrypted"]);
    assert_eq!(server.limits, ["max-connections 1000"]);
    assert_eq!(server.key_ids, ["joe", "noc"]);
    assert_eq!(*server.keys, b"joe correct\nnoc a\n");
    let server = import("authmode EO", LOCKED, "joe 61").unwrap();
    assert_eq!(server.options, ["--mode", "encrypted"]);
    for (config, limits, keys) in [
        ("", LOCKED, ""),
        ("authmode AE", "", ""),
        ("authmode O", LOCKED, "joe 61"),
        // A key that our file cannot have is none.
        ("", LOCKED, "joe 0a"),
    ] {
        let error = import(config, limits, keys).unwrap_err();
        assert!(
            error.starts_with("no client could use the server"),
            "{config}: {error}"
        );
    }
}

#[test]
fn keys_without_a_mode_for_them_and_keys_without_use_are_said() {
    let server = import("authmode O", "", "joe 61").unwrap();
    assert!(server.key_ids.is_empty() && server.keys.is_empty());
    assert!(said(&server, false)[0].starts_with("c:1: authmode has open mode alone"));
    let server = import("authmode AO", "", "joe 0a").unwrap();
    let warnings = said(&server, true);
    assert_eq!(
        warnings,
        [
            "p:1: joe: the passphrase has a control character, which cannot be typed; left out, give it another one"
        ]
    );
    let place = Place {
        file: "k".to_owned(),
        line: 3,
    };
    let aes = [(place, "ann".to_owned())];
    let server = imported(&Config::default(), &Policy::default(), None, &aes).unwrap();
    let warnings = said(&server, true);
    assert!(
        warnings[0].starts_with("k:3: the AES key of ann"),
        "{warnings:?}"
    );
}

#[test]
fn sessions_of_a_client_are_the_fewest_of_any_class() {
    let limits = "limit root with test_sessions=50\nlimit a with parent=root,test_sessions=10\n\
                  limit joe with parent=root,test_sessions=5\nlimit idle with parent=root\n\
                  assign net 192.0.2.0/24 a\nassign user ann root\n";
    let server = import("maxcontrolsessions 7", limits, "").unwrap();
    assert_eq!(
        server.limits,
        ["max-sessions-per-client 10", "max-connections 7"]
    );
    let warnings = said(&server, true);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("l:1: class root may have more sessions"));
    let notes = said(&server, false).join("\n");
    for part in [
        "l:2: test_sessions of class a: ",
        "l:3: class joe has no client",
        "l:4: class idle has no client",
        "l:6: user ann has no key",
    ] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    // An identity is of the class of its name.
    let server = import("", limits, "joe 61").unwrap();
    assert_eq!(server.limits[0], "max-sessions-per-client 5");
}

#[test]
fn times_ports_and_iterations_stay_within_what_options_take() {
    let server = import(
        "controltimeout 60\ntesttimeout 30\nsrcnode :8620\ntestports 0\npbkdf2_count 500",
        "",
        "joe 61",
    )
    .unwrap();
    assert_eq!(
        server.options.join(" "),
        "--mode authenticated,encrypted,unauthenticated --pbkdf2-count 1024 --servwait 60 --refwait 30"
    );
    assert_eq!(server.near.as_deref(), Some(":8620"));
    assert!(
        said(&server, false)
            .contains(&"c:5: pbkdf2_count: 1024 is the least that --pbkdf2-count takes".to_owned())
    );
    let server = import("pbkdf2_count 2000000\ncontroltimeout 0", "", "joe 61").unwrap();
    assert_eq!(
        said(&server, true),
        ["c:1: pbkdf2_count: 1048576 is the most that --pbkdf2-count takes"]
    );
    let is_said = |note: &String| note.starts_with("c:2: controltimeout 0 has no equivalent");
    assert!(said(&server, false).iter().any(is_said));
}

#[test]
fn a_server_understands_what_is_made() {
    let limits = format!(
        "{LOCKED}limit open with parent=root,allow_open_mode=on,test_sessions=3\nassign net 10.0.0.0/8 open"
    );
    let config = "controltimeout 60\ntesttimeout 30\nsrcnode [2001:db8::1]:8620\ntestports 8760-9960\n\
                  pbkdf2_count 2048\nmaxcontrolsessions 9";
    let server = import(config, &limits, "joe 61").unwrap();
    let lines = server
        .limits
        .iter()
        .map(|line| format!("--{}", line.replace(' ', "=")));
    let words = ["twinpath", "server", "--keys", "k"]
        .map(str::to_owned)
        .into_iter();
    let words = words.chain(server.options).chain(lines).chain(server.near);
    let cli = Cli::try_parse_from(words).unwrap();
    let Command::Control(ControlCommand::Server(args)) = cli.command else {
        panic!("another command")
    };
    assert_eq!((args.max_sessions_per_client, args.max_connections), (3, 9));
    assert_eq!(args.allow.len(), 1);
    assert_eq!(args.mode.len(), 3);
    let ring = twinpath_runtime::keys::KeyRing::parse(&server.keys).unwrap();
    assert_eq!(ring.len(), 1);
}
