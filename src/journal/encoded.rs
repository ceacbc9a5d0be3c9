//! File names in JSON: any bytes, readable where they can be.
//!
//! Names on Linux are bytes, JSON strings are text. What is no UTF-8, a
//! control character or `%` itself is written `%XX`; everything else stands as
//! it is. For serde: `#[serde(with = "encoded")]` on a `PathBuf`.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// The text for a path.
pub fn encode(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter == '%' || letter.is_control() {
                escape(&mut text, letter.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(letter);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "%{byte:02X}");
    }
}

/// The path for a text; `None` when a `%` is not followed by two hex digits.
pub fn decode(text: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = tail.get(..2)?;
            let value = |digit: u8| char::from(digit).to_digit(16);
            let byte = value(digits[0])? * 16 + value(digits[1])?;
            bytes.push(u8::try_from(byte).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

/// The same for a path that need not be there.
pub mod optional {
    use super::{Deserialize, Deserializer, Error, PathBuf, Serializer, decode, encode};

    /// For serde's `with`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
        match path {
            Some(path) => to.serialize_some(&encode(path)),
            None => to.serialize_none(),
        }
    }

    /// For serde's `with`.
    ///
    /// # Errors
    /// The deserializer's, or text that is no encoded path.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let path = decode(&text);
        let wrong = || D::Error::custom(format!("{text:?} is no encoded path"));
        path.map(Some).ok_or_else(wrong)
    }
}

/// For serde's `with`.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&encode(path))
}

/// Writes several, for `#[serde(serialize_with)]`.
///
/// # Errors
/// The serializer's.
pub fn all<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(paths.iter().map(|path| encode(path)))
}

/// For serde's `with`.
///
/// # Errors
/// The deserializer's, or text that is no encoded path.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    let text = String::deserialize(from)?;
    decode(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no encoded path")))
}
