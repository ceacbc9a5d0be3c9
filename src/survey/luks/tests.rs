#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::io::{Read, Write};

use proptest::prelude::*;

use super::*;

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(bytes);
    decoder.read_to_end(&mut out).unwrap();
    out
}

fn look(bytes: &[u8]) -> io::Result<Luks> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let source = Source {
        path: file.path().to_owned(),
        offset: 0,
        bytes: 20 << 20,
    };
    read(file.as_file(), &source)
}

fn version2() -> Vec<u8> {
    unpacked(include_bytes!(
        "../../../tests/images/luks2-argon2id.header.gz"
    ))
}

#[test]
fn version_1_as_cryptsetup_wrote_it() {
    let bytes = unpacked(include_bytes!("../../../tests/images/luks1.header.gz"));
    let luks = look(&bytes).unwrap();
    assert_eq!((luks.version, luks.slots.len()), (1, 1));
    assert_eq!(luks.segment.cipher, "aes-xts-plain64");
    assert_eq!(luks.segment.offset % 4096, 0);
    let slot = &luks.slots[0];
    assert_eq!((slot.stripes, slot.key_bytes), (4000, 64));
    assert!(matches!(&slot.kdf, Kdf::Pbkdf2 { hash, iterations: 1000, .. } if hash == "sha256"));
    assert_eq!(luks.digests[0].digest.len(), 20);
}

#[test]
fn version_2_as_cryptsetup_wrote_it() {
    let luks = look(&version2()).unwrap();
    assert_eq!((luks.version, luks.label.as_deref()), (2, Some("lab")));
    assert_eq!((luks.segment.offset, luks.segment.bytes), (16 << 20, None));
    assert_eq!((luks.segment.sector_bytes, luks.segment.iv), (4096, 0));
    let argon = matches!(
        &luks.slots[0].kdf,
        Kdf::Argon2 { kind, time: 4, memory: 64, lanes: 1, salt } if kind == "argon2id" && salt.len() == 32
    );
    assert!(argon, "{:?}", luks.slots[0].kdf);
    let bytes = unpacked(include_bytes!(
        "../../../tests/images/luks2-pbkdf2.header.gz"
    ));
    let luks = look(&bytes).unwrap();
    assert_eq!(luks.segment.sector_bytes, 4096);
    assert!(matches!(luks.slots[0].kdf, Kdf::Pbkdf2 { .. }));
    assert_eq!(luks.digests[0].slots, [0]);
}

#[test]
fn the_second_copy_takes_over() {
    let good = look(&version2()).unwrap();
    for at in [0, 8, 20, 450, 4100, 16000] {
        let mut bytes = version2();
        bytes[at] ^= 1;
        assert_eq!(look(&bytes).unwrap(), good, "byte {at} of the first copy");
        bytes[16384 + at] ^= 1;
        let error = look(&bytes).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }
}

/// A header with other JSON and right checksums in both copies.
fn with_json(edit: impl Fn(&str) -> String) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    let mut bytes = version2();
    for copy in bytes.chunks_exact_mut(16384) {
        let end = copy[4096..].iter().position(|b| *b == 0).unwrap();
        let json = edit(std::str::from_utf8(&copy[4096..4096 + end]).unwrap());
        copy[4096..].fill(0);
        copy[4096..4096 + json.len()].copy_from_slice(json.as_bytes());
        copy[448..512].fill(0);
        let sum = Sha256::digest(&*copy);
        copy[448..480].copy_from_slice(&sum);
    }
    bytes
}

#[test]
fn a_header_cannot_ask_for_too_much() {
    assert!(look(&with_json(str::to_owned)).is_ok());
    for (from, to) in [
        ("\"memory\":64", "\"memory\":99999999"),
        ("\"stripes\":4000", "\"stripes\":4000000"),
        (
            "\"encryption\":\"aes-xts-plain64\"",
            "\"encryption\":\"aes 0 /dev/sda 0\"",
        ),
        ("\"sector_size\":4096", "\"sector_size\":513"),
        ("\"requirements\"", "\"x\""),
    ] {
        let bytes = with_json(|json| json.replace(from, to));
        let changed = with_json(str::to_owned) != bytes;
        assert!(!changed || look(&bytes).is_err(), "{to}");
        assert!(
            changed || from.contains("requirements"),
            "{from} is not there"
        );
    }
    let reencrypting = with_json(|json| {
        json.replace(
            "\"config\":{",
            "\"config\":{\"requirements\":{\"mandatory\":[\"online-reencrypt-v2\"]},",
        )
    });
    let error = look(&reencrypting).unwrap_err();
    assert!(error.to_string().contains("online-reencrypt"), "{error}");
}

/// The error of a header that was changed after it was read; none when it
/// passes.
fn judged(header: &Luks, edit: impl Fn(&mut Luks)) -> Option<String> {
    let mut luks = header.clone();
    edit(&mut luks);
    limits::sane(&luks).err()
}

fn pbkdf2(hash: &str, iterations: u32, salt: usize) -> Kdf {
    Kdf::Pbkdf2 {
        hash: hash.into(),
        iterations,
        salt: vec![1; salt],
    }
}

fn argon2(time: u32, memory: u32, lanes: u32, salt: usize) -> Kdf {
    Kdf::Argon2 {
        kind: "argon2id".into(),
        time,
        memory,
        lanes,
        salt: vec![1; salt],
    }
}

/// Each number that decides how long it takes, at its limit and behind it.
#[test]
fn every_number_in_a_header_has_a_limit() {
    type Edit = fn(&mut Luks, bool);
    let cases: [(&str, Edit); 15] = [
        ("1024 bytes of a key", |l, far| {
            l.slots[0].key_bytes = if far { 1024 } else { 512 };
        }),
        ("513 bytes of a key", |l, far| {
            l.slots[0].cipher_key_bytes = 512 + u32::from(far);
        }),
        ("holds no key", |l, far| {
            l.slots[0].key_bytes = u32::from(!far);
        }),
        ("16385 stripes", |l, far| {
            l.slots[0].stripes = 16_384 + u32::from(far);
        }),
        ("200000001 iterations of PBKDF2", |l, far| {
            l.slots[0].kdf = pbkdf2("sha256", 200_000_000 + u32::from(far), 32);
        }),
        ("257 bytes of salt", |l, far| {
            l.slots[0].kdf = pbkdf2("sha256", 1000, 256 + usize::from(far));
        }),
        ("257 bytes of salt", |l, far| {
            l.slots[0].kdf = argon2(4, 64, 1, 256 + usize::from(far));
        }),
        ("rounds of PBKDF2", |l, far| {
            // As often as is allowed, for each 20 bytes of the key.
            l.slots[0].cipher_key_bytes = if far { 120 } else { 100 };
            l.slots[0].kdf = pbkdf2("sha1", 200_000_000, 32);
        }),
        ("4194305 KiB", |l, far| {
            l.slots[0].kdf = argon2(4, (4 << 20) + u32::from(far), 4, 32);
        }),
        ("65 lanes", |l, far| {
            l.slots[0].kdf = argon2(4, 1 << 20, 64 + u32::from(far), 32);
        }),
        ("65537 passes", |l, far| {
            l.slots[0].kdf = argon2(65_536 + u32::from(far), 64, 1, 32);
        }),
        ("KiB for all passes", |l, far| {
            l.slots[0].kdf = argon2(256 + u32::from(far), 4 << 20, 4, 32);
        }),
        ("200000001 iterations of PBKDF2", |l, far| {
            l.digests[0].iterations = 200_000_000 + u32::from(far);
        }),
        ("65 bytes", |l, far| {
            l.digests[0].digest = vec![1; 64 + usize::from(far)];
        }),
        ("257 bytes of salt", |l, far| {
            l.digests[0].salt = vec![1; 256 + usize::from(far)];
        }),
    ];
    let header = look(&version2()).unwrap();
    for (wanted, edit) in cases {
        assert_eq!(judged(&header, |luks| edit(luks, false)), None, "{wanted}");
        let why = judged(&header, |luks| edit(luks, true)).unwrap_or_default();
        assert!(why.contains(wanted), "{wanted}: {why}");
        assert!(
            wanted == "holds no key" || why.contains("cryptsetup by hand"),
            "{why}"
        );
    }
}

#[test]
fn many_slots_and_digests_do_not_add_up_to_days() {
    let header = look(&version2()).unwrap();
    let slots = |luks: &mut Luks, count: u32, kdf: &Kdf| {
        let slot = luks.slots[0].clone();
        luks.slots = (0..count)
            .map(|number| Slot {
                number,
                kdf: kdf.clone(),
                ..slot.clone()
            })
            .collect();
    };
    let digests = |luks: &mut Luks, count: usize, iterations: u32| {
        luks.digests = vec![luks.digests[0].clone(); count];
        for digest in &mut luks.digests {
            digest.slots = (0..32).collect();
            digest.iterations = iterations;
        }
    };
    let usual = argon2(4, 1 << 20, 4, 32);
    assert_eq!(judged(&header, |luks| slots(luks, 32, &usual)), None);
    let slow = pbkdf2("sha256", 60_000_000, 32);
    assert_eq!(judged(&header, |luks| slots(luks, 32, &slow)), None);
    let why = judged(&header, |luks| slots(luks, 33, &usual)).unwrap();
    assert!(why.contains("33 key slots"), "{why}");
    let most = argon2(256, 4 << 20, 4, 32);
    assert_eq!(judged(&header, |luks| slots(luks, 3, &most)), None);
    let why = judged(&header, |luks| slots(luks, 5, &most)).unwrap();
    assert!(why.contains("all slots"), "{why}");
    assert_eq!(judged(&header, |luks| digests(luks, 8, 1_000_000)), None);
    let why = judged(&header, |luks| digests(luks, 9, 1000)).unwrap();
    assert!(why.contains("9 digests"), "{why}");
    let why = judged(&header, |luks| {
        slots(luks, 32, &usual);
        digests(luks, 8, 100_000_000);
    });
    assert!(why.unwrap().contains("all slots"));
}

/// As it comes from a disk, in both versions.
#[test]
fn the_limits_are_asked_when_a_header_is_read() {
    let bytes = with_json(|json| json.replace("\"time\":4", "\"time\":4000000000"));
    let error = look(&bytes).unwrap_err().to_string();
    assert!(error.contains("passes (time) of Argon2"), "{error}");
    let good = unpacked(include_bytes!("../../../tests/images/luks1.header.gz"));
    for (at, wanted) in [(208 + 4, "key slot 0"), (164, "a digest")] {
        let mut bytes = good.clone();
        bytes[at] = 0xff;
        let error = look(&bytes).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
        assert!(error.contains("iterations of PBKDF2"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_it_fail(
        first in any::<bool>(),
        at in 8_usize..800,
        damage in proptest::collection::vec(any::<u8>(), 1..32),
    ) {
        let mut bytes = if first {
            unpacked(include_bytes!("../../../tests/images/luks1.header.gz"))
        } else {
            let at = at.min(700);
            let text = String::from_utf8_lossy(&damage).into_owned();
            with_json(|json| {
                let cut = json.char_indices().nth(at).map_or(0, |(index, _)| index);
                format!("{}{text}{}", &json[..cut], &json[cut..])
            })
        };
        if first {
            let end = (at + damage.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&damage[..end - at]);
        }
        let _ = look(&bytes);
    }
}
