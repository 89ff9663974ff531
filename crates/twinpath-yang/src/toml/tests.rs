use super::{Reader, Roots, write};
use crate::schema::Schema;
use crate::tree::{Path, Scope, validate};
use crate::{Children, modules};

fn daemon() -> (Schema, Roots) {
    let schema = Schema::load(&modules::TEXTS, &modules::IMPLEMENTED).unwrap();
    let top = |name: &str| {
        let module = schema.top().iter().copied();
        module
            .into_iter()
            .find(|id| schema.qualified_name(*id) == name)
            .unwrap()
    };
    let roots = Roots {
        main: top("twinpath-measurement:measurement"),
        tables: vec![
            ("nacm".into(), top("ietf-netconf-acm:nacm")),
            ("twamp".into(), top("ietf-twamp:twamp")),
        ],
    };
    (schema, roots)
}

fn read(schema: &Schema, roots: &Roots, files: &[(&str, &str)]) -> (Children, Vec<String>) {
    let mut reader = Reader::new(schema, roots);
    for (file, text) in files {
        reader.add(file, text);
    }
    let (document, mut faults) = reader.finish();
    let later = validate(schema, &document.root, Scope::Config);
    faults.extend(later.into_iter().map(|fault| document.locate(fault)));
    (
        document.root,
        faults.iter().map(ToString::to_string).collect(),
    )
}

const FILE: &str = r#"
[daemon]
name = "probe1"

[[responder]]
name = "light"
address = "127.0.0.1:20001"

[[session]]
name = "fra-core1"
address = "192.0.2.1:862"
protocol = "stamp"
interval = "1s"
labels = { site = "fra" }

[nacm]
enable-nacm = false

[[nacm.rule-list]]
name = "all"
group = "*"

[[nacm.rule-list.rule]]
name = "read"
access-operations = "read"
action = "permit"

[twamp.server]
servwait = 60
"#;

#[test]
fn a_file_of_all_modules_is_read_and_written() {
    let (schema, roots) = daemon();
    let (root, faults) = read(&schema, &roots, &[("a.toml", FILE)]);
    assert_eq!(faults, Vec::<String>::new());
    let written = write(&schema, &roots, &root);
    let (again, faults) = read(&schema, &roots, &[("a.toml", &written)]);
    assert_eq!((&again, faults), (&root, Vec::new()));
    let path = Path::parse(&schema, "/ietf-twamp:twamp/server/servwait").unwrap();
    assert_eq!(root.value(&schema, &path).unwrap().as_u64(), Some(60));
}
