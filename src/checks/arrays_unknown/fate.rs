//! What an initramfs does with an array, by the rules of its kind.
//!
//! initramfs-tools: udev's rule `64-md-raid-assembly.rules` hands each member
//! to `mdadm --incremental`, which assembles every array that mdadm.conf does
//! not exclude (AUTO, `<ignore>`), named there or not; besides, the script
//! `local-block/mdadm` runs `mdadm --assemble --scan`, which takes the ARRAY
//! lines, and all arrays where there is no such line (mdadm.c, scan_assemble).
//! An array without a line keeps its own name only where that begins with
//! HOMEHOST; an initramfs has no host name.
//!
//! dracut: modules.d/90mdraid/parse-md.sh. No array is assembled unless the
//! command line, or `/etc/cmdline.d` in the image, says `rd.auto` or
//! `rd.md.uuid=`; with UUIDs, only these are.

use super::super::early_words::Words;
use crate::facts::initramfs::{Builder, Image};
use crate::facts::mdadm_conf::{MdadmConf, short_name};

/// What is known of an array from its superblock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    pub(super) uuid: &'a str,
    /// `host:0`
    pub(super) name: &'a str,
    /// `1.2`
    pub(super) version: &'a str,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is assembled and called so; none for a number that nobody knows.
    Assembled(Option<String>),
    /// It is not, and why.
    LeftAlone(String),
    /// It could not be told.
    Unknown(&'static str),
}

/// What the image does with an array when the kernel has this command line,
/// which may not be known.
pub(super) fn of(image: &Image, command_line: Option<&str>, own: Own<'_>) -> Fate {
    let conf = &image.mdadm_conf;
    if conf.unreadable.is_some() {
        return Fate::Unknown("its mdadm.conf could not be read");
    }
    let line = conf.entry_of(own.uuid, own.name);
    if conf.says_more && line.is_none() {
        return Fate::Unknown("its mdadm.conf names arrays in ways that are not understood");
    }
    let device = line.and_then(|line| line.device.as_deref());
    if device == Some("<ignore>") {
        return Fate::LeftAlone("its mdadm.conf says <ignore> for it".into());
    }
    let name = name(conf, device, own);
    match image.builder {
        Builder::Dracut => by_dracut(image, command_line, own, name),
        Builder::InitramfsTools | Builder::Mkinitcpio => {
            let by_rule = image.udev && image.assembly_rule.is_some();
            let by_line = image.assembles_by_conf && line.is_some();
            let by_scan = image.assembles_by_conf && conf.arrays.is_empty();
            if by_line || ((by_rule || by_scan) && (line.is_some() || is_allowed(conf, own))) {
                return Fate::Assembled(name);
            }
            if !by_rule && !image.assembles_by_conf {
                if image.builder == Builder::Mkinitcpio {
                    return Fate::Unknown("what assembles arrays in it is not known");
                }
                let why = "neither a rule of udev nor a script of mdadm is in it";
                return Fate::LeftAlone(why.into());
            }
            Fate::LeftAlone(match by_rule {
                true => "its mdadm.conf has no line for it, and AUTO excludes others".into(),
                false => "its mdadm.conf has no line for it, and udev's rule is not in it".into(),
            })
        }
        Builder::Other => Fate::Unknown("the tool that made it is not known"),
    }
}

fn by_dracut(
    image: &Image,
    command_line: Option<&str>,
    own: Own<'_>,
    name: Option<String>,
) -> Fate {
    let words = Words::of(image, command_line);
    if words.is_off("rd.md") || words.has("rd_NO_MD") {
        return Fate::LeftAlone("the command line says rd.md=0".into());
    }
    let unknown = Fate::Unknown("the command line is chosen when GRUB runs");
    let uuids = words.all(&["rd.md.uuid", "rd_MD_UUID"]);
    if uuids.is_empty() {
        return match words.auto() {
            true => Fate::Assembled(name),
            false if !words.is_known() => unknown,
            false => Fate::LeftAlone("there is no rd.md.uuid= for it, and no rd.auto".into()),
        };
    }
    match uuids.iter().any(|uuid| digits(uuid) == digits(own.uuid)) {
        true => Fate::Assembled(name),
        false if !words.is_known() => unknown,
        false => Fate::LeftAlone("each rd.md.uuid= names another array".into()),
    }
}

fn digits(uuid: &str) -> String {
    let hex = uuid.chars().filter(char::is_ascii_hexdigit);
    hex.map(|c| c.to_ascii_lowercase()).collect()
}

/// What it will be called: by its line, or by its own name.
fn name(conf: &MdadmConf, device: Option<&str>, own: Own<'_>) -> Option<String> {
    if let Some(device) = device {
        return Some(short_name(device).to_owned());
    }
    let (host, name) = own.name.split_once(':')?;
    let known = match conf.homehost.as_deref().unwrap_or("<system>") {
        "<system>" => host == "any",
        "<ignore>" | "any" => true,
        named => host == named || host == "any",
    };
    known.then(|| name.to_owned())
}

/// AUTO in mdadm.conf(5): the first word that fits decides; all are allowed
/// where none does.
fn is_allowed(conf: &MdadmConf, own: Own<'_>) -> bool {
    let fits = |kind: &str| match kind {
        "all" => true,
        "1.x" => own.version.starts_with("1."),
        kind => kind == own.version,
    };
    let decided = conf.auto.iter().find_map(|word| {
        let kind = word.strip_prefix(['+', '-'])?;
        fits(kind).then(|| word.starts_with('+'))
    });
    decided.unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::mdadm_conf::ArrayLine;

    const OWN: Own<'static> = Own {
        uuid: "00112233:44556677:8899aabb:ccddeeff",
        name: "lab:0",
        version: "1.2",
    };

    fn line(uuid: &str, device: &str) -> ArrayLine {
        ArrayLine {
            line: 1,
            device: Some(device.into()),
            uuid: Some(uuid.into()),
            name: None,
            members: None,
        }
    }

    fn debian(lines: Vec<ArrayLine>, auto: &[&str]) -> Image {
        Image {
            builder: Builder::InitramfsTools,
            udev: true,
            assembly_rule: Some("/usr/lib/udev/rules.d/64-md-raid-assembly.rules".into()),
            assembles_by_conf: true,
            mdadm_conf: MdadmConf {
                arrays: lines,
                auto: auto.iter().map(|word| (*word).to_owned()).collect(),
                ..MdadmConf::default()
            },
            ..Image::default()
        }
    }

    fn stale() -> ArrayLine {
        line("ffffffff:44556677:8899aabb:ccddeeff", "/dev/md0")
    }

    #[test]
    fn debian_assembles_what_is_not_excluded() {
        let known = debian(vec![line(OWN.uuid, "/dev/md0")], &[]);
        assert_eq!(of(&known, Some(""), OWN), Fate::Assembled(Some("0".into())));
        // A stale file does not stop udev's rule; the name is lost.
        assert_eq!(
            of(&debian(vec![stale()], &[]), Some(""), OWN),
            Fate::Assembled(None)
        );
        assert_eq!(
            of(&debian(Vec::new(), &[]), Some(""), OWN),
            Fate::Assembled(None)
        );
        let excluded = debian(vec![stale()], &["-all"]);
        assert!(matches!(of(&excluded, Some(""), OWN), Fate::LeftAlone(_)));
        let allowed = debian(vec![stale()], &["+1.x", "-all"]);
        assert_eq!(of(&allowed, Some(""), OWN), Fate::Assembled(None));
        let ignored = debian(vec![line(OWN.uuid, "<ignore>")], &[]);
        assert!(matches!(of(&ignored, Some(""), OWN), Fate::LeftAlone(_)));
    }

    #[test]
    fn without_the_rule_only_the_lines_count() {
        let without = |lines| Image {
            assembly_rule: None,
            ..debian(lines, &[])
        };
        let known = without(vec![line(OWN.uuid, "/dev/md/root")]);
        assert_eq!(
            of(&known, Some(""), OWN),
            Fate::Assembled(Some("root".into()))
        );
        assert!(matches!(
            of(&without(vec![stale()]), Some(""), OWN),
            Fate::LeftAlone(_)
        ));
        // No line at all: mdadm takes whatever it finds.
        assert_eq!(
            of(&without(Vec::new()), Some(""), OWN),
            Fate::Assembled(None)
        );
    }

    #[test]
    fn dracut_assembles_what_the_command_line_names() {
        let image = |words: &str| Image {
            builder: Builder::Dracut,
            command_line: words.into(),
            ..Image::default()
        };
        let named = "ro rd.md.uuid=00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!(of(&image(""), Some(named), OWN), Fate::Assembled(None));
        assert_eq!(
            of(&image(named), Some("ro quiet"), OWN),
            Fate::Assembled(None)
        );
        assert_eq!(
            of(&image(""), Some("ro rd.auto=1"), OWN),
            Fate::Assembled(None)
        );
        assert_eq!(of(&image(""), Some("rd.auto"), OWN), Fate::Assembled(None));
        // GRUB may yet add what is missing here.
        assert!(matches!(of(&image(""), None, OWN), Fate::Unknown(_)));
        assert_eq!(of(&image(named), None, OWN), Fate::Assembled(None));
        for wrong in [
            "ro",
            "rd.auto=0",
            "rd.auto rd.md=0",
            "rd.md.uuid=ffff rd.auto",
        ] {
            let fate = of(&image(""), Some(wrong), OWN);
            assert!(matches!(fate, Fate::LeftAlone(_)), "{wrong}: {fate:?}");
        }
    }

    #[test]
    fn a_name_of_ones_own_needs_the_host() {
        let mut image = debian(Vec::new(), &[]);
        for (host, expected) in [("lab", Some("0")), ("<ignore>", Some("0")), ("other", None)] {
            image.mdadm_conf.homehost = Some(host.into());
            let expected = Fate::Assembled(expected.map(str::to_owned));
            assert_eq!(of(&image, Some(""), OWN), expected, "{host}");
        }
    }
}
