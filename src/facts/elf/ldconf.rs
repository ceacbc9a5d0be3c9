//! `/etc/ld.so.conf`: the directories that `ldconfig` puts into the cache.
//!
//! The loader never reads it (ld.so(8)); it only explains a library that lies
//! there and is not found. Format: ldconfig(8), glibc elf/ldconfig.c.

use std::collections::BTreeSet;

use crate::sys::root_dir::RootDir;

/// Most files read, and the most one of them may hold.
const FILES_MAX: usize = 256;
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The directories in the order of the file, includes taken in.
pub fn directories(root: &RootDir) -> Vec<String> {
    let mut directories = Vec::new();
    let mut seen = BTreeSet::new();
    let mut todo = vec!["/etc/ld.so.conf".to_owned()];
    while let Some(path) = todo.pop() {
        if seen.len() >= FILES_MAX || !seen.insert(path.clone()) {
            continue;
        }
        let Ok(text) = root.read_text(&path, FILE_BYTES_MAX) else {
            continue;
        };
        let (found, includes) = parse(&text);
        directories.extend(found);
        let files = includes.iter().flat_map(|pattern| matches(root, pattern));
        todo.extend(files.collect::<Vec<_>>().into_iter().rev());
    }
    directories
}

/// The directories and the include patterns of one file.
fn parse(text: &str) -> (Vec<String>, Vec<String>) {
    let mut directories = Vec::new();
    let mut includes = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        let mut words = line.split_whitespace();
        match words.next() {
            None | Some("hwcap") => {}
            Some("include") => includes.extend(words.map(str::to_owned)),
            Some(_) => directories.push(line.to_owned()),
        }
    }
    (directories, includes)
}

/// The files that an include pattern means. A `*` may stand in the last part.
fn matches(root: &RootDir, pattern: &str) -> Vec<String> {
    let pattern = match pattern.strip_prefix('/') {
        Some(_) => pattern.to_owned(),
        None => format!("/etc/{pattern}"),
    };
    let Some((directory, name)) = pattern.rsplit_once('/') else {
        return Vec::new();
    };
    let Some((before, after)) = name.split_once('*') else {
        return vec![pattern];
    };
    let entries = root.read_dir(directory).unwrap_or_default();
    entries
        .iter()
        .map(|entry| entry.name.to_string_lossy())
        .filter(|name| name.len() >= before.len() + after.len())
        .filter(|name| name.starts_with(before) && name.ends_with(after) && !name.starts_with('.'))
        .map(|name| format!("{directory}/{name}"))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_in_order_and_includes_are_followed() {
        let tree = tempfile::tempdir().unwrap();
        let etc = tree.path().join("etc");
        std::fs::create_dir_all(etc.join("ld.so.conf.d")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(etc.join(name), text).unwrap();
        write(
            "ld.so.conf",
            "include ld.so.conf.d/*.conf\n/opt/a # why\nhwcap 0 x\n",
        );
        write("ld.so.conf.d/b.conf", "/opt/b\ninclude /etc/ld.so.conf\n");
        write("ld.so.conf.d/a.conf", "\n#\n /opt/c \n");
        write("ld.so.conf.d/a.txt", "/opt/never\n");
        let root = RootDir::open(tree.path()).unwrap();
        assert_eq!(directories(&root), ["/opt/a", "/opt/c", "/opt/b"]);
    }
}
