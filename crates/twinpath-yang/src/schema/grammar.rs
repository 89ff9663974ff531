//! Which statements each statement may have (RFC 7950 section 7): a keyword that is misspelt or elsewhere is a fault, not a
//! constraint that is ignored.

use crate::statement::Statement;

/// Substatements of the statements for data.
const DATA: &str = "anydata anyxml choice container leaf leaf-list list uses";

/// The first statement below that does not belong there, and what is wrong with it.
pub(super) fn check(statement: &Statement) -> Result<(), (usize, String)> {
    let known = substatements(&statement.keyword).ok_or_else(|| {
        (
            statement.line,
            format!("{}: unknown keyword", statement.keyword),
        )
    })?;
    for child in statement.children.iter().filter(|it| it.prefix.is_none()) {
        let keyword = &*child.keyword;
        let mut all = known.iter().flat_map(|words| words.split(' '));
        if matches!(keyword, "include" | "submodule") {
            return Err((child.line, format!("{keyword} is not supported")));
        }
        if !all.any(|word| word == keyword) {
            return Err((
                child.line,
                format!("{keyword} within {}", statement.keyword),
            ));
        }
        if is_single(keyword) && statement.all(keyword).nth(1).is_some() {
            return Err((
                child.line,
                format!("{keyword} twice in {}", statement.keyword),
            ));
        }
        let has_argument = child.argument.is_some();
        if has_argument == matches!(keyword, "input" | "output") {
            let what = if has_argument {
                "an argument"
            } else {
                "no argument"
            };
            return Err((child.line, format!("{keyword} with {what}")));
        }
        check(child)?;
    }
    Ok(())
}

/// Statements that one statement has once.
fn is_single(keyword: &str) -> bool {
    matches!(
        keyword,
        "argument"
            | "config"
            | "contact"
            | "description"
            | "error-app-tag"
            | "error-message"
            | "fraction-digits"
            | "input"
            | "key"
            | "length"
            | "mandatory"
            | "max-elements"
            | "min-elements"
            | "modifier"
            | "namespace"
            | "ordered-by"
            | "organization"
            | "output"
            | "path"
            | "position"
            | "prefix"
            | "presence"
            | "range"
            | "reference"
            | "require-instance"
            | "revision-date"
            | "status"
            | "units"
            | "value"
            | "when"
            | "yang-version"
            | "yin-element"
    )
}

const TEXTS: &str = "description reference";
const NODE: &str = "description reference status if-feature when";
const DEFINITIONS: &str = "typedef grouping";

fn substatements(keyword: &str) -> Option<&'static [&'static str]> {
    Some(match keyword {
        "module" => &[
            TEXTS,
            DATA,
            DEFINITIONS,
            "yang-version namespace prefix import organization contact revision extension feature",
            "identity augment deviation rpc notification",
        ],
        "import" => &[TEXTS, "prefix revision-date"],
        "revision" | "when" => &[TEXTS],
        "extension" => &[TEXTS, "status argument"],
        "argument" => &["yin-element"],
        "feature" => &[TEXTS, "status if-feature"],
        "identity" => &[TEXTS, "status if-feature base"],
        "typedef" => &[TEXTS, "status type units default"],
        "type" => {
            &["type base bit enum fraction-digits length path pattern range require-instance"]
        }
        "bit" => &[TEXTS, "status if-feature position"],
        "enum" => &[TEXTS, "status if-feature value"],
        "range" | "length" | "must" => &[TEXTS, "error-message error-app-tag"],
        "pattern" => &[TEXTS, "error-message error-app-tag modifier"],
        "grouping" => &[TEXTS, DATA, DEFINITIONS, "status action notification"],
        "container" => &[
            NODE,
            DATA,
            DEFINITIONS,
            "config must presence action notification",
        ],
        "list" => &[
            NODE,
            DATA,
            DEFINITIONS,
            "config must key unique min-elements max-elements ordered-by action notification",
        ],
        "leaf" => &[NODE, "config must type units default mandatory"],
        "leaf-list" => &[
            NODE,
            "config must type units default min-elements max-elements ordered-by",
        ],
        "anydata" | "anyxml" => &[NODE, "config must mandatory"],
        "choice" => &[
            NODE,
            "anydata anyxml case choice container leaf leaf-list list config default mandatory",
        ],
        "case" => &[NODE, DATA],
        "uses" => &[NODE, "refine augment"],
        "refine" => &[
            TEXTS,
            "if-feature must presence default config mandatory min-elements max-elements",
        ],
        "augment" => &[NODE, DATA, "case action notification"],
        "deviation" => &[TEXTS, "deviate"],
        "deviate" => &["type default"],
        "rpc" | "action" => &[TEXTS, DEFINITIONS, "status if-feature input output"],
        "input" | "output" => &[DATA, DEFINITIONS, "must"],
        "notification" => &[TEXTS, DATA, DEFINITIONS, "status if-feature must"],
        "base" | "belongs-to" | "config" | "contact" | "default" | "description"
        | "error-app-tag" | "error-message" | "fraction-digits" | "if-feature" | "key"
        | "mandatory" | "max-elements" | "min-elements" | "modifier" | "namespace"
        | "ordered-by" | "organization" | "path" | "position" | "prefix" | "presence"
        | "reference" | "require-instance" | "revision-date" | "status" | "unique" | "units"
        | "value" | "yang-version" | "yin-element" => &[],
        _ => return None,
    })
}
