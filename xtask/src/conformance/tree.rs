//! Where a test named in the document stands.

/// The sources by their paths from the root.
pub(super) struct Tree<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
}

/// A module: the text it is in, from where it begins there.
struct Module {
    path: String,
    text: String,
}

impl<'a> Tree<'a> {
    pub(super) fn new(read: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { read }
    }

    /// # Errors
    /// What is wrong with the name, when there is no such test.
    pub(super) fn find_test(&self, name: &str) -> Result<(), String> {
        let module = name.rsplit_once("::").filter(|(it, _)| it.contains("::"));
        let Some((module, function)) = module else {
            return Err(format!("{name}: no module between crate and function"));
        };
        let module = self.module(module)?;
        is_test(&module.text, function).map_err(|what| format!("{name}: {what} in {}", module.path))
    }

    /// # Errors
    /// What is wrong with the name, when there is no such module.
    pub(super) fn find_module(&self, name: &str) -> Result<(), String> {
        self.module(name).map(|_| ())
    }

    fn module(&self, name: &str) -> Result<Module, String> {
        let mut parts = name.split("::");
        let package = match parts.next() {
            Some("twinpath") => "twinpath".to_owned(),
            part => format!("twinpath-{}", part.unwrap_or_default()),
        };
        let parts: Vec<&str> = parts.collect();
        let roots: &[&str] = if parts.contains(&"tests") {
            &["src/lib.rs", "src/main.rs"]
        } else {
            &["tests/it/main.rs"]
        };
        let found = roots
            .iter()
            .find_map(|root| self.file(format!("crates/{package}/{root}")));
        let Some(mut module) = found else {
            return Err(format!(
                "{name}: crate {package} has no {}",
                roots.join(" or ")
            ));
        };
        for part in parts {
            module = self
                .child(&module, part)
                .ok_or_else(|| format!("{name}: no module {part} in {}", module.path))?;
        }
        Ok(module)
    }

    /// The module `name` that `parent` declares, in place or in a file.
    fn child(&self, parent: &Module, name: &str) -> Option<Module> {
        let declared = |end: &str| {
            let wanted = format!("mod {name}{end}");
            let mut at = 0;
            for line in parent.text.split_inclusive('\n') {
                at += line.len();
                let line = line.trim();
                let bare = line.rsplit_once("mod ").map_or("", |(before, _)| before);
                let public = ["", "pub ", "pub(crate) ", "pub(super) "].contains(&bare);
                if public && line.ends_with(&wanted) {
                    return Some(at);
                }
            }
            None
        };
        if let Some(at) = declared(" {") {
            return Some(Module {
                path: parent.path.clone(),
                text: parent.text.get(at..)?.to_owned(),
            });
        }
        declared(";")?;
        let (directory, file) = parent.path.rsplit_once('/')?;
        let own = match file {
            "main.rs" | "lib.rs" | "mod.rs" => directory.to_owned(),
            _ => parent.path.strip_suffix(".rs")?.to_owned(),
        };
        self.file(format!("{own}/{name}.rs"))
            .or_else(|| self.file(format!("{own}/{name}/mod.rs")))
    }

    fn file(&self, path: String) -> Option<Module> {
        let text = (self.read)(&path)?;
        Some(Module { path, text })
    }
}

/// Whether `function` is in `text` with the attribute of a test on it, and is not ignored.
fn is_test(text: &str, function: &str) -> Result<(), String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let head = |line: &&str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        let rest = line
            .strip_prefix("fn ")
            .and_then(|it| it.strip_prefix(function));
        rest.is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let Some(at) = lines.iter().position(head) else {
        return Err("there is no such function".to_owned());
    };
    let above = lines.iter().take(at).rev();
    let attributes: Vec<&&str> = above
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .filter(|line| line.starts_with("#["))
        .collect();
    let has = |starts: &[&str]| {
        attributes
            .iter()
            .any(|line| starts.iter().any(|start| line.starts_with(start)))
    };
    if !has(&["#[test]", "#[tokio::test]", "#[tokio::test("]) {
        return Err("the function is not a test".to_owned());
    }
    if has(&["#[ignore"]) {
        return Err("the test is ignored".to_owned());
    }
    Ok(())
}
