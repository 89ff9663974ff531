use super::licences::{allowed, permits};
use super::{Dependency, Package, missing, order};

#[test]
fn a_choice_needs_one_allowed_licence_and_a_sum_all() {
    let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"]
        .map(str::to_owned)
        .into();
    for expression in [
        "MIT",
        "MIT OR GPL-3.0",
        "MIT/Apache-2.0",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        "GPL-3.0 OR MIT AND Apache-2.0",
    ] {
        assert!(permits(expression, &allowed), "{expression}");
    }
    for expression in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR Apache-2.0) AND MPL-2.0",
        "MIT Apache-2.0",
        "(MIT",
        "MIT OR",
    ] {
        assert!(!permits(expression, &allowed), "{expression}");
    }
}

#[test]
fn the_list_of_deny_toml_is_read() {
    let allowed = allowed(&crate::root()).unwrap();
    assert!(allowed.contains("MIT") && !allowed.contains("GPL-3.0"));
}

fn package(name: &str, needs: &[&str]) -> Package {
    let dependency = |name: &&str| Dependency {
        name: (*name).to_owned(),
        req: "^1.0.0".to_owned(),
        kind: None,
        path: Some("..".into()),
    };
    Package {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        description: Some("what it is".to_owned()),
        license: Some("MIT".to_owned()),
        readme: Some("Cargo.toml".into()),
        keywords: vec!["one".to_owned()],
        categories: vec!["two".to_owned()],
        dependencies: needs.iter().map(dependency).collect(),
        manifest_path: crate::root().join("Cargo.toml"),
        ..Package::default()
    }
}

#[test]
fn a_crate_comes_after_those_it_needs_and_a_circle_is_an_error() {
    let mut members = vec![
        package("all", &["middle", "base"]),
        package("middle", &["base"]),
        package("base", &[]),
        package("task", &["all"]),
    ];
    members[3].publish = Some(Vec::new());
    let names: Vec<&str> = order(&members)
        .unwrap()
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(names, ["base", "middle", "all"]);

    // What only tests need may come later.
    members[2] = package("base", &["all"]);
    assert!(order(&members).is_err());
    members[2].dependencies[0].kind = Some("dev".to_owned());
    assert_eq!(order(&members).unwrap().len(), 3);
}

#[test]
fn each_missing_field_is_named() {
    let whole = package("it", &["base"]);
    let members = [whole.clone(), package("base", &[])];
    assert_eq!(missing(&whole, &members), [""; 0]);
    let faults = |change: fn(&mut Package)| {
        let mut package = whole.clone();
        change(&mut package);
        missing(&package, &members).join("; ")
    };
    assert_eq!(faults(|it| it.description = None), "it: no description");
    assert_eq!(faults(|it| it.license = None), "it: no license");
    assert_eq!(
        faults(|it| it.readme = Some("NONE.md".into())),
        "it: no readme, or not the file that it names"
    );
    assert_eq!(faults(|it| it.categories.clear()), "it: no categories");
    assert_eq!(
        faults(|it| it.keywords = vec![String::new(); 6]),
        "it: not one to five keywords"
    );
    assert_eq!(
        faults(|it| it.dependencies[0].req = "*".to_owned()),
        "it: base 1.0.0 is needed by \"*\""
    );
    let mut unpublished = members.clone();
    unpublished[1].publish = Some(Vec::new());
    assert_eq!(
        missing(&whole, &unpublished),
        ["it: it needs base, which is not published"]
    );
}
