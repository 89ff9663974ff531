//! Namespaces that are declared around an element.

use std::sync::Arc;

/// Declarations around an element, at most.
pub(super) const MAX_DECLARATIONS: usize = 256;

/// The declarations that apply to an element, the nearest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(Option<Arc<Declaration>>);

#[derive(Debug)]
struct Declaration {
    /// `None` for the default namespace.
    prefix: Option<Box<str>>,
    /// `None` where the default namespace is taken away.
    namespace: Option<Arc<str>>,
    count: usize,
    outer: Scope,
}

impl Scope {
    /// How many declarations there are.
    pub(super) fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |nearest| nearest.count)
    }

    pub(super) fn declare(&mut self, prefix: Option<&str>, namespace: &str) {
        let outer = std::mem::take(self);
        self.0 = Some(Arc::new(Declaration {
            prefix: prefix.map(Into::into),
            namespace: (!namespace.is_empty()).then(|| namespace.into()),
            count: outer.count() + 1,
            outer,
        }));
    }

    /// All declarations, the nearest first: prefix and namespace.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let nearest = self.0.as_deref();
        let all = std::iter::successors(nearest, |it| it.outer.0.as_deref());
        all.map(|it| {
            let namespace = it.namespace.as_deref().unwrap_or_default();
            (it.prefix.as_deref(), namespace)
        })
    }

    /// The namespace of a prefix, or the default one.
    pub(super) fn namespace(&self, prefix: Option<&str>) -> Option<&Arc<str>> {
        let mut at = self;
        while let Some(nearest) = &at.0 {
            if nearest.prefix.as_deref() == prefix {
                return nearest.namespace.as_ref();
            }
            at = &nearest.outer;
        }
        None
    }
}
