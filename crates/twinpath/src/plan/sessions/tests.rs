//! Command lines with many far ends, and the sessions that come of them.

use std::fs;
use std::io;

use proptest::prelude::*;

use super::ports::first_port;
use super::*;
use twinpath_proto::sender::Limit;

use crate::args::SenderArgs;

/// `many` has 50 addresses; names with `gone` have none.
fn lookup(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match name {
        "many" => Ok((1..=50)
            .map(|last| ([192, 0, 2, last], port).into())
            .collect()),
        "six" => Ok(vec!["[2001:db8::6]:0".parse().unwrap()]),
        name if name.contains("gone") => Err(io::Error::other("Name or service not known")),
        _ => Ok(vec![([198, 51, 100, 7], port).into()]),
    }
}

fn planned(line: &str) -> Result<PlannedSessions, Failure> {
    sessions(&SenderArgs::of(line), &lookup, |_, _| {})
}

/// The same with a file of this text, whose name ends so.
fn planned_from(text: &str, end: &str, line: &str) -> Result<PlannedSessions, Failure> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(format!("mesh{end}"));
    fs::write(&path, text).unwrap();
    planned(&format!("{line} --targets {}", path.display()))
}

/// Of a failure, without the directory.
fn said(failure: &Failure) -> Vec<String> {
    let all = failure.earlier.iter().chain([failure]);
    let line = |failure: &Failure| {
        let text = failure.to_string();
        text.rsplit_once("/mesh")
            .map_or(text.clone(), |(_, end)| format!("mesh{end}"))
    };
    all.map(line).collect()
}

#[test]
fn micro_sessions_are_paths_and_those_of_members_share_a_port() {
    let all = |line: &str| {
        let line = format!("192.0.2.1 :5000 --stamp --dscp be,ef {line}");
        let planned = planned(&line).unwrap().sessions.into_iter();
        planned.map(|one| {
            let name = one.plan.micro_session().map(|it| it.name());
            let tlvs = one.plan.tlvs.iter().map(ToString::to_string);
            let tlvs: Vec<String> = tlvs.collect();
            let port = first_port(one.plan.port);
            format!("{port} {:?} {} {}", one.path, name.unwrap(), tlvs.join(" "))
        })
    };
    let over_members: Vec<String> = all("--micro-session 1@a,2:9@b --tlv cos").collect();
    assert_eq!(
        over_members,
        [
            "5000 Some(1) a cos micro-session=1",
            "5001 Some(1) a cos micro-session=1",
            "5000 Some(2) b cos micro-session=2:9",
            "5001 Some(2) b cos micro-session=2:9",
        ]
    );
    let numbers: Vec<String> = all("--micro-session 1,2:9").collect();
    assert_eq!(numbers[2], "5002 Some(2) ID 2 micro-session=2:9");
    let one: Vec<String> = all("--micro-session 7@a").collect();
    assert_eq!(one[0], "5000 None a micro-session=7");
    let tlv: Vec<String> = all("--tlv micro-session=7").collect();
    assert_eq!(tlv[0], "5000 None ID 7 micro-session=7");
}

#[test]
fn sessions_are_targets_by_paths_by_classes_in_the_order_given() {
    let planned = planned("192.0.2.1 --to [2001:db8::1]:9 --to r1 --paths 2 --dscp be,ef").unwrap();
    let all = planned.sessions.iter().map(|one| {
        let (name, class) = (&one.target.name, one.class.0);
        format!(
            "{name} {} {class} {}",
            one.target.address,
            one.path.unwrap()
        )
    });
    let all: Vec<String> = all.collect();
    assert_eq!(all.len(), 12);
    assert_eq!(
        all[..5],
        [
            "192.0.2.1 192.0.2.1:20001 0 1",
            "192.0.2.1 192.0.2.1:20001 184 1",
            "192.0.2.1 192.0.2.1:20001 0 2",
            "192.0.2.1 192.0.2.1:20001 184 2",
            "[2001:db8::1]:9 [2001:db8::1]:9 0 1",
        ]
    );
    assert!(all[11].starts_with("r1 198.51.100.7:20001 184 2"));
    for one in &planned.sessions {
        assert_eq!(
            (one.plan.far, one.plan.tos),
            (one.target.address, one.class)
        );
        assert!(one.plan.exact && one.plan.phase.is_some());
    }
    let seeds: HashSet<u64> = planned.sessions.iter().map(|one| one.plan.seed).collect();
    assert_eq!(seeds.len(), 12);
}

#[test]
fn a_session_alone_is_as_it_was() {
    let planned = planned("192.0.2.1").unwrap();
    let [one] = planned.sessions.as_slice() else {
        panic!("{planned:?}")
    };
    assert_eq!((one.path, one.plan.phase), (None, None));
    assert_eq!(one.plan.port, PortChoice::Prefer(20_000));
    assert!(one.plan.exact);
}

#[test]
fn many_sessions_share_threads_and_those_to_one_far_end_have_a_port_each() {
    let text = (0..100)
        .map(|n| format!("192.0.2.{n} t{n}\n"))
        .collect::<Vec<_>>()
        .concat();
    let planned = planned_from(&text, "", "--paths 4").unwrap();
    assert_eq!(planned.sessions.len(), 400);
    for (index, one) in (0_u16..).zip(&planned.sessions) {
        assert!(!one.plan.exact);
        assert_eq!(one.plan.port, PortChoice::Prefer(20_000 + index % 4));
    }
    // Dense ones have threads of their own as long as these are not too many.
    let exact = |line: &str| {
        planned_from(&text, "", line).unwrap().sessions[0]
            .plan
            .exact
    };
    assert!(!exact("-i 500us"));
    let dense = self::planned("192.0.2.1 --paths 60 -i 500us").unwrap();
    assert!(dense.sessions.iter().all(|one| one.plan.exact));
}

#[test]
fn a_target_without_an_address_is_listed_and_the_others_are_planned() {
    let planned = planned_from("192.0.2.1\ngone1 x\nsix\nmany\n", "", "--to gone2 -4").unwrap();
    let names: Vec<&str> = planned
        .sessions
        .iter()
        .map(|one| &*one.target.name)
        .collect();
    assert_eq!(names, ["192.0.2.1", "many"]);
    // Of a name with many addresses it is the first.
    assert_eq!(
        planned.sessions[1].target.address.ip().to_string(),
        "192.0.2.1"
    );
    let failed: Vec<&str> = planned.failed.iter().map(|one| &*one.target).collect();
    assert_eq!(failed, ["gone2", "x", "six"]);
    assert!(
        planned.failed[0]
            .error
            .starts_with("cannot resolve gone2: name or")
    );
    assert!(
        planned.failed[1]
            .error
            .contains("mesh:2: cannot resolve gone1")
    );
    assert!(
        planned.failed[2]
            .error
            .contains("mesh:3: six has no IPv4 address")
    );
    // The only one is a failure of its own.
    let failure = planned_error("gone");
    assert_eq!(failure.exit.status(), 1);
}

#[test]
fn a_far_end_has_moved_when_its_name_has_other_addresses_only() {
    let planned = planned("many --to six --to 192.0.2.9 -c 1").unwrap();
    let end = |index: usize| planned.sessions[index].end.as_deref().unwrap();
    let (many, six) = (end(0), end(1));
    assert!(many.is_name() && !end(2).is_name());
    let used = |address: &str| Some(address.parse().unwrap());
    // One of its 50 addresses is still the one that is measured.
    assert_eq!(many.moved(used("192.0.2.37:20001"), &lookup).unwrap(), None);
    let moved = many.moved(used("192.0.2.77:20001"), &lookup).unwrap();
    assert_eq!(moved, Some(("192.0.2.1:20001".parse().unwrap(), None)));
    let gone = |_: &str, _: u16| Err(io::Error::other("Name or service not known"));
    assert!(many.moved(used("192.0.2.37:20001"), &gone).is_err());
    // Another version of IP has other sizes.
    let ends = six.ends(&lookup).unwrap();
    let plan = six.aim(planned.sessions[0].plan.clone(), ends).unwrap();
    assert_eq!(
        (plan.far, plan.payload),
        (ends.0, planned.sessions[1].plan.payload)
    );
}

#[test]
fn a_name_without_an_address_waits_in_an_endless_run() {
    let planned = planned("192.0.2.1 --to gone --to six -4 --paths 2 -c inf").unwrap();
    assert_eq!((planned.sessions.len(), planned.failed.len()), (2, 0));
    let waiting = planned.waiting.iter();
    let names: Vec<&str> = waiting.map(|one| &*one.failed.target).collect();
    assert_eq!(names, ["gone", "six"]);
    let sessions = planned.waiting.iter().flat_map(|one| &one.sessions);
    let all: Vec<&PlannedSession> = planned.sessions.iter().chain(sessions).collect();
    let phases: HashSet<Option<Duration>> = all.iter().map(|one| one.plan.phase).collect();
    let ports: HashSet<u16> = all.iter().map(|one| first_port(one.plan.port)).collect();
    assert_eq!((all.len(), phases.len(), ports.len()), (6, 6, 6));
    // An address does not wait, and a run with an end does not either.
    let failed = self::planned("192.0.2.1 --to gone -c 9").unwrap().failed;
    assert_eq!(failed[0].target, "gone");
    // The only one does not wait, however it is given.
    for (line, text) in [("--to gone -c inf", ""), ("-c inf", "gone\n")] {
        let planned = match text {
            "" => self::planned(line),
            text => planned_from(text, "", line),
        };
        let planned = planned.unwrap();
        assert_eq!((planned.waiting.len(), planned.failed.len()), (0, 1));
    }
}

#[test]
fn an_address_that_cannot_be_measured_is_a_fault_of_its_file_or_of_the_command_line() {
    let text = "192.0.2.1\n0.0.0.0\ngone\n255.255.255.255 b\n224.0.0.1\n::1\nfe80::1\n";
    let failure = planned_from(text, "", "-4 -c inf").unwrap_err();
    assert_eq!(failure.exit.status(), 2);
    assert_eq!(
        said(&failure),
        [
            "mesh:2: 0.0.0.0 is not a valid destination: give a host",
            "mesh:4: 255.255.255.255 is a broadcast address: give one host",
            "mesh:5: 224.0.0.1 is a multicast address: give one host",
            "mesh:6: ::1 is IPv6 but -4 asks for IPv4; leave out -4, or give an IPv4 address",
            "mesh:7: fe80::1 is IPv6 but -4 asks for IPv4; leave out -4, or give an IPv4 address",
        ]
    );
    for (line, expected) in [
        ("::1 --to 192.0.2.1 -4", "::1 is IPv6 but -4 asks for IPv4"),
        ("::1 --to fe80::1", "fe80::1 is link-local"),
        ("--to 0.0.0.0", "0.0.0.0 is not a valid destination"),
        (
            "--to ::1 --to 192.0.2.1 --near ::1",
            "192.0.2.1 is IPv4 but ::1 is IPv6",
        ),
    ] {
        let failure = planned_error(line);
        assert_eq!(failure.exit.status(), 2, "{failure}");
        assert!(failure.line.starts_with(expected), "{failure}");
    }
}

fn planned_error(line: &str) -> Failure {
    planned(line).expect_err(line)
}

#[test]
fn names_are_looked_up_side_by_side_and_keep_their_order() {
    let text = (0..500)
        .map(|n| format!("name{n}\n"))
        .collect::<Vec<_>>()
        .concat();
    let planned = planned_from(&text, "", "").unwrap();
    for (index, one) in planned.sessions.iter().enumerate() {
        assert_eq!(one.target.name, format!("name{index}"));
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_cannot_be_measured_as_asked_is_said_before_anything_is_sent() {
    let full = (0..5_000)
        .map(|n| format!("n{n}\n"))
        .collect::<Vec<_>>()
        .concat();
    for (text, end, line, expected) in [
        (
            "a\nb\na\n",
            "",
            "",
            &["mesh:3: a is also in line 1: leave one out|"][..],
        ),
        (
            "a x\nb x\n",
            "",
            "",
            &["mesh:2: the name x is also in line 1: leave one out, or give them different names|"],
        ),
        (
            "a x\na:20001 y\n",
            "",
            "",
            &["mesh:2: a:20001 is also in line 1: leave one out|"],
        ),
        (
            "[[target]]\naddress = \"a\"\nname = \"x\"\n[[target]]\naddress = \"a\"\n",
            ".toml",
            "",
            &[
                "mesh.toml:4: a is also in line 1: leave one out, or give them different names and options|",
            ],
        ),
        (
            "a\nb\n",
            "",
            "--to b",
            &["mesh:2: b is also on the command line"],
        ),
        (
            "a",
            "",
            "--to b --to b",
            &["b is given twice: give it once"],
        ),
        (
            "a\na\na\n",
            "",
            "",
            &["mesh:2: a is also", "mesh:3: a is also"],
        ),
        (
            &full,
            "",
            "--paths 3",
            &["15000 sessions (5000 targets x 1 class x 3 paths): use at most 10000"],
        ),
        (
            "a\nb\n",
            "",
            "--ports 5000-5002 --paths 4",
            &["--ports 5000-5002 has 3 ports, but 8 sessions need 8"],
        ),
        (
            "[[target]]\naddress = \"a\"\n[[target]]\naddress = \"b\"\nssid = 5\n",
            ".toml",
            "",
            &["mesh.toml:3: ssid needs --stamp"],
        ),
        (
            "[[target]]\naddress = \"a\"\n[[target]]\naddress = \"b\"\nports = \"5-5\"\n",
            ".toml",
            "",
            &["mesh.toml:3: --ports 5-5 has 1 port, but 2 sessions need 2"],
        ),
        (
            "[[target]]\naddress = \"a\"\ninterval = \"1us\"\ntimeout = \"1h\"\ncount = \"inf\"\n",
            ".toml",
            "",
            &["mesh.toml:1: with a timeout of 1 h"],
        ),
    ] {
        let failure = planned_from(text, end, line).expect_err(line);
        assert_eq!(failure.exit.status(), 2, "{failure}");
        let said = said(&failure);
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, expected) in said.iter().zip(expected) {
            // With | it is the whole line.
            assert!(
                format!("{said}|").starts_with(expected),
                "{said} is not {expected}"
            );
        }
    }
}

#[test]
fn a_far_end_that_is_measured_in_two_ways_is_two_targets() {
    let text = "[[target]]\naddress = \"a\"\n[[target]]\naddress = \"a\"\nname = \"b\"\nttl = 9\n";
    assert_eq!(planned_from(text, ".toml", "").unwrap().sessions.len(), 2);
}

#[test]
fn consecutive_ports_end_with_the_last_port() {
    let failure = planned_error("::1 :65530 --paths 10");
    assert!(
        failure.to_string().starts_with("from port 65530 on"),
        "{failure}"
    );
    assert!(planned("::1 :65530 --paths 6").is_ok());
}

#[test]
fn sessions_that_share_a_port_may_have_the_last_one() {
    let lines: Vec<String> = (0..20).map(|n| format!("192.0.2.{n}\n")).collect();
    let text = lines.concat();
    assert!(planned_from(&text, "", "--near :65535").is_ok());
    let failure = planned_from(&text, "", "--near :65535 --paths 2").unwrap_err();
    assert!(
        said(&failure)[0].starts_with("mesh:1: from port 65535 on"),
        "{failure}"
    );
}

#[test]
fn each_target_may_have_a_local_end_of_its_own() {
    let text = "[defaults]\nnear = \"192.0.2.8\"\n[[target]]\naddress = \"a\"\npaths = 2\n\
                [[target]]\naddress = \"b\"\nnear = \":5000\"\npaths = 2\n\
                [[target]]\naddress = \"c\"\nnear = \"192.0.2.9:5000\"\nports = \"1-2\"\n";
    let failure = planned_from(text, ".toml", "").unwrap_err();
    assert_eq!(
        said(&failure),
        ["mesh.toml:10: the port of NEAR and --ports exclude each other: use one of them"]
    );
    let near = |line: &str| {
        let planned = planned_from(&text.replace("ports = \"1-2\"", ""), ".toml", line).unwrap();
        let ends = planned.sessions.iter().map(|one| {
            let near = one.plan.near.map_or(String::new(), |near| near.to_string());
            format!("{near} {:?}", one.plan.port)
        });
        ends.collect::<Vec<_>>()
    };
    let own = [" Exact(5000)", " Exact(5001)", "192.0.2.9 Exact(5000)"];
    let preferred = ["192.0.2.8 Prefer(20000)", "192.0.2.8 Prefer(20001)"];
    assert_eq!(near(""), [&preferred[..], &own].concat());
    let given = ["192.0.2.7 Exact(400)", "192.0.2.7 Exact(401)"];
    assert_eq!(near("--near 192.0.2.7:400"), [&given[..], &own].concat());
}

#[test]
fn more_sockets_than_the_system_allows_are_refused_beforehand() {
    let planned = planned("192.0.2.1 --paths 1000").unwrap();
    let check = |most| check_descriptors(&planned.sessions, 2, most);
    assert!(check(None).is_ok() && check(Some(2_032)).is_ok());
    let failure = check(Some(2_031)).unwrap_err();
    assert_eq!(failure.exit.status(), 1);
    assert!(
        failure.line.contains("1000 sessions need 2032 files"),
        "{failure}"
    );
}

#[test]
fn endless_runs_have_no_limit() {
    for line in ["::1 -c inf", "::1 --duration inf", "::1 --count inf"] {
        let planned = planned(line).unwrap();
        assert_eq!(planned.sessions[0].plan.limit, Limit::Endless, "{line}");
    }
}

fn any_line() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("[[target]]".to_owned()),
        Just("[defaults]".to_owned()),
        Just("address = \"a\"".to_owned()),
        Just("address = \"[::1]:862\" # six".to_owned()),
        Just("192.0.2.1 x".to_owned()),
        Just("gone".to_owned()),
        ("[a-z-]{1,12}", "[0-9a-z\"\\[\\],.-]{0,12}")
            .prop_map(|(key, value)| format!("{key} = {value}")),
        prop::sample::select(vec![
            "count", "interval", "dscp", "labels", "paths", "spin", "ports", "ssid"
        ])
        .prop_flat_map(|key| {
            "[0-9]{1,3}|\"[0-9a-z-]{0,6}\"|true|\\{ a = \"b\" \\}|\\[1, 2\\]|nan"
                .prop_map(move |value| format!("{key} = {value}"))
        }),
        "\\PC{0,30}",
        any::<String>(),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2 * ProptestConfig::default().cases))]
    /// And every fault is one line, with its place in the file.
    #[test]
    fn whatever_a_file_holds_it_is_planned_or_refused(text in any_line(), tables: bool) {
        let end = if tables { ".toml" } else { "" };
        match planned_from(&text, end, "") {
            Ok(planned) => {
                prop_assert!(planned.sessions.len() <= MOST_SESSIONS);
                prop_assert!(!planned.sessions.is_empty() || !planned.failed.is_empty());
                for failed in planned.failed {
                    prop_assert!(failed.error.contains("/mesh"), "{}", failed.error);
                }
            }
            Err(failure) => for line in said(&failure) {
                prop_assert!(line.contains("mesh") || line.contains("use at most"), "{line}");
                prop_assert!(!line.contains(char::is_control), "{line}");
            },
        }
    }
}
