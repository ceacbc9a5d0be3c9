//! Partitions and programs of arbitrary bytes: there is an answer, and what was
//! said to be written is read again.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::sync::OnceLock;

use proptest::prelude::*;

use super::edit::Editor;
use super::*;

const BYTES: u64 = 1 << 20;

/// What mkfs.vfat(8) makes, of each width, with files in two directories.
fn images() -> &'static [Vec<u8>] {
    static IMAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    IMAGES.get_or_init(|| ["12", "16", "32"].into_iter().map(image).collect())
}

fn image(width: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esp");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(BYTES).unwrap();
    let mut mkfs = Command::new("mkfs.vfat");
    let made = mkfs.args(["-F", width, "-s", "1"]).arg(&path).output();
    assert!(made.unwrap().status.success(), "mkfs.vfat -F {width}");
    let mut bytes = std::fs::read(&path).unwrap();
    for (path, content) in [
        ("/EFI/debian/grub.cfg", vec![b'#'; 700]),
        ("/EFI/BOOT/BOOTX64.EFI", b"MZ".repeat(3000)),
    ] {
        bytes = put(&bytes, path, &content).unwrap();
    }
    bytes
}

/// The partition with the file put into it.
fn put(image: &[u8], path: &str, content: &[u8]) -> Result<Vec<u8>, String> {
    let read_at = |at, length| Ok(piece(image, at, length));
    let mut editor = Editor::open(&read_at, image.len() as u64, (0, 0))?;
    editor.put(path, content)?;
    let sectors = editor.finish()?;
    let mut after = image.to_vec();
    for sector in sectors {
        let at = usize::try_from(sector.at).unwrap();
        // Nothing is written behind the end of the partition.
        let place = after.get_mut(at..at + sector.after.len()).unwrap();
        assert_eq!(place, sector.before);
        place.copy_from_slice(&sector.after);
    }
    Ok(after)
}

/// Fewer bytes only at the end, as of a disk.
fn piece(image: &[u8], at: u64, length: usize) -> Vec<u8> {
    let start = usize::try_from(at).unwrap_or(usize::MAX).min(image.len());
    let end = start.saturating_add(length).min(image.len());
    image[start..end].to_vec()
}

fn walk(image: &[u8]) -> Vec<EspFile> {
    let read_at = |at, length| Ok(piece(image, at, length));
    let mut files = Vec::new();
    let _unreadable = Walk::over(&read_at, image.len() as u64, &mut files);
    files
}

/// Bytes that change: of the first sector, which says where all else is, or of
/// the tables and directories behind it.
fn changes() -> impl Strategy<Value = Vec<(usize, u8)>> {
    let first = (0_usize..512, any::<u8>());
    let odd = prop::sample::select(vec![0, 1, 2, 0x0F, 0x10, 0x7F, 0x80, 0xE5, 0xF8, 0xFF]);
    let behind = (512_usize..64 << 10, odd);
    let one = prop_oneof![1 => first, 4 => behind];
    prop::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_partition_is_read_and_what_is_put_into_it_is_there(
        which in 0_usize..3,
        changes in changes(),
        content in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let mut image = images()[which].clone();
        for (at, byte) in changes {
            image[at] = byte;
        }
        let before = walk(&image).len();
        const PATH: &str = "/EFI/debian/new.cfg";
        if let Ok(after) = put(&image, PATH, &content) {
            let files = walk(&after);
            let own = files.iter().find(|file| file.path.eq_ignore_ascii_case(PATH)).unwrap();
            prop_assert_eq!(own.bytes, content.len() as u64);
            prop_assert!(files.len() >= before);
        }
    }

    #[test]
    fn a_partition_of_any_bytes_is_read(image in prop::collection::vec(any::<u8>(), 0..4096)) {
        walk(&image);
        let mut signed = image;
        if let Some(end) = signed.get_mut(510..512) {
            end.copy_from_slice(&[0x55, 0xAA]);
        }
        let _none = put(&signed, "/a", b"a");
    }

    #[test]
    fn a_program_of_any_bytes_is_read(
        mut bytes in prop::collection::vec(any::<u8>(), 512..4096),
        sections in 0_u16..100,
        names in prop::collection::vec(0_usize..6, 8),
    ) {
        const NAMES: [&[u8; 8]; 6] = [
            b".sbat\0\0\0", b".linux\0\0", b".cmdline", b"mods\0\0\0\0", b".data\0\0\0", b".sdmagic",
        ];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3C..0x40].copy_from_slice(&0x40_u32.to_le_bytes());
        bytes[0x40..0x44].copy_from_slice(b"PE\0\0");
        bytes[0x46..0x48].copy_from_slice(&sections.to_le_bytes());
        // The length of the optional header: the table of sections is behind it.
        bytes[0x54..0x56].copy_from_slice(&0x40_u16.to_le_bytes());
        for (index, name) in names.into_iter().enumerate() {
            let at = 0x40 + 24 + 0x40 + index * 40;
            bytes[at..at + 8].copy_from_slice(NAMES[name]);
        }
        let _none = Program::read(&bytes);
    }
}
