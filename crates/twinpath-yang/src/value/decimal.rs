//! Numbers with a fixed count of digits after the point (RFC 7950 section 9.3).

use std::fmt;

/// A `decimal64`: `scaled` / 10^`digits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The number without its point.
    pub scaled: i64,
    /// Digits after the point, 1 to 18.
    pub digits: u8,
}

impl Decimal {
    /// A number as YANG writes it: `[+-]digits[.digits]`. `None` if it is not one, has more digits after the point that
    /// are not 0, or is too large.
    pub fn parse(text: &str, digits: u8) -> Option<Self> {
        let (sign, number) = match text.as_bytes().first()? {
            b'-' => (-1, text.get(1..)?),
            b'+' => (1, text.get(1..)?),
            _ => (1, text),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (number, ""),
        };
        Self::from_parts(sign, whole, fraction, 0, digits)
    }

    /// A floating-point number as TOML and others write it, with an exponent; the same limits as [`Decimal::parse`].
    pub fn parse_float(text: &str, digits: u8) -> Option<Self> {
        let plain = text.replace('_', "");
        let Some((mantissa, exponent)) = plain.split_once(['e', 'E']) else {
            return Self::parse(&plain, digits);
        };
        let (sign, number) = match mantissa.as_bytes().first()? {
            b'-' => (-1, mantissa.get(1..)?),
            b'+' => (1, mantissa.get(1..)?),
            _ => (1, mantissa),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        Self::from_parts(sign, whole, fraction, exponent.parse().ok()?, digits)
    }

    fn from_parts(
        sign: i64,
        whole: &str,
        fraction: &str,
        exponent: i32,
        digits: u8,
    ) -> Option<Self> {
        let is_digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
        if whole.is_empty()
            || !is_digits(whole)
            || !is_digits(fraction)
            || !(1..=18).contains(&digits)
        {
            return None;
        }
        // Power of ten of the last digit written.
        let mut power = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let mut all = format!("{whole}{fraction}");
        while all.ends_with('0') {
            all.pop();
            power = power.checked_add(1)?;
        }
        if all.is_empty() {
            return Some(Self { scaled: 0, digits });
        }
        let zeros = usize::try_from(power.checked_add(i32::from(digits))?).ok()?;
        let leading = all.trim_start_matches('0');
        if leading.len() + zeros > 19 {
            return None;
        }
        let scaled: i128 = format!("{leading}{}", "0".repeat(zeros)).parse().ok()?;
        let scaled = i64::try_from(scaled * i128::from(sign)).ok()?;
        Some(Self { scaled, digits })
    }
}

/// The canonical form: at least one digit on each side of the point (RFC 7950 section 9.3.2).
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10_u64.pow(u32::from(self.digits.min(18)));
        let number = self.scaled.unsigned_abs();
        let sign = if self.scaled < 0 { "-" } else { "" };
        let width = usize::from(self.digits);
        let fraction = format!("{:0width$}", number % scale);
        let fraction = fraction.trim_end_matches('0');
        let fraction = if fraction.is_empty() { "0" } else { fraction };
        write!(f, "{sign}{}.{fraction}", number / scale)
    }
}
