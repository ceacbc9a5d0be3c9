//! Keys and signatures made by gpg, and gpgv's word on each.
#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const TEXT_SIGNED: &str = "Suite: x  \n- dashed\n-----\n\nlast\n";

/// gpg with a home of its own.
struct Gpg(tempfile::TempDir);

impl Gpg {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, words: &[&str]) {
        let home = self.0.path().to_str().unwrap();
        let mut command = Command::new("gpg");
        command.args(["--homedir", home, "--batch", "--yes", "--quiet", "--no-tty"]);
        command.args(["--passphrase", "", "--pinentry-mode", "loopback"]);
        let output = command.args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
    }

    /// A key that signs, and its keyring.
    fn key(&self, kind: &str, end: &str, more: &[&str]) -> Vec<u8> {
        let make = [
            "--quick-generate-key",
            "Archive <a@example>",
            kind,
            "cert,sign",
            end,
        ];
        self.run(&[more, &make].concat());
        self.export()
    }

    fn export(&self) -> Vec<u8> {
        let ring = self.at("ring.gpg");
        self.run(&["--output", ring.to_str().unwrap(), "--export"]);
        fs::read(ring).unwrap()
    }

    /// The text with its signature behind it.
    fn sign(&self, text: &str, more: &[&str]) -> Vec<u8> {
        let (plain, signed) = (self.at("text"), self.at("signed"));
        fs::write(&plain, text).unwrap();
        let [from, to] = [&plain, &signed].map(|path| path.to_str().unwrap());
        self.run(&[more, &["--output", to, "--clearsign", from]].concat());
        fs::read(signed).unwrap()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // The agent would stay, in a folder that is gone.
        let mut stop = Command::new("gpgconf");
        stop.arg("--homedir").arg(self.0.path());
        let _ = stop.args(["--kill", "all"]).output();
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs()
}

/// What gpgv says: its words for a program.
fn gpgv(ring: &[u8], signed: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let (ring, signed) = (at("ring.gpg", ring), at("signed", signed));
    let mut command = Command::new("gpgv");
    command.args(["--status-fd", "1", "--keyring"]);
    let output = command.args([&ring, &signed]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What comes out here is what gpgv says.
fn ours(ring: &[u8], signed: &[u8]) -> Trust {
    let told = gpgv(ring, signed);
    let ours = match opened(signed) {
        Some(text) => trust_text(&text, &keyring(ring), now()),
        None => Trust::Unknown("no signed text".into()),
    };
    let has = |word: &str| told.contains(&format!("[GNUPG:] {word} "));
    let same = match &ours {
        Trust::Signed { key, .. } => {
            has("GOODSIG") && !has("BADSIG") && told.contains(&format!("VALIDSIG {key}"))
        }
        Trust::Wrong(_) => has("BADSIG") || has("REVKEYSIG"),
        Trust::Unknown(_) => !has("GOODSIG") && !has("BADSIG"),
    };
    assert!(same, "{ours:?}, and gpgv says {told}");
    ours
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains(from));
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn keys_of_each_kind_and_texts_that_were_changed() {
    let other = Gpg::new().key("ed25519", "never", &[]);
    for kind in ["rsa2048", "ed25519"] {
        for digest in ["SHA256", "SHA384", "SHA512"] {
            let gpg = Gpg::new();
            let ring = gpg.key(kind, "2y", &[]);
            let signed = gpg.sign(TEXT_SIGNED, &["--digest-algo", digest]);
            let trust = ours(&ring, &signed);
            let Trust::Signed { owner, .. } = trust else {
                panic!("{kind} {digest}: {trust:?}");
            };
            assert_eq!(owner, "Archive <a@example>");
            let both = [other.clone(), ring.clone()].concat();
            assert!(matches!(ours(&both, &signed), Trust::Signed { .. }));
            let Trust::Unknown(why) = ours(&other, &signed) else {
                panic!("signed by another key");
            };
            assert!(why.ends_with("is not at hand"), "{why}");
            for (from, to) in [
                ("last", "lost"),
                ("Suite: x", "Suite:  x"),
                ("\n\nlast", "\nlast"),
            ] {
                let changed = replaced(&signed, from, to);
                assert!(matches!(ours(&ring, &changed), Trust::Wrong(_)), "{from}");
            }
            // Blanks at the end of a line are not signed.
            let blank = replaced(&signed, "\nlast", "\nlast \t");
            assert!(matches!(ours(&ring, &blank), Trust::Signed { .. }));
        }
    }
}

#[test]
fn a_subkey_signs_and_an_armored_ring_is_read() {
    let gpg = Gpg::new();
    gpg.run(&[
        "--quick-generate-key",
        "Archive <a@example>",
        "rsa2048",
        "cert",
        "never",
    ]);
    let ring = gpg.export();
    let primary = keyring(&ring)[0].clone();
    gpg.run(&[
        "--quick-add-key",
        &hex::encode_upper(&primary.fingerprint),
        "rsa2048",
        "sign",
        "1y",
    ]);
    let ring = gpg.export();
    let signed = gpg.sign(TEXT_SIGNED, &[]);
    let Trust::Signed { key, .. } = ours(&ring, &signed) else {
        panic!("not signed");
    };
    assert_ne!(key, hex::encode_upper(&primary.fingerprint));
    let armored = gpg.at("ring.asc");
    gpg.run(&["--output", armored.to_str().unwrap(), "--armor", "--export"]);
    let keys = keyring(&fs::read(armored).unwrap());
    assert_eq!(keys.len(), 2);
    let text = opened(&signed).unwrap();
    assert!(matches!(
        trust_text(&text, &keys, now()),
        Trust::Signed { .. }
    ));
}

#[test]
fn keys_that_ended_or_were_revoked() {
    let long_ago = ["--faked-system-time", "20200101T000000"];
    let gpg = Gpg::new();
    let ring = gpg.key("ed25519", "1y", &long_ago);
    let signed = gpg.sign(TEXT_SIGNED, &long_ago);
    let Trust::Unknown(why) = ours(&ring, &signed) else {
        panic!("it ended");
    };
    assert!(
        why.contains("ended on 2020-12-31") || why.contains("ended on 2021-01-01"),
        "{why}"
    );
    // The owner lets it live longer.
    let fingerprint = hex::encode_upper(&keyring(&ring)[0].fingerprint);
    gpg.run(&["--quick-set-expire", &fingerprint, "never"]);
    let longer = gpg.export();
    assert!(matches!(ours(&longer, &signed), Trust::Signed { .. }));
    // He takes it back.
    let revocation = fs::read_to_string(gpg.at(&format!("openpgp-revocs.d/{fingerprint}.rev")));
    let revocation = revocation.unwrap().replace(":-----BEGIN", "-----BEGIN");
    fs::write(gpg.at("revoked"), revocation).unwrap();
    gpg.run(&["--import", gpg.at("revoked").to_str().unwrap()]);
    assert!(matches!(ours(&gpg.export(), &signed), Trust::Wrong(_)));
}

#[test]
fn a_signature_beside_its_file() {
    let gpg = Gpg::new();
    let ring = gpg.key("rsa3072", "never", &[]);
    let (text, signature) = (gpg.at("Release"), gpg.at("Release.gpg"));
    fs::write(&text, TEXT_SIGNED).unwrap();
    for armor in ["--armor", "--no-armor"] {
        let to = signature.to_str().unwrap();
        gpg.run(&[
            armor,
            "--output",
            to,
            "--detach-sign",
            text.to_str().unwrap(),
        ]);
        let bytes = fs::read(&signature).unwrap();
        let of = |text: &str| trust(text.as_bytes(), &bytes, &keyring(&ring), now());
        assert!(matches!(of(TEXT_SIGNED), Trust::Signed { .. }));
        assert!(matches!(of("Suite: x\n"), Trust::Wrong(_)));
        let nothing = trust(b"x", b"", &keyring(&ring), now());
        assert_eq!(nothing, Trust::Unknown("it has no signature".into()));
    }
}

#[test]
fn keyrings_have_the_keys_that_gpg_shows() {
    let rings = fs::read_dir("/usr/share/keyrings").unwrap();
    for path in rings.map(|entry| entry.unwrap().path()) {
        let ours: Vec<String> = keyring(&fs::read(&path).unwrap())
            .iter()
            .map(|key| hex::encode_upper(&key.fingerprint))
            .collect();
        let shown = shown(&path);
        let missing = shown.iter().find(|key| !ours.contains(key));
        assert!(missing.is_none(), "{}: {missing:?}", path.display());
    }
}

fn shown(path: &Path) -> Vec<String> {
    let home = Gpg::new();
    let mut command = Command::new("gpg");
    command.arg("--homedir").arg(home.0.path());
    command.args(["--batch", "--show-keys", "--with-colons"]);
    let output = command.arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| line.starts_with("fpr:"));
    lines
        .filter_map(|line| Some(line.split(':').nth(9)?.to_owned()))
        .collect()
}

#[test]
fn a_text_with_something_before_it_is_none() {
    let gpg = Gpg::new();
    gpg.key("ed25519", "never", &[]);
    let signed = gpg.sign("a\n", &[]);
    assert!(opened(&[b"Suite: evil\n\n", &signed[..]].concat()).is_none());
    let text = opened(&[&signed[..], b"Suite: evil\n"].concat()).unwrap();
    assert_eq!(text.text, b"a");
    assert!(opened(&signed[..50]).is_none(), "cut off");
}

proptest::proptest! {
    #[test]
    fn any_signature_and_key_is_read_without_failing(bytes: Vec<u8>, tag in 0u8..20) {
        let length = u8::try_from(bytes.len().min(191)).unwrap();
        let mut packet = vec![0xc0 | tag, length];
        packet.extend(&bytes[..usize::from(length)]);
        let keys = keyring(&packet);
        trust(b"x", &packet, &keys, 0);
        let mut signed = vec![0xc2, length, 4, 0];
        signed.extend(&bytes[..usize::from(length)]);
        trust(b"x", &signed, &keys, 0);
    }
}
