//! Ranges and lengths (RFC 7950 sections 9.2.4 and 9.4.4).

use crate::value::Decimal;

/// Allowed numbers: parts in ascending order, without overlap. Decimals are scaled by their fraction digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// First and last number of each part.
    pub parts: Vec<(i128, i128)>,
    /// Message that the module gives for it.
    pub message: Option<Box<str>>,
    /// Value of `error-app-tag`.
    pub app_tag: Option<Box<str>>,
}

impl Ranges {
    /// One part.
    pub(super) fn of(first: i128, last: i128) -> Self {
        Self {
            parts: vec![(first, last)],
            message: None,
            app_tag: None,
        }
    }

    /// Whether a number is in one of the parts.
    pub fn contain(&self, number: i128) -> bool {
        self.parts
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// The numbers that an expression leaves of these. `digits`: fraction digits of a decimal.
    pub(super) fn restrict(&self, expression: &str, digits: Option<u8>) -> Result<Self, String> {
        let fail = |what: &str| format!("{expression}: {what}");
        let (Some((min, _)), Some((_, max))) = (self.parts.first(), self.parts.last()) else {
            return Err(fail("nothing to restrict"));
        };
        let bound = |text: &str| match text.trim() {
            "min" => Ok(*min),
            "max" => Ok(*max),
            number => match digits {
                Some(digits) => Decimal::parse(number, digits).map(|it| i128::from(it.scaled)),
                None => number.parse().ok(),
            }
            .ok_or_else(|| fail("not a range")),
        };
        let mut parts: Vec<(i128, i128)> = Vec::new();
        for part in expression.split('|') {
            let (first, last) = match part.split_once("..") {
                Some((first, last)) => (bound(first)?, bound(last)?),
                None => (bound(part)?, bound(part)?),
            };
            if first > last || parts.last().is_some_and(|(_, before)| first <= *before) {
                return Err(fail("not in ascending order"));
            }
            let within = |(from, to): &(i128, i128)| *from <= first && last <= *to;
            if !self.parts.iter().any(within) {
                return Err(fail("more than the type has that it restricts"));
            }
            parts.push((first, last));
        }
        Ok(Self {
            parts,
            message: None,
            app_tag: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    /// RFC 7950 section 9.2.5.
    #[test]
    fn the_example_of_the_rfc() {
        let int32 = Ranges::of(i128::from(i32::MIN), i128::from(i32::MAX));
        let base = int32.restrict("1..4 | 10..20", None).unwrap();
        let narrowed = base.restrict("11..max", None).unwrap();
        assert_eq!(narrowed.parts, [(11, 20)]);
        for wrong in ["11..100", "5..6", "3..1", "1|1", "", "a", "1..2..3"] {
            assert!(base.restrict(wrong, None).is_err(), "{wrong}");
        }
    }

    /// RFC 7950 section 9.3.5.
    #[test]
    fn decimals_are_scaled() {
        let all = Ranges::of(i128::from(i64::MIN), i128::from(i64::MAX));
        let ranges = all.restrict("1 .. 3.14 | 10 | 20..max", Some(2)).unwrap();
        assert_eq!(
            ranges.parts,
            [(100, 314), (1000, 1000), (2000, i128::from(i64::MAX))]
        );
    }
}
