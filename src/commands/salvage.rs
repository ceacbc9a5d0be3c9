//! `lifeboot salvage`: what makes the machine this one is saved before a
//! reformat.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::patient::{self, Patient, no_root};
use super::progress::Progress;
use super::{print, print_json, say};
use crate::cli::{HashMode, SalvageArgs};
use crate::outcome::Outcome;
use crate::report::document::{self, Document};
use crate::report::salvage_text;
use crate::salvage::{self, Folder, Options, Packed, Recipient, Sealed, Shelf, Summary, Target};
use crate::sys::inside::is_inside;
use crate::sys::root_dir::RootDir;
use crate::sys::whole_file::WholeFile;
use crate::sysroot::disks_below;

/// Where it goes.
enum Place {
    Pipe,
    Folder(PathBuf),
    File { folder: PathBuf, name: String },
}

pub(super) fn run(args: &SalvageArgs) -> Result<Outcome> {
    let keys = salvage::recipients(&args.encrypt_to)?;
    let place = match place(&args.to, !keys.is_empty()) {
        Ok(place) => place,
        Err(why) => {
            say(&format!("lifeboot: {why}"));
            return Ok(Outcome::Usage);
        }
    };
    if matches!(place, Place::Pipe) && args.json {
        say("lifeboot: --json and - both want the standard output");
        return Ok(Outcome::Usage);
    }
    let patient = Patient::look_at_tree(&args.target)?;
    patient::announce(&patient);
    let done = save(&patient, &place, args, &keys);
    let disks = patient.sysroot().map(|sysroot| sysroot.info.disks.clone());
    patient.close()?;
    let summary = done?;
    if args.json {
        print_json(&Document {
            schema: document::SALVAGE,
            body: &summary,
        })?;
        return Ok(Outcome::Boots);
    }
    let words = salvage_text::Words {
        target: args.to.to_string_lossy().into_owned(),
        patient: args.target.words(),
        is_pipe: matches!(place, Place::Pipe),
        is_encrypted: !keys.is_empty(),
        on_disks: match &place {
            Place::Pipe => Vec::new(),
            Place::Folder(folder) | Place::File { folder, .. } => {
                disks_below(folder, &disks.unwrap_or_default())
            }
        },
    };
    let text = salvage_text::salvaged(&summary, &words);
    match place {
        // What is in the pipe is the salvage.
        Place::Pipe => io::stderr().write_all(text.as_bytes())?,
        _ => print(&text)?,
    }
    Ok(Outcome::Boots)
}

fn place(to: &Path, is_encrypted: bool) -> Result<Place, String> {
    let shown = to.display();
    if to == Path::new("-") {
        return match io::stdout().is_terminal() {
            true => {
                Err("- wants a pipe: lifeboot salvage - | ssh HOST 'cat > NAME.tar.zst'".into())
            }
            false => Ok(Place::Pipe),
        };
    }
    let name = to.file_name().and_then(|name| name.to_str());
    if is_encrypted && !name.is_some_and(|name| name.ends_with(".age")) {
        return Err("what is encrypted is one file: name it NAME.tar.zst.age, or -".into());
    }
    if to.is_dir() || to.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Ok(Place::Folder(to.to_owned()));
    }
    let endings = [".zst", ".age"];
    match name {
        Some(name) if name.ends_with(endings[usize::from(is_encrypted)]) => {
            let folder = to.parent().filter(|parent| !parent.as_os_str().is_empty());
            Ok(Place::File {
                folder: folder.unwrap_or(Path::new(".")).to_owned(),
                name: name.to_owned(),
            })
        }
        // An ending that tells of what is not done.
        Some(name) if name.ends_with(".age") && !is_encrypted => {
            Err("to encrypt it, name a key with --encrypt-to".into())
        }
        _ => Err(format!(
            "what {shown} shall be is not clear: name a file {shown}.tar.zst, or a folder {shown}/"
        )),
    }
}

fn save(
    patient: &Patient,
    place: &Place,
    args: &SalvageArgs,
    keys: &[Recipient],
) -> Result<Summary> {
    let Some(sysroot) = patient.sysroot() else {
        return Err(no_root(patient.search()));
    };
    refuse_inside(&sysroot.root, place)?;
    let options = Options {
        secrets: args.with_secrets || !keys.is_empty(),
        home: args.home,
        only: args.only.clone(),
        without: args.without.clone(),
        hash_limit: match args.hash {
            HashMode::Small => Options::default().hash_limit,
            HashMode::All => None,
            HashMode::None => Some(0),
        },
        added_limit: args.limit.saturating_mul(1 << 20),
    };
    let shelf = shelf(place, keys).with_context(|| format!("opening {}", args.to.display()))?;
    let mut progress = Progress::of("lifeboot: saving the configuration, noting the data");
    let done = salvage::collect(&sysroot.root, &options, shelf, &mut |done, all| {
        progress.show(done, all, "");
    });
    done.with_context(|| match place {
        Place::Folder(_) => format!(
            "{}: what is there stays, and the same command goes on",
            args.to.display()
        ),
        _ => format!("{}: nothing whole is there", args.to.display()),
    })
}

/// A salvage on the disk that is reformatted next would be none.
fn refuse_inside(root: &RootDir, place: &Place) -> Result<()> {
    let folder = match place {
        Place::Pipe => return Ok(()),
        Place::Folder(folder) | Place::File { folder, .. } => folder,
    };
    // Of a folder that is made first, the one that is there already.
    let there = folder.ancestors().find(|one| one.is_dir());
    let there = there.unwrap_or(Path::new("."));
    if is_inside(root, there).with_context(|| format!("looking at {}", there.display()))? {
        bail!(
            "{} lies in the patient itself ({}), which the reformat erases: name another place, \
             or send it away: lifeboot salvage - | ssh HOST 'cat > NAME.tar.zst'",
            folder.display(),
            root.path().display()
        );
    }
    Ok(())
}

fn shelf(place: &Place, keys: &[Recipient]) -> io::Result<Box<dyn Shelf>> {
    let target: Box<dyn Target> = match place {
        Place::Folder(folder) => return Ok(Box::new(Folder::new(folder)?)),
        Place::Pipe => Box::new(io::stdout()),
        Place::File { folder, name } => {
            // It may be the salvage of a better hour.
            if fs::symlink_metadata(folder.join(name)).is_ok() {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "it is there already, and is not overwritten",
                ));
            }
            Box::new(WholeFile::begin_private(folder, name)?)
        }
    };
    let target = match keys {
        [] => target,
        keys => Box::new(Sealed::new(target, keys)?),
    };
    Ok(Box::new(Packed::new(target, crate::date::now())))
}
