//! Bytes as hexadecimal digits in lower case, for names and for logs.

use std::fmt::{self, Write};

/// Returns the digits of `bytes`, two for each byte.
pub(crate) fn digits(bytes: &[u8]) -> impl Iterator<Item = char> {
    bytes.iter().flat_map(|&byte| pair(byte)).map(char::from)
}

/// Returns the digits of one byte, in ASCII.
pub(crate) fn pair(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    [digit(byte >> 4), digit(byte & 15)]
}

/// Prints the digits of these bytes.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        digits(self.0).try_for_each(|digit| f.write_char(digit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_two_digits_in_lower_case() {
        assert_eq!(Hex(&[0x00, 0x0f, 0xa7, 0xff]).to_string(), "000fa7ff");
        assert_eq!(Hex(&[]).to_string(), "");
        assert_eq!([0x0f, 0xa7].map(pair).as_flattened(), b"0fa7");
    }
}
