//! What the patient's own sshd understands: its words stand in its file.
//!
//! Which keywords and algorithms a version knows differs by release and by the
//! way it was built. sshd compares them with strings that lie in its own
//! read-only data, each with a zero byte behind it.

use crate::sys::root_dir::RootDir;

/// The largest sshd of any distribution has 3 MiB.
const LIMIT: u64 = 32 << 20;

/// One sshd.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: String,
    bytes: Vec<u8>,
    /// 8.7 or later: it takes no line apart as its elders did.
    pub(super) is_recent: bool,
}

impl Program {
    /// Reads the program; none when it is no sshd that can be read.
    pub(super) fn read(root: &RootDir, path: &str) -> Option<Self> {
        let bytes = root.read(path, LIMIT).ok()?;
        let mut program = Self {
            path: path.to_owned(),
            bytes,
            is_recent: false,
        };
        // Every OpenSSH has these; a packed or foreign program has not.
        let known = [
            "permitrootlogin",
            "hostkey",
            "usepam",
            "/etc/ssh/sshd_config",
        ];
        if !known.iter().all(|word| program.has(word)) {
            return None;
        }
        program.is_recent = program.contains("extra arguments at end of line");
        Some(program)
    }

    /// True when a string of the program ends in `word`. (The linker lets a
    /// string share the end of another.)
    pub(super) fn has(&self, word: &str) -> bool {
        let mut wanted = word.as_bytes().to_vec();
        wanted.push(0);
        memchr::memmem::find(&self.bytes, &wanted).is_some()
    }

    /// True when `text` stands anywhere in it.
    pub(super) fn contains(&self, text: &str) -> bool {
        memchr::memmem::find(&self.bytes, text.as_bytes()).is_some()
    }

    /// True when `word` is one of its strings, with nothing before it.
    pub(super) fn has_whole(&self, word: &str) -> bool {
        let mut wanted = vec![0];
        wanted.extend_from_slice(word.as_bytes());
        wanted.push(0);
        memchr::memmem::find(&self.bytes, &wanted).is_some()
    }

    #[cfg(test)]
    pub(super) fn with_words(words: &[&str], is_recent: bool) -> Self {
        Self {
            path: "/usr/sbin/sshd".into(),
            bytes: format!("\0{}\0", words.join("\0")).into_bytes(),
            is_recent,
        }
    }
}
