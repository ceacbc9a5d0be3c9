//! The words that dracut and systemd read in an initramfs: the kernel's command
//! line, and what the image adds to it (dracut.cmdline(7)).

use crate::facts::initramfs::Image;

/// All of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    kernel: Option<&'a str>,
    image: &'a str,
}

impl<'a> Words<'a> {
    /// The kernel's may not be known.
    pub(super) fn of(image: &'a Image, kernel: Option<&'a str>) -> Self {
        Self {
            kernel,
            image: &image.command_line,
        }
    }

    /// True when there can be no others.
    pub(super) fn is_known(self) -> bool {
        self.kernel.is_some()
    }

    fn words(self) -> impl Iterator<Item = &'a str> {
        let kernel = self.kernel.unwrap_or_default().split_whitespace();
        kernel.chain(self.image.split_whitespace())
    }

    /// True when the word stands there as it is.
    pub(super) fn has(self, wanted: &str) -> bool {
        self.words().any(|word| word == wanted)
    }

    /// The values of all words with one of these keys.
    pub(super) fn all(self, keys: &[&str]) -> Vec<&'a str> {
        let value = |word: &'a str| {
            let (key, value) = word.split_once('=')?;
            keys.contains(&key).then_some(value)
        };
        self.words().filter_map(value).collect()
    }

    /// The last value of a word.
    fn last(self, key: &str) -> Option<&'a str> {
        self.all(&[key]).pop()
    }

    /// True for `key=0` and its like.
    pub(super) fn is_off(self, key: &str) -> bool {
        self.last(key).is_some_and(is_no)
    }

    /// True when everything that is found is to be assembled.
    pub(super) fn auto(self) -> bool {
        self.has("rd.auto") || self.last("rd.auto").is_some_and(|value| !is_no(value))
    }
}

fn is_no(value: &str) -> bool {
    matches!(value, "0" | "no" | "off")
}
