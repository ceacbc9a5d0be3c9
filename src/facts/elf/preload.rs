//! `/etc/ld.so.preload`: objects that go into every program.

use crate::sys::root_dir::RootDir;

/// Most names taken, and most bytes read.
const NAMES_MAX: usize = 64;
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The names in the file at `path`; a missing file has none.
pub(super) fn read(root: &RootDir, path: &str) -> Vec<String> {
    parse(&root.read_text(path, FILE_BYTES_MAX).unwrap_or_default())
}

/// Names stand between white space and colons; `#` begins a comment
/// (glibc elf/rtld.c, `dl_main`).
fn parse(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or(""))
        .flat_map(|line| line.split([' ', '\t', ':']))
        .filter(|name| !name.is_empty())
        .take(NAMES_MAX)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_and_comments_dropped() {
        assert_eq!(
            parse("a.so:/b.so  # c.so\n\n d.so\n"),
            ["a.so", "/b.so", "d.so"]
        );
    }
}
