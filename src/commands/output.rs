//! What programs of the patient said in a rehearsal from which nothing was
//! committed: kept in the memory of the rescue system.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{IN_MEMORY, say};
use crate::date;
use crate::journal::Ran;
use crate::report::log_text;
use crate::sys::whole_file::WholeFile;

/// Keeps it, and says where. That it cannot be kept stops nothing.
pub(super) fn keep(ran: &[Ran]) {
    if ran.is_empty() {
        return;
    }
    match put(Path::new(IN_MEMORY), ran) {
        Ok(path) => say(&format!(
            "lifeboot: what programs of the patient said is in {} (lost when this system \
             is switched off)",
            path.display()
        )),
        Err(error) => say(&format!(
            "lifeboot: what programs of the patient said could not be kept in {IN_MEMORY}: {error}"
        )),
    }
}

fn put(folder: &Path, ran: &[Ran]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let name = format!("programs-{}-{}.txt", date::now(), std::process::id());
    let mut file = WholeFile::begin_private(folder, &name)?;
    file.write_all(log_text::programs(ran, usize::MAX).as_bytes())?;
    file.finish()?;
    Ok(folder.join(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_kept_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut one = Ran {
            line: "dpkg --configure -a".into(),
            ended: "ended with code 1".into(),
            ..Ran::default()
        };
        for line in 0..100 {
            one.hear(&format!("line {line}"));
        }
        let path = put(&folder.path().join("made"), &[one]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("dpkg --configure -a") && text.contains("ended with code 1"));
        assert!(
            text.contains("line 0\n") && text.contains("line 99\n"),
            "{text}"
        );
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
