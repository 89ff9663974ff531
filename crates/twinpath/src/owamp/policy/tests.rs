use super::*;

fn read(text: &str) -> Result<Policy, String> {
    Policy::parse("l", text).map_err(|fault| fault.to_string())
}

#[test]
fn classes_have_what_their_parents_have_and_the_strictest_number() {
    let policy = read(
        "limit root with disk=0, \\\n  bandwidth=0, allow_open_mode=off\n\
         LIMIT regular WITH parent=root, test_sessions=20, disk = 10G\n\
         limit vip with parent=regular,test_sessions=50,allow_open_mode=on\n\
         limit free with parent=root\n\
         assign default regular\nassign net 192.0.2.0/24 vip\nassign net 2001:db8::1 vip\n\
         assign user joe free\n",
    )
    .unwrap();
    let classes: Vec<_> = policy
        .classes
        .iter()
        .map(|it| (it.name.as_str(), it.allows_open, it.sessions, it.place.line))
        .collect();
    assert_eq!(
        classes,
        [
            ("root", false, None, 1),
            ("regular", false, Some(20), 3),
            ("vip", true, Some(20), 4),
            ("free", false, None, 5),
        ]
    );
    assert_eq!(policy.default.unwrap().class, 1);
    let nets: Vec<_> = policy
        .networks
        .iter()
        .map(|it| (it.who.to_string(), it.class, it.place.line))
        .collect();
    assert_eq!(
        nets,
        [
            ("192.0.2.0/24".to_owned(), 2, 7),
            ("2001:db8::1/128".to_owned(), 2, 8)
        ]
    );
    assert_eq!(
        (policy.users[0].who.as_str(), policy.users[0].class),
        ("joe", 3)
    );
    let said: Vec<String> = policy.remarks.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "l:3: disk=10G of class regular: no equivalent: a server of two-way sessions stores no results"
        ]
    );
}

#[test]
fn a_line_that_twampd_refuses_is_refused_with_its_place() {
    let root = "limit root with disk=0\n";
    for (text, said) in [
        ("allow x", "l:1: allow: a line begins with limit or assign"),
        (
            "limit root disk=0",
            "l:1: write limit NAME with KEY=VALUE,...",
        ),
        ("limit root with disk", "l:1: disk: write KEY=VALUE"),
        ("limit root with disk=1X", "l:1: disk=1X: not a value of it"),
        (
            "limit root with disk=99999999E",
            "l:1: disk=99999999E: not a value of it",
        ),
        (
            "limit root with allow_open_mode=1",
            "l:1: allow_open_mode=1: not a value of it",
        ),
        ("limit root with disk=1,disk=2", "l:1: disk is given twice"),
        ("limit root with cpu=1", "l:1: cpu: no such limit"),
        (
            "limit root with parent=root",
            "l:1: the first class has no parent",
        ),
        ("assign default root", "l:1: no class root before it"),
    ] {
        assert_eq!(read(text).unwrap_err(), said);
    }
    for (line, said) in [
        ("limit root with parent=root", "class root is defined twice"),
        (
            "limit a with disk=0",
            "class a has no parent=: only the first class may",
        ),
        ("limit a with parent=b", "no class b before it"),
        (
            "assign net 192.0.2.1/24 root",
            "192.0.2.1/24: bits are set behind the prefix",
        ),
        (
            "assign net 0.0.0.0/0 root",
            "0.0.0.0/0: write assign default",
        ),
        ("assign net x root", "x: not a prefix, as in 192.0.2.0/24"),
        (
            "assign key x root",
            "write assign default, assign net or assign user",
        ),
        ("assign user joe other", "no class other before it"),
        ("assign", "write assign default, assign net or assign user"),
    ] {
        assert_eq!(
            read(&format!("{root}{line}")).unwrap_err(),
            format!("l:2: {said}")
        );
    }
    let twice = format!("{root}assign default root\nassign default root");
    assert_eq!(
        read(&twice).unwrap_err(),
        "l:3: assign default is given twice"
    );
}

#[test]
fn numbers_have_decimal_units() {
    for (text, value) in [
        ("0", Some(0)),
        ("10G", Some(10_000_000_000)),
        ("3k", Some(3_000)),
        ("1e", Some(1_000_000_000_000_000_000)),
        ("20e", None),
        ("", None),
        ("k", None),
        ("1kk", None),
        ("-1", None),
    ] {
        assert_eq!(number(text), value, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_ends_the_program(text in "(limit|assign|with|net|user|default|parent|root|[ =,\\\\\n#/]|[a-z0-9.:]|\\PC){0,60}") {
        let _ = Policy::parse("l", &text);
        let _ = super::super::Config::parse("c", &text);
    }
}
