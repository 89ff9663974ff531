//! How often access was denied.

use std::sync::atomic::{AtomicU32, Ordering};

use super::MODULE;
use crate::schema::Schema;
use crate::tree::{Children, Data};
use crate::value::Value;

/// How often access was denied since the start; each counts modulo 2^32 (RFC 8341, `zero-based-counter32`).
#[derive(Debug, Default)]
pub struct Counters {
    operations: AtomicU32,
    data_writes: AtomicU32,
    notifications: AtomicU32,
}

impl Counters {
    /// Counts an operation that was denied.
    pub fn add_operation(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an operation that was denied because of what it would have changed.
    pub fn add_data_write(&self) {
        self.data_writes.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a notification that was not sent.
    pub fn add_notification(&self) {
        self.notifications.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts them into a tree of state, at its root. A schema without the module leaves it as it is.
    pub fn fill(&self, schema: &Schema, root: &mut Children) {
        let module = schema.module_named(MODULE);
        let nacm = module.and_then(|module| schema.child(None, Some(module), "nacm"));
        let Some(nacm) = nacm else {
            return;
        };
        let counters = [
            ("denied-operations", &self.operations),
            ("denied-data-writes", &self.data_writes),
            ("denied-notifications", &self.notifications),
        ];
        for (name, counter) in counters {
            let leaf = schema.child(Some(nacm), None, name);
            if let (Some(leaf), Some(content)) = (leaf, root.container_mut(nacm)) {
                let number = counter.load(Ordering::Relaxed).into();
                content.insert(leaf, Data::Leaf(Value::Uint(number)));
            }
        }
    }
}
