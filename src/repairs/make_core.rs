//! A core of GRUB made anew, by the patient's `grub-mkimage`: it wants no disk,
//! so it runs in a rehearsal (GRUB 2.12, `util/grub-install.c`: the modules that
//! it names, in its order).

use super::Program;
use crate::checks::{BiosLoaders, Storage};
use crate::facts::grub_files::{COMMANDS, GrubFiles, PACKAGE, Package};
use crate::journal::Action;

/// How one is made.
pub(super) struct Core {
    pub(super) actions: Vec<Action>,
    pub(super) program: Program,
}

/// A core for all disks of the root.
pub(super) fn of(
    loaders: &BiosLoaders<'_>,
    files: &GrubFiles,
    package: &Package,
) -> Result<Core, String> {
    let maker = package.maker.as_ref().ok_or(
        "a new GRUB is needed, and grub-mkimage is not there; in a chroot of the patient: \
         apt-get install --reinstall grub-common grub-pc-bin, then repair once more",
    )?;
    let storage = loaders.storage().map_err(|why| {
        format!(
            "a new GRUB is needed, and Lifeboot makes none for this root ({why}); in a chroot of \
             the patient: grub-install /dev/DISK for each disk"
        )
    })?;
    let (prefix, commands) = place(&storage, &files.directory)?;
    let mut modules = vec![storage.driver()?];
    modules.extend(&storage.tables);
    modules.extend(&storage.layers);
    let mut actions = Vec::new();
    let output = format!("{}/core.img", files.directory);
    let mut words = vec![
        maker, "-O", "i386-pc", "-d", PACKAGE, "-o", &output, "-p", &prefix,
    ];
    let path = format!("{}/{COMMANDS}", files.directory);
    if let Some(text) = commands {
        if files.has_commands {
            actions.push(Action::Quarantine {
                path: path.clone().into(),
            });
        }
        actions.push(Action::PutFile {
            path: path.clone().into(),
            text,
            mode: 0o644,
            uid: 0,
            gid: 0,
            xattrs: Vec::new(),
        });
        words.extend(["-c", path.as_str()]);
        modules.push("search_fs_uuid");
    }
    modules.push("biosdisk");
    if let Some(lost) = modules.iter().find(|name| !package.names.contains(**name)) {
        return Err(format!("the package of GRUB lacks {PACKAGE}/{lost}.mod"));
    }
    words.extend(modules);
    Ok(Core {
        actions,
        program: Program::new(&words),
    })
}

/// Its prefix, and the commands that look for it where it is no array: named so
/// that it means the same on any disk.
fn place(storage: &Storage<'_>, directory: &str) -> Result<(String, Option<String>), String> {
    let folder = directory.rsplit_once('/').map_or("", |(above, _)| above);
    let folder = storage.inside(folder)?;
    // 0.90 has its UUID in words, whose order GRUB and mdadm see differently.
    if let (Some(array), false) = (storage.array, storage.layers.contains(&"mdraid09")) {
        let digits = array.chars().filter(char::is_ascii_hexdigit);
        let digits = digits.collect::<String>().to_ascii_lowercase();
        return Ok((format!("(mduuid/{digits}){folder}"), None));
    }
    let commands = format!(
        "search.fs_uuid {} root \nset prefix=($root)'{folder}'\n",
        storage.uuid
    );
    Ok((folder, Some(commands)))
}
