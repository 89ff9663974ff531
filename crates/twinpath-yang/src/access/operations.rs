//! Who may run operations and receive notifications.

use super::rule::Right;
use super::{Access, User};
use crate::fault::{Fault, FaultKind};
use crate::schema::{Kind, Schema};
use crate::tree::Path;

impl Access {
    /// Whether a user may run an operation (RFC 8341 sections 3.4.4 and 3.4.5): an RPC, whose path is one step, or an
    /// action, for which all nodes above it must be readable. It need not exist.
    ///
    /// # Errors
    ///
    /// [`FaultKind::AccessDenied`], to be counted as a denied operation.
    pub fn may_run(&self, schema: &Schema, user: User<'_>, path: &Path) -> Result<(), Fault> {
        let decision = self.decision(schema, user);
        let steps = path.steps();
        let Some((last, above)) = steps.split_last() else {
            return Ok(());
        };
        let node = schema.node(last.node);
        let is_permitted = if matches!(node.kind, Kind::Rpc) {
            let module = &schema.module(node.module).name;
            decision.permits_rpc(module, &node.name, Some(last.node))
        } else {
            decision.readable(above) == above.len() && decision.permits(Right::Exec, steps)
        };
        if is_permitted {
            return Ok(());
        }
        let what = format!("{}: {} may not run it", node.name, user.shown());
        Err(Fault::new(path, FaultKind::AccessDenied, what))
    }

    /// Whether a user may run an RPC that the schema need not have, such as NETCONF's own (module `ietf-netconf`).
    ///
    /// # Errors
    ///
    /// As [`Access::may_run`], with an empty path if the schema does not have the operation.
    pub fn may_run_named(
        &self,
        schema: &Schema,
        user: User<'_>,
        module: &str,
        name: &str,
    ) -> Result<(), Fault> {
        let own = schema.module_named(module);
        let node = own.and_then(|own| schema.action(None, Some(own), name));
        if self.decision(schema, user).permits_rpc(module, name, node) {
            return Ok(());
        }
        let mut path = Path::root();
        if let Some(node) = node {
            path.push(node, crate::tree::Select::All);
        }
        let what = format!("{name}: {} may not run it", user.shown());
        Err(Fault::new(&path, FaultKind::AccessDenied, what))
    }

    /// Whether a user may receive a notification (RFC 8341 section 3.4.6); its path is one step, or leads to the node that
    /// it is in. If not, it is dropped and counted as a denied notification.
    pub fn may_notify(&self, schema: &Schema, user: User<'_>, path: &Path) -> bool {
        let decision = self.decision(schema, user);
        match path.steps() {
            [] => true,
            [only] => decision.permits_notification(only.node),
            steps => decision.readable(steps) == steps.len(),
        }
    }
}
