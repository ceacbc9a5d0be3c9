use super::*;

const UUID: &str = "a1b2c3d4-0000-4000-8000-000000000001";

fn own() -> Container {
    Container {
        name: "array lab:0".into(),
        uuid: Some(UUID.into()),
        inside: "luks a1b2".into(),
    }
}

fn line(spec: &str, device: Device) -> CryptLine {
    CryptLine {
        line: 1,
        name: "root_crypt".into(),
        spec: spec.into(),
        key: "none".into(),
        options: Vec::new(),
        device,
    }
}

fn image(builder: Builder, words: &str) -> Image {
    Image {
        builder,
        command_line: words.into(),
        ..Image::default()
    }
}

fn layers(crypttab: Vec<CryptLine>) -> Layers {
    Layers {
        cryptsetup: Some("/usr/sbin/cryptsetup".into()),
        crypt_script: Some("/scripts/local-top/cryptroot".into()),
        crypt_generator: Some("generator".into()),
        crypttab_path: Some("/cryptroot/crypttab".into()),
        crypttab,
        ..Layers::default()
    }
}

fn debian(layers: &Layers, words: &str) -> Fate {
    fate(
        &image(Builder::InitramfsTools, ""),
        layers,
        Some(words),
        &own(),
    )
}

#[test]
fn debian_unlocks_the_lines_of_its_crypttab() {
    let named = || Fate::Unlocked(Some("root_crypt".into()));
    let here = Device::Present {
        name: "array lab:0".into(),
        format: "luks".into(),
    };
    assert_eq!(debian(&layers(vec![line("/dev/md0", here)]), ""), named());
    let by_uuid = layers(vec![line(&format!("UUID={UUID}"), Device::CannotTell)]);
    assert_eq!(debian(&by_uuid, ""), named());
    let other = layers(vec![line("UUID=ffff", Device::Absent)]);
    assert!(matches!(debian(&other, ""), Fate::NotNamed(why) if why.contains("UUID=ffff")));
    assert!(matches!(debian(&layers(Vec::new()), ""), Fate::NotNamed(_)));
    let vague = layers(vec![line("/dev/sda3", Device::CannotTell)]);
    assert!(matches!(debian(&vague, ""), Fate::Unknown(_)));
    // The command line takes its place.
    let word = format!("cryptopts=target=x,source=UUID={UUID}");
    assert_eq!(debian(&other, &word), Fate::Unlocked(Some("x".into())));
    assert!(matches!(
        debian(&by_uuid, "cryptopts=source=/dev/sda3"),
        Fate::Unknown(_)
    ));
    let keyless = Layers {
        keys_absent: vec!["none".into()],
        ..by_uuid.clone()
    };
    assert!(matches!(debian(&keyless, ""), Fate::NotNamed(why) if why.contains("key file")));
    let without = Layers {
        crypt_script: None,
        ..by_uuid
    };
    assert!(matches!(debian(&without, ""), Fate::NoMeans(_)));
    assert!(matches!(debian(&Layers::default(), ""), Fate::NoMeans(_)));
}

#[test]
fn dracut_and_systemd_go_by_the_command_line_then_by_crypttab() {
    let told = |image_words: &str, words: Option<&str>, layers: &Layers| {
        fate(&image(Builder::Dracut, image_words), layers, words, &own())
    };
    let empty = layers(Vec::new());
    let usual = || Fate::Unlocked(Some(format!("luks-{UUID}")));
    let word = format!("rd.luks.uuid=luks-{UUID}");
    assert_eq!(told(&word, Some("ro"), &empty), usual());
    assert_eq!(told("", Some("rd.luks.uuid=a1b2c3d4"), &empty), usual());
    let name = format!("rd.luks.name={UUID}=cr");
    assert_eq!(
        told("", Some(&name), &empty),
        Fate::Unlocked(Some("cr".into()))
    );
    assert_eq!(told("", Some("rd.auto"), &empty), Fate::Unlocked(None));
    let tab = layers(vec![line(&format!("UUID={UUID}"), Device::Absent)]);
    assert_eq!(
        told("", Some("ro"), &tab),
        Fate::Unlocked(Some("root_crypt".into()))
    );
    assert!(matches!(told("", None, &empty), Fate::Unknown(_)));
    for (words, layers) in [
        ("ro", &empty),
        ("rd.luks=0", &tab),
        ("rd.luks.uuid=ffff", &tab),
        ("rd.luks.crypttab=no", &tab),
    ] {
        let fate = told("", Some(words), layers);
        assert!(matches!(fate, Fate::NotNamed(_)), "{words}: {fate:?}");
    }
}

#[test]
fn the_hook_of_mkinitcpio_wants_its_word() {
    let told = |words: &str| {
        let image = image(Builder::Mkinitcpio, "");
        fate(&image, &layers(Vec::new()), Some(words), &own())
    };
    let word = format!("cryptdevice=UUID={UUID}:cr:allow-discards");
    assert_eq!(told(&word), Fate::Unlocked(Some("cr".into())));
    assert!(matches!(told("ro"), Fate::NotNamed(_)));
    assert!(matches!(
        told("cryptdevice=UUID=ffff:cr"),
        Fate::NotNamed(_)
    ));
    assert!(matches!(told("cryptdevice=LABEL=x:cr"), Fate::Unknown(_)));
}
