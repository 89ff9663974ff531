//! Files of targets, as they are read and as they are refused.

use std::fs;
use std::io::{self, Read};
use std::time::Duration;

use super::*;
use crate::args::SenderArgs;

fn lines(text: impl Into<Vec<u8>>) -> Result<Vec<FileTarget>, Failure> {
    lines::parse(Source::of("mesh", Box::new(io::Cursor::new(text.into()))))
}

fn tables(text: &str) -> Result<Vec<FileTarget>, Failure> {
    tables::parse(text, &"mesh.toml".into(), &GivenOptions::default())
}

/// What is said of a file, a line for each fault.
fn said(failure: &Failure) -> Vec<String> {
    let all = failure.earlier.iter().chain([failure]);
    all.map(ToString::to_string).collect()
}

fn in_short(targets: &[FileTarget]) -> Vec<String> {
    let short = |target: &FileTarget| {
        let (far, name, line) = (&target.far, &target.name, target.place.line);
        format!("{line} {far} {name}")
    };
    targets.iter().map(short).collect()
}

#[test]
fn a_line_has_an_address_and_perhaps_a_name() {
    let text = "\u{feff}# sites\r\n192.0.2.1\r\n\n  router1:862\tfra-core1  # the old one\n#x\n\
                [2001:db8::1]:862 six\nfe80::1%eth0";
    let targets = lines(text).unwrap();
    assert_eq!(
        in_short(&targets),
        [
            "2 192.0.2.1 192.0.2.1",
            "4 router1:862 fra-core1",
            "6 [2001:db8::1]:862 six",
            "7 fe80::1%eth0 fe80::1%eth0",
        ]
    );
    assert!(targets.iter().all(|target| target.options.is_none()));
}

#[test]
fn each_fault_of_a_line_is_a_line_with_its_number() {
    let failure = lines(
        "192.0.2.1\n192.0.2.300 a\nok\n10.1\nhost a b\nhost:0\nhost \u{7}\n\
         host a\u{202e}b\nhost a\u{200b}b\nho\u{202e}st\n",
    );
    let failure = failure.unwrap_err();
    assert_eq!(failure.exit.status(), 2);
    assert_eq!(
        said(&failure),
        [
            "mesh:2: 192.0.2.300: not an IPv4 address: give four numbers from 0 to 255",
            "mesh:4: 10.1: not an IPv4 address: give four numbers from 0 to 255",
            "mesh:5: b: one word too many: a line has an address and a name without blanks",
            "mesh:6: host:0: port 0: out of range: use 1 to 65535",
            "mesh:7: a name has no control characters, and none that cannot be seen",
            "mesh:8: a name has no control characters, and none that cannot be seen",
            "mesh:9: a name has no control characters, and none that cannot be seen",
            "mesh:10: ho\\u{202e}st: neither an address nor a name",
        ]
    );
    let many = said(&lines("10.1\n".repeat(1_000)).unwrap_err());
    assert_eq!(many.len(), MOST_FAULTS + 1);
    assert_eq!(many[MOST_FAULTS], "mesh: 980 more faults");
}

#[test]
fn a_file_without_targets_says_how_one_is_written() {
    for text in ["", "\n\n", "# nothing\n", "\u{feff}"] {
        let failure = lines(text).unwrap_err();
        assert!(failure.line.contains("ADDRESS[:PORT] [NAME]"), "{failure}");
    }
    for text in ["", "# nothing", "[defaults]\ncount = 1", "target = []"] {
        let failure = tables(text).unwrap_err();
        assert!(failure.line.contains("[[target]]"), "{text}: {failure}");
    }
}

/// Gives the same octets for ever, and counts them.
struct Endless<'a> {
    octets: &'a [u8],
    at: usize,
    given: Arc<std::sync::atomic::AtomicUsize>,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for octet in buffer.iter_mut() {
            *octet = self.octets[self.at % self.octets.len()];
            self.at += 1;
        }
        self.given
            .fetch_add(buffer.len(), std::sync::atomic::Ordering::Relaxed);
        Ok(buffer.len())
    }
}

#[test]
fn what_has_no_end_is_read_no_further_than_the_limit() {
    for (octets, part) in [
        (&b"192.0.2.1\n"[..], "mesh:10001: more than 10000 targets"),
        (&b"\0"[..], "mesh:1: longer than 4096 octets"),
        (&b"x"[..], "mesh:1: longer than 4096 octets"),
        (&b"# no target\n"[..], "mesh is larger than 16 MiB"),
        (&b"\xff\n"[..], "mesh:1: not UTF-8 text"),
        (&b"bad/address\n"[..], "mesh is larger than 16 MiB"),
    ] {
        let given = Arc::default();
        let endless = Endless {
            octets,
            at: 0,
            given: Arc::clone(&given),
        };
        let failure = lines::parse(Source::of("mesh", Box::new(endless))).unwrap_err();
        assert!(said(&failure)[0].starts_with(part), "{failure}");
        assert_eq!(failure.exit.status(), 2);
        let given = given.load(std::sync::atomic::Ordering::Relaxed);
        assert!(given <= (16 << 20) + 65_536, "{given}");
    }
}

#[test]
fn the_first_table_beyond_the_most_targets_is_named() {
    let text = "[[target]]\naddress = \"a\"\n".repeat(10_001);
    let failure = tables(&text).unwrap_err();
    let said = said(&failure);
    assert!(
        said[0].starts_with("mesh.toml:20001: more than 10000 targets"),
        "{said:?}"
    );
    assert_eq!(said.len(), 1);
}

#[test]
fn keys_are_options_and_those_of_a_target_come_before_the_defaults() {
    let text = "[defaults]\ninterval = \"1s\"\ncount = 5\nlabels = { site = \"x\", by = \"me\" }\n\
                [[target]]\naddress = \"192.0.2.1\"\n\
                [[target]]\naddress = \"r1:862\"\nname = \"fra core\"\nprotocol = \"stamp\"\n\
                dscp = [\"be\", \"ef\"]\nduration = 3\nspin = true\nlabels = { site = \"fra\" }\n\
                timeout = 0.5\ntos = 0x10\n";
    let failure = tables(text).unwrap_err();
    assert_eq!(
        said(&failure),
        ["mesh.toml:11: dscp and tos exclude each other: use one of them"]
    );
    let targets = tables(&text.replace("tos = 0x10\n", "")).unwrap();
    assert_eq!(
        in_short(&targets),
        ["5 192.0.2.1 192.0.2.1", "7 r1:862 fra core"]
    );
    let options = |index: usize| targets[index].options.as_deref().unwrap();
    let (first, second) = (options(0), options(1));
    let interval = |options: &SessionOptions| options.schedule.interval.unwrap().0;
    assert_eq!(interval(first), Duration::from_secs(1));
    assert_eq!(interval(second), Duration::from_secs(1));
    assert!(first.schedule.duration.is_none() && second.schedule.duration.is_some());
    assert!(!first.stamp.stamp && second.stamp.stamp && second.schedule.spin);
    assert_eq!(second.marking.dscp.len(), 2);
    assert_eq!(second.schedule.timeout.0, Duration::from_millis(500));
    let labels = |index: usize| {
        let labels = targets[index].labels.iter();
        let labels = labels.map(|label| format!("{}={}", label.key, label.value));
        labels.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(labels(0), "by=me site=x");
    assert_eq!(labels(1), "by=me site=fra");
}

#[test]
fn an_option_that_may_be_repeated_is_a_list() {
    let args = SenderArgs::of(
        "--targets x --stamp --tlv location --tlv return-path=srv6:2001:db8::1,2001:db8::2",
    );
    let text = "[[target]]\naddress = \"a\"\n\
                [[target]]\naddress = \"b\"\ntlv = [\"cos\", \"access-report=1:2\", \"hmac\"]\n\
                [[target]]\naddress = \"c\"\ntlv = \"cos\"\n[[target]]\naddress = \"d\"\ntlv = []\n";
    let targets = tables::parse(text, &"m.toml".into(), &args.given).unwrap();
    let tlvs = |index: usize| {
        let tlvs = &targets[index].options.as_deref().unwrap().stamp.tlv;
        let names: Vec<_> = tlvs.iter().map(ToString::to_string).collect();
        names.join(" ")
    };
    assert_eq!(tlvs(0), "location return-path=srv6:2001:db8::1,2001:db8::2");
    assert_eq!(tlvs(1), "cos access-report=1:2 hmac");
    assert_eq!(tlvs(2), "cos");
    assert_eq!(tlvs(3), "");
}

#[test]
fn the_command_line_comes_before_the_defaults_and_after_a_target() {
    let args = SenderArgs::of("--targets x --duration inf --dscp ef,be");
    let text = "[defaults]\ncount = 5\ninterval = 20\n[[target]]\naddress = \"a\"\n\
                [[target]]\naddress = \"b\"\ncount = 7\n[[target]]\naddress = \"c\"\n";
    let targets = tables::parse(text, &"m.toml".into(), &args.given).unwrap();
    let options = |index: usize| targets[index].options.as_deref().unwrap();
    assert!(options(0).schedule.duration.is_some());
    assert_eq!(options(0).marking.dscp.len(), 2);
    assert!(options(1).schedule.duration.is_none());
    assert!(options(1).schedule.interval.is_some());
    // Equal options are kept once.
    assert!(std::ptr::eq(options(0), options(2)));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_fault_of_a_table_is_a_line_with_its_number() {
    for (text, expected) in [
        ("[[target]\n", &["mesh.toml:1: not TOML: "][..]),
        (
            "[[target]]\naddress = \"a\"\naddress = \"b\"",
            &["mesh.toml:3: not TOML: duplicate key"],
        ),
        (
            "[target]\naddress = \"a\"",
            &["mesh.toml:1: target: write [[target]] above each target"],
        ),
        (
            "[default]\n",
            &["mesh.toml:1: default: unknown: did you mean [defaults]?"],
        ),
        (
            "x = 1",
            &["mesh.toml:1: x: unknown: use [defaults] and [[target]]"],
        ),
        (
            "interval = 1",
            &["mesh.toml:1: interval: write it under [defaults] or [[target]]"],
        ),
        (
            "[[target]]\naddress = \"a\"\nintervall = 1\n[[target]]\nname = \"b\"\n[[target]]\naddress = \"a:0\"",
            &[
                "mesh.toml:3: intervall: unknown key: did you mean interval?",
                "mesh.toml:4: address is missing",
                "mesh.toml:7: address a:0: port 0: out of range: use 1 to 65535",
            ],
        ),
        (
            "[[target]]\naddress = \"a\"\noutput = \"json\"\nzzzzzz = 1\n",
            &[
                "mesh.toml:3: output is an option of the whole run: give --output on the command line",
                "mesh.toml:4: zzzzzz: unknown key: use address,",
            ],
        ),
        (
            "[defaults]\ninterval = \"5x\"\n[[target]]\naddress = \"a\"\n",
            &["mesh.toml:2: interval 5x: not a time: use"],
        ),
        (
            "[[target]]\naddress = \"a\"\n\ncount = 0\n",
            &["mesh.toml:4: count 0: out of range: use 1 or more, or inf for no end"],
        ),
        (
            "[[target]]\naddress = \"a\"\npaths = 0\ncount = \"abc\"\nssid = \"x\"\ndscp = \"be\"\ntos = 0\n",
            &[
                "mesh.toml:3: paths 0: out of range",
                "mesh.toml:4: count abc: not a",
                "mesh.toml:5: ssid x: not a",
            ],
        ),
        (
            "[defaults]\ncount = 0\nttl = 999\n[[target]]\naddress = \"a\"\ninterval = \"x\"\n",
            &[
                "mesh.toml:2: count 0: out of range",
                "mesh.toml:3: ttl 999: ",
                "mesh.toml:6: interval x: not a time",
            ],
        ),
        (
            "[[target]]\naddress = \"a\"\nspin = \"yes\"\ninterval = true\nttl = 1979-05-27\n",
            &[
                "mesh.toml:3: spin: use true or false",
                "mesh.toml:4: interval: give a number or a string",
                "mesh.toml:5: ttl: give a number or a string",
            ],
        ),
        (
            "[[target]]\naddress = 1\nname = \"\"\nprotocol = \"owamp\"\nlabels = \"x\"",
            &[
                "mesh.toml:2: address: give a string",
                "mesh.toml:3: the name is empty",
                "mesh.toml:4: protocol owamp: use stamp or twamp-light",
                "mesh.toml:5: labels: give a table of strings",
            ],
        ),
        (
            "[[target]]\naddress = \"a\"\nstamp = false\nprotocol = \"stamp\"",
            &["mesh.toml:3: stamp and protocol say the same: use one of them"],
        ),
        (
            "[defaults]\nname = \"a\"\n[[target]]\naddress = \"a\"\nlabels = { \"a b\" = \"c\" }",
            &[
                "mesh.toml:2: name: each target has its own",
                "mesh.toml:5: labels a b: a label's key has letters",
            ],
        ),
        (
            "target = [1, \"x\"]",
            &[
                "mesh.toml:1: target: write [[target]]",
                "mesh.toml:1: target: write",
            ],
        ),
    ] {
        let failure = tables(text).expect_err(text);
        assert_eq!(failure.exit.status(), 2, "{text}");
        let said = said(&failure);
        assert_eq!(said.len(), expected.len(), "{text}: {said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.starts_with(expected), "{text}: {said}");
        }
    }
}

#[test]
fn every_option_of_a_session_is_a_key() {
    let keys = tables::option_reader(GivenOptions::default().usual);
    let keys: Vec<String> = keys.keys().map(str::to_owned).collect();
    for key in [
        "count",
        "interval",
        "dscp",
        "paths",
        "ports",
        "ttl",
        "timestamps",
        "padding",
    ] {
        assert!(keys.iter().any(|one| one == key), "{key}: {keys:?}");
    }
    assert!(
        !keys
            .iter()
            .any(|key| ["help", "output", "to", "targets"].contains(&key.as_str()))
    );
}

#[test]
fn what_is_not_a_file_of_text_is_refused_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let given = GivenOptions::default();
    let failure = read(directory.path(), &given).unwrap_err().to_string();
    assert!(failure.contains("it is a directory"), "{failure}");
    let failure = read(&path("none"), &given).unwrap_err();
    assert_eq!(failure.exit.status(), 1);
    assert!(
        failure.line.ends_with("none: no such file or directory"),
        "{failure}"
    );
    fs::write(path("m.toml"), b"[[target]]\naddress = \"\xff\"\n").unwrap();
    let failure = read(&path("m.toml"), &given).unwrap_err();
    assert!(
        failure.line.ends_with("m.toml:2: not UTF-8 text"),
        "{failure}"
    );
    fs::write(path("large.toml"), vec![b'\n'; 5 << 20]).unwrap();
    let failure = read(&path("large.toml"), &given).unwrap_err();
    assert!(failure.line.contains("larger than 4 MiB"), "{failure}");
    fs::write(path("good"), "192.0.2.1 a\n").unwrap();
    assert_eq!(
        in_short(&read(&path("good"), &given).unwrap()),
        ["1 192.0.2.1 a"]
    );
}

#[test]
fn a_file_that_changes_while_it_is_read_is_not_half_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mesh");
    fs::write(&path, "192.0.2.1 a\n192.0.2.2 b\n").unwrap();
    let source = Source::open(&path).unwrap();
    fs::write(&path, "192.0.2.1 a\n").unwrap();
    let failure = lines::parse(source).unwrap_err();
    assert!(
        failure.line.ends_with("mesh changed while it was read"),
        "{failure}"
    );
}
