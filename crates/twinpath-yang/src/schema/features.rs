//! `if-feature` expressions (RFC 7950 section 7.20.2).

/// Parentheses and `not` within each other, at most.
const MAX_DEPTH: usize = 32;

/// Whether an expression holds; `is_supported` looks up a feature by its name with prefix.
///
/// # Errors
///
/// What is wrong with the expression, or what `is_supported` says.
pub(super) fn evaluate(
    expression: &str,
    is_supported: &mut dyn FnMut(&str) -> Result<bool, String>,
) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let mut words = Words {
        left: spaced.split_whitespace().peekable(),
        is_supported,
    };
    let holds = words.any(0)?;
    match words.left.next() {
        Some(word) => Err(format!("if-feature {expression}: {word} is not expected")),
        None => Ok(holds),
    }
}

struct Words<'a, 'f> {
    left: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
    is_supported: &'f mut dyn FnMut(&str) -> Result<bool, String>,
}

impl Words<'_, '_> {
    fn any(&mut self, depth: usize) -> Result<bool, String> {
        let mut holds = self.all(depth)?;
        while self.left.next_if_eq(&"or").is_some() {
            holds |= self.all(depth)?;
        }
        Ok(holds)
    }

    fn all(&mut self, depth: usize) -> Result<bool, String> {
        let mut holds = self.one(depth)?;
        while self.left.next_if_eq(&"and").is_some() {
            holds &= self.one(depth)?;
        }
        Ok(holds)
    }

    fn one(&mut self, depth: usize) -> Result<bool, String> {
        if depth > MAX_DEPTH {
            return Err("if-feature: too many parentheses".to_owned());
        }
        match self.left.next() {
            Some("not") => Ok(!self.one(depth + 1)?),
            Some("(") => {
                let holds = self.any(depth + 1)?;
                match self.left.next() {
                    Some(")") => Ok(holds),
                    _ => Err("if-feature: ) is missing".to_owned()),
                }
            }
            Some(word @ (")" | "and" | "or")) => {
                Err(format!("if-feature: {word} where a feature is expected"))
            }
            Some(name) => (self.is_supported)(name),
            None => Err("if-feature: a feature is missing".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn precedence_is_not_and_or() {
        let mut only_a = |name: &str| Ok(name == "a");
        for (expression, holds) in [
            ("a", true),
            ("x:b", false),
            ("a or b and b", true),
            ("(a or b) and b", false),
            ("not b and a", true),
            ("not (b or a)", false),
            ("not not a", true),
        ] {
            assert_eq!(evaluate(expression, &mut only_a), Ok(holds), "{expression}");
        }
        for wrong in ["", "a b", "(a", "a)", "a and", "or", &"(".repeat(100_000)] {
            assert!(evaluate(wrong, &mut only_a).is_err(), "{wrong}");
        }
    }
}
