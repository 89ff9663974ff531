//! What is shown of a datastore.

use super::datastores::Context;
use super::operation::{Selection, WithDefaults};
use super::reply::Reply;
use crate::filter::Filter;
use crate::tree::{Children, DefaultsMode, Scope};
use crate::xml::WriteOptions;

impl Selection {
    /// The reply with what it selects of a tree, such as what is in force with the state: of that which the user may read,
    /// with defaults of configuration as it says (RFC 6243, RFC 8341 section 3.2.4).
    pub fn reply(&self, context: &Context<'_>, reply: &Reply, root: &Children) -> String {
        let mode = match self.defaults {
            None => DefaultsMode::Explicit,
            Some(WithDefaults::Mode(mode)) => mode,
            Some(WithDefaults::Tagged) => DefaultsMode::ReportAll,
        };
        let schema = context.schema;
        let full = root.with_defaults(schema, mode, Scope::Config);
        let visible = context.access.visible(schema, context.user, &full);
        let shown = match &self.filter {
            None => visible,
            Some(filters) => Filter::apply(schema, &visible, filters),
        };
        let explicit = (self.defaults == Some(WithDefaults::Tagged)).then_some(root);
        let options = WriteOptions {
            explicit,
            ..WriteOptions::default()
        };
        reply.data(schema, &shown, &options)
    }
}
