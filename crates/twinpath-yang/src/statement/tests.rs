use super::parse;

fn argument(text: &str) -> String {
    let module = parse(&format!("module m {{\n{text}\n}}")).unwrap();
    module.children[0].arg().to_owned()
}

/// The examples of RFC 7950 section 6.1.3.1.
#[test]
fn strings_of_the_rfc_are_read() {
    for same in [
        "hello",
        "\"hello\"",
        "'hello'",
        "\"hel\" + \"lo\"",
        "'hel' + \"lo\"",
    ] {
        assert_eq!(argument(&format!("error-message {same};")), "hello");
    }
    assert_eq!(argument("error-message \"\\\"\";"), "\"");
    assert_eq!(argument("error-message '\"';"), "\"");
    assert_eq!(argument("error-message '\\n';"), "\\n");
    assert_eq!(argument("error-message \"\\n\";"), "\n");
    assert_eq!(
        argument("error-message \"first line\\n\" + \"  second line\";"),
        "first line\n  second line"
    );
}

#[test]
fn indentation_is_removed_up_to_the_quote_and_blanks_before_a_line_end() {
    let text = "  description\n    \"first  \n     second\n       third\n  fourth\";";
    assert_eq!(argument(text), "first\nsecond\n  third\nfourth");
}

#[test]
fn a_tab_counts_as_eight_blanks() {
    assert_eq!(argument("  d \"a\n\tb\";"), "a\n   b");
}

#[test]
fn comments_are_skipped_and_lines_are_counted() {
    let module =
        parse("// one\nmodule m { /* two\n three */ leaf a; // b\n leaf b { type t; } }").unwrap();
    let lines: Vec<_> = module
        .children
        .iter()
        .map(|leaf| (leaf.arg(), leaf.line))
        .collect();
    assert_eq!(lines, [("a", 3), ("b", 4)]);
    assert_eq!(module.children[1].text("type"), Some("t"));
}

#[test]
fn statements_of_extensions_keep_their_prefix() {
    let module = parse("module m { nacm:default-deny-all; x:y \"z\" { x:w; } }").unwrap();
    assert_eq!(module.children[0].prefix.as_deref(), Some("nacm"));
    assert_eq!(&*module.children[0].keyword, "default-deny-all");
    assert_eq!(module.children[0].argument, None);
    assert!(module.find("default-deny-all").is_none());
    assert_eq!(module.children[1].children.len(), 1);
}

#[test]
fn what_is_not_yang_has_a_line() {
    for (text, line, what) in [
        ("", 1, "the text ends where a keyword is expected"),
        (
            "module m {\n leaf a",
            2,
            "leaf: write ; or { after its argument",
        ),
        (
            "module m {\n leaf a;\n",
            3,
            "module without its end: write }",
        ),
        (
            "module m {}\nmodule n {}",
            2,
            "text after the end of the module",
        ),
        (
            "module m {\n d \"x;\n}",
            2,
            "a string without its closing quote",
        ),
        (
            "module m {\n /* x;\n}",
            2,
            "a comment without its end: write */",
        ),
        (
            "module m {\n d 'x' + y; }",
            2,
            "write a quoted string after +",
        ),
        ("module m {\n d x\"y; }", 2, "x\": a quote in a word"),
        ("module m {\n 9 x; }", 2, "9: not a keyword"),
        ("module m {\n\u{1} }", 2, "the character U+0001"),
        (
            "module m { yang-version 1.1;\n d \"\\.\"; }",
            2,
            "\\. in a double-quoted string: use \\n, \\t, \\\" or \\\\",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!((error.line, error.what.as_str()), (line, what), "{text}");
    }
}

/// RFC 6020 left other escapes as they are.
#[test]
fn yang_1_keeps_other_escapes() {
    assert_eq!(argument("pattern \"a\\.b\";"), "a\\.b");
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!(
        "module m {}{}",
        "{ a b ".repeat(100_000),
        "}".repeat(100_000)
    );
    assert!(parse(&deep).unwrap_err().what.contains("within each other"));
    let long = format!("module m {{ d \"{}\"; }}", "x".repeat(2 << 20));
    assert!(parse(&long).unwrap_err().what.contains("longer than"));
}
