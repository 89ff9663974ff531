//! Values and their canonical texts (RFC 7950 section 9, RFC 7951 section 6).

use crate::{compact, data, read_all, schema};

/// A leaf of a type: what JSON gives, and what comes back.
fn survive(ty: &str, pairs: &[(&str, &str)]) {
    let schema = schema(&format!(
        "identity animal; identity dog {{ base animal; }} typedef small {{ type uint8; }}
         leaf other {{ type uint8; }} leaf a {{ type {ty} }}"
    ));
    for (given, written) in pairs {
        let root = read_all(&schema, &format!(r#"{{"m:a":{given}}}"#));
        let root = root.unwrap_or_else(|faults| panic!("{ty} {given}: {}", faults[0].what));
        assert_eq!(
            compact(&schema, &root),
            format!(r#"{{"m:a":{written}}}"#),
            "{ty} {given}"
        );
    }
}

fn refuse(ty: &str, all: &[&str]) {
    let schema = schema(&format!(
        "identity animal; identity dog {{ base animal; }} leaf a {{ type {ty} }}"
    ));
    for given in all {
        assert!(
            read_all(&schema, &format!(r#"{{"m:a":{given}}}"#)).is_err(),
            "{ty} {given}"
        );
    }
}

#[test]
fn integers() {
    survive("int8;", &[("-128", "-128"), ("127", "127")]);
    refuse(
        "int8;",
        &[
            "128",
            "-129",
            "\"1\"",
            "1.0",
            "1e1",
            "true",
            "null",
            "[1]",
            "99999999999999999999",
        ],
    );
    survive(
        "int64;",
        &[
            ("\"-9223372036854775808\"", "\"-9223372036854775808\""),
            ("\"+1\"", "\"1\""),
        ],
    );
    survive(
        "uint64;",
        &[
            ("\"18446744073709551615\"", "\"18446744073709551615\""),
            ("\"010\"", "\"10\""),
        ],
    );
    refuse(
        "uint64;",
        &[
            "1",
            "\"18446744073709551616\"",
            "\"-1\"",
            "\"0x10\"",
            "\"\"",
            "\" 1\"",
            "\"1_0\"",
        ],
    );
    survive(
        "int32 { range \"1..4 | 10..20\"; }",
        &[("4", "4"), ("10", "10")],
    );
    refuse("int32 { range \"1..4 | 10..20\"; }", &["0", "5", "9", "21"]);
}

#[test]
fn decimals() {
    survive(
        "decimal64 { fraction-digits 2; }",
        &[
            ("\"3.14\"", "\"3.14\""),
            ("\"+3.10\"", "\"3.1\""),
            ("\"-0\"", "\"0.0\""),
            ("\"-0.05\"", "\"-0.05\""),
            ("\"007\"", "\"7.0\""),
            ("\"92233720368547758.07\"", "\"92233720368547758.07\""),
            ("\"-92233720368547758.08\"", "\"-92233720368547758.08\""),
            ("\"1.5000\"", "\"1.5\""),
        ],
    );
    refuse(
        "decimal64 { fraction-digits 2; }",
        &[
            "1.5",
            "\"1.555\"",
            "\"92233720368547758.08\"",
            "\".5\"",
            "\"5.\"",
            "\"1e2\"",
            "\"\"",
            "\"-\"",
            "\"1.-5\"",
        ],
    );
    survive(
        "decimal64 { fraction-digits 18; }",
        &[("\"9.223372036854775807\"", "\"9.223372036854775807\"")],
    );
    refuse(
        "decimal64 { fraction-digits 18; }",
        &["\"9.223372036854775808\"", "\"10\""],
    );
    refuse(
        "decimal64 { fraction-digits 2; range \"1 .. 3.14 | 10 | 20..max\"; }",
        &["\"0.99\"", "\"3.15\"", "\"11\""],
    );
}

#[test]
fn texts_and_words() {
    survive(
        "string { length \"1..4\"; pattern '[0-9a-fA-F]*'; }",
        &[("\"AbC\"", "\"AbC\"")],
    );
    refuse(
        "string { length \"1..4\"; pattern '[0-9a-fA-F]*'; }",
        &["\"\"", "\"00000\"", "\"x\"", "4"],
    );
    survive(
        "string { length \"2\"; }",
        &[("\"äö\"", "\"äö\""), ("\"\\t\\\"\"", "\"\\t\\\"\"")],
    );
    // RFC 7950 section 9.4.
    refuse(
        "string;",
        &["\"\\u0001\"", "\"\\u0000\"", "\"\\ufdd0\"", "\"\\ufffe\""],
    );
    survive("boolean;", &[("true", "true")]);
    refuse("boolean;", &["\"true\"", "1"]);
    survive("empty;", &[("[null]", "[null]")]);
    refuse("empty;", &["null", "[]", "\"\"", "true"]);
    survive(
        "enumeration { enum a; enum 'b c'; }",
        &[("\"b c\"", "\"b c\"")],
    );
    refuse("enumeration { enum a; enum 'b c'; }", &["\"b\"", "0"]);
    // RFC 7950 section 9.7.5.
    let bits = "bits { bit disable-nagle { position 0; } bit auto-sense-speed { position 1; } bit ten-mb-only { position 2; } }";
    survive(
        bits,
        &[
            (
                "\"ten-mb-only disable-nagle\"",
                "\"disable-nagle ten-mb-only\"",
            ),
            ("\"\"", "\"\""),
        ],
    );
    refuse(bits, &["\"disable-nagle disable-nagle\"", "\"x\""]);
    survive(
        "binary { length \"3\"; }",
        &[("\"AQID\"", "\"AQID\""), ("\"AQ\\nID\"", "\"AQID\"")],
    );
    refuse(
        "binary { length \"3\"; }",
        &["\"AQI=\"", "\"AQI\"", "\"!\""],
    );
}

#[test]
fn names_of_other_things() {
    survive(
        "identityref { base animal; }",
        &[("\"dog\"", "\"m:dog\""), ("\"m:dog\"", "\"m:dog\"")],
    );
    refuse(
        "identityref { base animal; }",
        &["\"animal\"", "\"n:dog\"", "\"cat\""],
    );
    survive("instance-identifier;", &[("\"/m:a\"", "\"/m:a\"")]);
    refuse(
        "instance-identifier;",
        &["\"/m:b\"", "\"/a\"", "\"m:a\"", "\"/m:a[1]\""],
    );
    survive("leafref { path '/m:other'; }", &[("7", "7")]);
    refuse("int8 { range \"1..5\"; }", &["6"]);
}

/// RFC 7950 section 9.12.4, RFC 7951 section 6.10.
#[test]
fn unions_take_the_first_type_that_fits() {
    survive(
        "union { type int32; type enumeration { enum unbounded; } type string { length 2; } type uint64; }",
        &[
            ("5", "5"),
            ("\"unbounded\"", "\"unbounded\""),
            ("\"ab\"", "\"ab\""),
            // Of two characters: the string comes before the 64-bit integer.
            ("\"12\"", "\"12\""),
            ("\"123\"", "\"123\""),
        ],
    );
    refuse(
        "union { type int32; type enumeration { enum unbounded; } }",
        &["\"5\"", "true", "\"x\""],
    );
}

/// RFC 7950 section 9.2.1: only defaults are hexadecimal or octal.
#[test]
fn defaults_may_be_hexadecimal_or_octal() {
    let schema = schema("leaf a { type uint8; default 0x1f; } leaf b { type uint8; default 017; }");
    let root = data(&schema, "{}");
    let text = |name: &str| {
        let path = crate::path(&schema, name);
        root.value(&schema, &path).unwrap().as_u64()
    };
    assert_eq!((text("/m:a"), text("/m:b")), (Some(31), Some(15)));
}
