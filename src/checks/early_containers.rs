//! What an initramfs does with the encrypted containers below the root, by the
//! rules of its kind.
//!
//! initramfs-tools: `scripts/local-top/cryptroot` unlocks the lines of
//! `/cryptroot/crypttab`; `cryptopts=` on the command line takes their place.
//! dracut: `modules.d/90crypt/parse-crypt.sh`, and under systemd
//! systemd-cryptsetup-generator(8). mkinitcpio: the hook `encrypt` with
//! `cryptdevice=`, or systemd's generator (`sd-encrypt`).

use super::early_images::early_volumes;
use super::early_words::Words;
use crate::assembly::Layer;
use crate::facts::Facts;
use crate::facts::initramfs::{Builder, Image, Layers};
use crate::facts::mounts::{CryptLine, Device};
use crate::survey::Content;

/// A container that the root stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    /// The volume that is encrypted.
    pub(super) name: String,
    /// Its UUID.
    pub(super) uuid: Option<String>,
    /// The volume inside.
    pub(super) inside: String,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is unlocked, and called so below /dev/mapper where that is known.
    Unlocked(Option<String>),
    /// It is not: nothing starts what unlocks it.
    NoMeans(String),
    /// It is not: nothing names it.
    NotNamed(String),
    /// It could not be told.
    Unknown(String),
}

/// The containers that / and /usr stand on.
pub(super) fn early_containers(facts: &Facts) -> Vec<Container> {
    let volumes = early_volumes(facts);
    let unlocked = volumes.iter().filter(|v| v.layer == Layer::Unlocked);
    let containers = unlocked.filter_map(|volume| {
        let name = volume.on.first()?;
        let uuid = match &facts.assembly.volume(name)?.content {
            Content::Signature(found) => found.uuid.clone(),
            _ => None,
        };
        Some(Container {
            name: name.clone(),
            uuid,
            inside: volume.name.clone(),
        })
    });
    containers.collect()
}

/// What the image does with a container when the kernel has this command line,
/// which may not be known.
pub(super) fn fate(
    image: &Image,
    layers: &Layers,
    command_line: Option<&str>,
    own: &Container,
) -> Fate {
    if layers.cryptsetup.is_none() {
        let why = "no cryptsetup in it".to_owned();
        return match image.builder {
            Builder::Other => Fate::Unknown(why),
            _ => Fate::NoMeans(why),
        };
    }
    let words = Words::of(image, command_line);
    match image.builder {
        Builder::InitramfsTools => by_initramfs_tools(layers, words, own),
        Builder::Mkinitcpio if layers.crypt_script.is_some() => by_hook(words, own),
        Builder::Mkinitcpio if layers.crypt_generator.is_none() => {
            Fate::NoMeans("neither the hook encrypt nor sd-encrypt".into())
        }
        Builder::Dracut | Builder::Mkinitcpio => by_systemd(image, layers, words, own),
        Builder::Other => Fate::Unknown("the tool that made it is not known".into()),
    }
}

fn by_initramfs_tools(layers: &Layers, words: Words<'_>, own: &Container) -> Fate {
    if layers.crypt_script.is_none() {
        return Fate::NoMeans("the script local-top/cryptroot is not in it, or not whole".into());
    }
    let given = words.all(&["cryptopts"]);
    if let Some(line) = given.iter().find(|line| mentions(line, own)) {
        let mut words = line.split(',');
        let name = words.find_map(|word| word.strip_prefix("target="));
        return Fate::Unlocked(Some(name.unwrap_or("cryptroot").to_owned()));
    }
    if !given.is_empty() {
        return Fate::Unknown("cryptopts= on the command line takes the place of crypttab".into());
    }
    by_crypttab(layers, own)
}

fn by_crypttab(layers: &Layers, own: &Container) -> Fate {
    let path = layers.crypttab_path.as_deref();
    if let Some(line) = line_of(layers, own) {
        if layers.keys_absent.contains(&line.key) {
            return Fate::NotNamed(format!(
                "its crypttab wants the key file {}, which is not in it",
                line.key
            ));
        }
        return Fate::Unlocked(Some(line.name.clone()));
    }
    let lines = &layers.crypttab;
    if lines.iter().any(|line| line.device == Device::CannotTell) {
        return Fate::Unknown("its crypttab names devices in ways that are not known".into());
    }
    Fate::NotNamed(match path {
        None => "there is no crypttab in it".into(),
        Some(path) if lines.is_empty() => format!("{path} in it names no device"),
        Some(path) => {
            let specs: Vec<&str> = lines.iter().map(|line| line.spec.as_str()).collect();
            format!("{path} in it names {}", specs.join(", "))
        }
    })
}

/// The line of its crypttab that means the container.
fn line_of<'l>(layers: &'l Layers, own: &Container) -> Option<&'l CryptLine> {
    let means = |line: &&CryptLine| {
        let found = matches!(&line.device, Device::Present { name, .. } if *name == own.name);
        found || mentions(&line.spec, own)
    };
    layers.crypttab.iter().find(means)
}

/// True when the UUID stands in the text.
fn mentions(text: &str, own: &Container) -> bool {
    let text = text.to_ascii_lowercase();
    let uuid = own.uuid.as_ref().map(|uuid| uuid.to_ascii_lowercase());
    uuid.is_some_and(|uuid| !uuid.is_empty() && text.contains(&uuid))
}

/// `cryptdevice=UUID=...:name`
fn by_hook(words: Words<'_>, own: &Container) -> Fate {
    let given = words.all(&["cryptdevice"]);
    let unknown = || Fate::Unknown("cryptdevice= names a device in a way that is not known".into());
    match given.last() {
        None if !words.is_known() => {
            Fate::Unknown("the command line is chosen when GRUB runs".into())
        }
        None => Fate::NotNamed("there is no cryptdevice= on the command line".into()),
        Some(value) if mentions(value, own) || value.split(':').next() == Some(&own.name) => {
            Fate::Unlocked(value.split(':').nth(1).map(str::to_owned))
        }
        Some(value) if value.starts_with("UUID=") => {
            Fate::NotNamed(format!("the command line says cryptdevice={value}"))
        }
        Some(_) => unknown(),
    }
}

/// With UUIDs on the command line only these are unlocked; else dracut takes
/// all where it says `rd.auto`, and systemd the lines of crypttab.
fn by_systemd(image: &Image, layers: &Layers, words: Words<'_>, own: &Container) -> Fate {
    if ["rd.luks", "luks"].iter().any(|key| words.is_off(key)) || words.has("rd_NO_LUKS") {
        return Fate::NotNamed("the command line says rd.luks=0".into());
    }
    if !words
        .all(&["rd.luks.partuuid", "rd.luks.serial"])
        .is_empty()
    {
        return Fate::Unknown("the command line names it by partition or serial number".into());
    }
    let by_uuid = words.all(&["rd.luks.uuid", "luks.uuid", "rd_LUKS_UUID"]);
    let by_name = words.all(&["rd.luks.name", "luks.name"]);
    let unknown = || Fate::Unknown("the command line is chosen when GRUB runs".into());
    if let Some(line) = by_name.iter().find(|value| mentions(value, own)) {
        return Fate::Unlocked(line.split_once('=').map(|(_, name)| name.to_owned()));
    }
    if by_uuid.iter().any(|value| is_named(value, own)) {
        let line = line_of(layers, own).map(|line| line.name.clone());
        let usual = || Some(format!("luks-{}", own.uuid.as_ref()?));
        return Fate::Unlocked(line.or_else(usual));
    }
    if !by_uuid.is_empty() || !by_name.is_empty() {
        return match words.is_known() {
            false => unknown(),
            true => Fate::NotNamed("each rd.luks.uuid= names another container".into()),
        };
    }
    if image.builder == Builder::Dracut && words.auto() {
        return Fate::Unlocked(None);
    }
    let reads_tab = layers.crypt_generator.is_some() && !words.is_off("rd.luks.crypttab");
    match reads_tab.then(|| by_crypttab(layers, own)) {
        Some(Fate::NotNamed(_)) | None if !words.is_known() => unknown(),
        Some(fate) => fate,
        None => Fate::NotNamed("there is no rd.luks.uuid= for it, and no rd.auto".into()),
    }
}

/// `luks-UUID`, `keysource:UUID`, or the beginning of a UUID.
fn is_named(value: &str, own: &Container) -> bool {
    let value = value.strip_prefix("keysource:").unwrap_or(value);
    let value = value.strip_prefix("luks-").unwrap_or(value);
    let value = value.to_ascii_lowercase();
    let uuid = own.uuid.as_deref().unwrap_or_default();
    !value.is_empty() && uuid.to_ascii_lowercase().contains(&value)
}

#[cfg(test)]
#[path = "early_containers_tests.rs"]
mod tests;
