//! Why modules cannot be loaded.

/// What is wrong in a module, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{module}, line {line}: {what}")]
pub struct SchemaError {
    /// Name of the module; of a text that has none, `text N` with its place from 1.
    pub module: Box<str>,
    /// From 1; 0 where no line of it is wrong.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}
