//! The canonical text of values.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Value;
use crate::schema::Schema;

impl Schema {
    /// The canonical text of a value (RFC 7950 section 9); identities and paths with names of modules, as in JSON.
    pub fn text<'v>(&self, value: &'v Value) -> Cow<'v, str> {
        match value {
            Value::Int(number) => number.to_string().into(),
            Value::Uint(number) => number.to_string().into(),
            Value::Decimal(number) => number.to_string().into(),
            Value::String(text) => Cow::Borrowed(text),
            Value::Binary(octets) => STANDARD.encode(octets).into(),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Empty => Cow::Borrowed(""),
            Value::Enum(word) => Cow::Borrowed(word),
            Value::Bits(words) => words.join(" ").into(),
            Value::Identity(id) => {
                let identity = self.identity(*id);
                format!("{}:{}", self.module(identity.module).name, identity.name).into()
            }
            Value::Instance(path) => path.text(self).into(),
        }
    }
}
