//! From texts to a schema: modules, imports, features, identities, then nodes.

use std::collections::HashMap;
use std::sync::Arc;

use super::build::Builder;
use super::{Feature, Identity, IdentityId, Import, Module, ModuleId, Schema, SchemaError};
use super::{features, grammar, index, number};
use crate::statement::{self, Statement, is_identifier};

/// Features that need each other, at most.
const MAX_FEATURE_DEPTH: usize = 16;

pub(super) fn load(
    sources: &[&str],
    implemented: &[&str],
    is_supported: &dyn Fn(&str, &str) -> bool,
) -> Result<Schema, SchemaError> {
    let mut roots = Vec::new();
    for (at, text) in sources.iter().enumerate() {
        roots.push(parse(at, text)?);
    }
    let mut modules = Vec::new();
    let mut names: HashMap<Arc<str>, ModuleId> = HashMap::new();
    for (root, text) in roots.iter().zip(sources) {
        let module = module(root, text, implemented.contains(&root.arg()))?;
        let id = ModuleId(number(modules.len()));
        if names.insert(Arc::clone(&module.name), id).is_some() {
            return Err(fail(root, root, "the module twice"));
        }
        modules.push(module);
    }
    if let Some(name) = implemented.iter().find(|name| !names.contains_key(**name)) {
        return Err(SchemaError {
            module: (*name).into(),
            line: 0,
            what: "its text is missing".to_owned(),
        });
    }
    for (root, module) in roots.iter().zip(&mut modules) {
        module.imports = imports(root, &roots, &names)?;
    }
    check_cycles(&roots, &modules)?;
    let statements: Vec<&Statement> = roots.iter().collect();
    let mut builder = Builder::new(modules, statements, names);
    builder.load_features(is_supported)?;
    builder.load_identities()?;
    builder.build()
}

fn parse(at: usize, text: &str) -> Result<Statement, SchemaError> {
    let root = statement::parse(text).map_err(|error| SchemaError {
        module: format!("text {}", at + 1).into(),
        line: error.line,
        what: error.what,
    })?;
    if root.is("submodule") {
        return Err(fail(&root, &root, "submodules are not supported"));
    }
    if !root.is("module") || !is_identifier(root.arg()) {
        return Err(fail(
            &root,
            &root,
            "not a module: write module NAME { ... }",
        ));
    }
    grammar::check(&root).map_err(|(line, what)| SchemaError {
        module: root.arg().into(),
        line,
        what,
    })?;
    Ok(root)
}

fn fail(root: &Statement, at: &Statement, what: impl Into<String>) -> SchemaError {
    SchemaError {
        module: root.arg().into(),
        line: at.line,
        what: what.into(),
    }
}

fn module(root: &Statement, text: &str, is_implemented: bool) -> Result<Module, SchemaError> {
    let needed = |keyword: &str| {
        root.text(keyword)
            .ok_or_else(|| fail(root, root, format!("{keyword} is missing")))
    };
    if let Some(version) = root.find("yang-version")
        && !matches!(version.arg(), "1" | "1.1")
    {
        return Err(fail(
            root,
            version,
            format!("yang-version {}", version.arg()),
        ));
    }
    Ok(Module {
        name: root.arg().into(),
        namespace: needed("namespace")?.into(),
        prefix: needed("prefix")?.into(),
        revision: root
            .all("revision")
            .map(Statement::arg)
            .max()
            .map(Into::into),
        text: text.into(),
        features: Vec::new(),
        is_implemented,
        imports: Vec::new(),
        deviated_by: Vec::new(),
    })
}

fn imports(
    root: &Statement,
    roots: &[Statement],
    names: &HashMap<Arc<str>, ModuleId>,
) -> Result<Vec<Import>, SchemaError> {
    let mut imports: Vec<Import> = Vec::new();
    for import in root.all("import") {
        let module = names.get(import.arg()).copied();
        let module = module.ok_or_else(|| {
            let what = format!("import of {}, whose text is missing", import.arg());
            fail(root, import, what)
        })?;
        let prefix = import
            .text("prefix")
            .ok_or_else(|| fail(root, import, "prefix is missing"))?;
        if imports.iter().any(|it| &*it.prefix == prefix) || root.text("prefix") == Some(prefix) {
            return Err(fail(root, import, format!("the prefix {prefix} twice")));
        }
        if let Some(date) = import.text("revision-date") {
            let imported = roots.get(index(module.0));
            let is_there = imported.is_some_and(|it| it.all("revision").any(|it| it.arg() == date));
            if !is_there {
                let what = format!("import of {} of {date}, which it is not", import.arg());
                return Err(fail(root, import, what));
            }
        }
        imports.push(Import {
            prefix: prefix.into(),
            module,
        });
    }
    Ok(imports)
}

/// Modules must not import each other (RFC 7950 section 5.1).
fn check_cycles(roots: &[Statement], modules: &[Module]) -> Result<(), SchemaError> {
    let mut is_done = vec![false; modules.len()];
    loop {
        let done = |id: ModuleId, is_done: &[bool]| is_done.get(index(id.0)) == Some(&true);
        let next = modules.iter().enumerate().find(|(at, module)| {
            is_done.get(*at) == Some(&false)
                && module.imports.iter().all(|it| done(it.module, &is_done))
        });
        match next {
            Some((at, _)) => {
                if let Some(flag) = is_done.get_mut(at) {
                    *flag = true;
                }
            }
            None => break,
        }
    }
    let mut left = roots.iter().zip(&is_done);
    match left.find(|(_, is_done)| !**is_done) {
        Some((root, _)) => Err(fail(root, root, "it imports itself through others")),
        None => Ok(()),
    }
}

impl Builder<'_> {
    fn load_features(
        &mut self,
        is_supported: &dyn Fn(&str, &str) -> bool,
    ) -> Result<(), SchemaError> {
        for (at, root) in self.roots.clone().into_iter().enumerate() {
            let id = ModuleId(number(at));
            for feature in root.all("feature") {
                let is_supported = self.feature(id, feature.arg(), is_supported, 0);
                let is_supported = is_supported.map_err(|what| fail(root, feature, what))?;
                let name = feature.arg().into();
                if let Some(module) = self.modules.get_mut(at) {
                    module.features.push(Feature { name, is_supported });
                }
            }
        }
        Ok(())
    }

    fn feature(
        &self,
        module: ModuleId,
        name: &str,
        is_supported: &dyn Fn(&str, &str) -> bool,
        depth: usize,
    ) -> Result<bool, String> {
        if depth > MAX_FEATURE_DEPTH {
            return Err("features that need each other".to_owned());
        }
        let (module, local) = self
            .resolve(name, module)
            .ok_or_else(|| format!("{name}: not the prefix of an imported module"))?;
        let (root, of) = self.root(module).ok_or("no module")?;
        let feature = root
            .all("feature")
            .find(|it| it.arg() == local)
            .ok_or_else(|| format!("{name}: unknown feature"))?;
        let mut holds = of.is_implemented && is_supported(&of.name, local);
        for condition in feature.all("if-feature") {
            let mut look_up = |name: &str| self.feature(module, name, is_supported, depth + 1);
            holds &= features::evaluate(condition.arg(), &mut look_up)?;
        }
        Ok(holds)
    }

    /// Identities so that each comes after those that it is derived from.
    fn load_identities(&mut self) -> Result<(), SchemaError> {
        let mut left = Vec::new();
        for (at, root) in self.roots.clone().into_iter().enumerate() {
            for identity in root.all("identity") {
                left.push((ModuleId(number(at)), root, identity));
            }
        }
        while !left.is_empty() {
            let before = left.len();
            let mut later = Vec::new();
            for (module, root, statement) in left {
                let bases = statement
                    .all("base")
                    .map(|it| self.find_identity(it.arg(), module));
                let Some(bases) = bases.collect::<Option<Vec<_>>>() else {
                    later.push((module, root, statement));
                    continue;
                };
                let name: Box<str> = statement.arg().into();
                let id = IdentityId(number(self.identities.len()));
                if self
                    .identity_names
                    .insert((module, name.clone()), id)
                    .is_some()
                {
                    return Err(fail(root, statement, "the identity twice"));
                }
                self.identities.push(Identity {
                    module,
                    name,
                    bases,
                });
            }
            left = later;
            if left.len() == before
                && let Some((_, root, statement)) = left.first()
            {
                let what = format!("{}: a base is unknown, or derived from it", statement.arg());
                return Err(fail(root, statement, what));
            }
        }
        Ok(())
    }
}
