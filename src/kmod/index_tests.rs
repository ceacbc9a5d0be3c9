use super::*;

// From a Debian 12 kernel (6.1), shortened.
const DEP: &str = "\
kernel/fs/ext4/ext4.ko: kernel/lib/crc16.ko kernel/fs/mbcache.ko kernel/fs/jbd2/jbd2.ko
kernel/lib/crc16.ko:
kernel/fs/mbcache.ko:
kernel/fs/jbd2/jbd2.ko:
kernel/drivers/md/raid456.ko.xz: kernel/crypto/async_tx/async_raid6_recov.ko kernel/lib/raid6/raid6_pq.ko kernel/lib/libcrc32c.ko kernel/drivers/md/md-mod.ko
kernel/crypto/async_tx/async_raid6_recov.ko: kernel/lib/raid6/raid6_pq.ko
kernel/lib/raid6/raid6_pq.ko:
kernel/lib/libcrc32c.ko:
kernel/drivers/md/md-mod.ko:
kernel/crypto/crc32c_generic.ko:
kernel/arch/x86/crypto/crc32c-intel.ko:
kernel/net/tail.ko:
a line without sense
.ko:
";
const BUILT_IN: &str = "kernel/drivers/nvme/host/nvme-core.ko\n";
const SOFT: &str = "\
# Soft dependencies extracted from modules themselves.
softdep libcrc32c pre: crc32c
softdep ext4 pre: crc32c post: tail
softdep cifs gcm
softdep ring pre: ring
softdep
";
const ALIAS: &str = "\
alias crc32c crc32c_intel
alias crc32c crc32c_generic
alias md-level-5 raid456
";

fn index() -> Index {
    Index::parse(DEP, BUILT_IN, SOFT, ALIAS)
}

fn order(name: &str) -> Vec<(String, bool)> {
    index()
        .plan(name)
        .into_iter()
        .map(|step| (step.name, step.required))
        .collect()
}

fn steps(list: &[(&str, bool)]) -> Vec<(String, bool)> {
    list.iter()
        .map(|(name, required)| ((*name).to_owned(), *required))
        .collect()
}

#[test]
fn needs_come_first_and_from_right_to_left() {
    assert_eq!(
        order("raid456"),
        steps(&[
            ("md_mod", true),
            ("crc32c_intel", false),
            ("crc32c_generic", false),
            ("libcrc32c", true),
            ("raid6_pq", true),
            ("async_raid6_recov", true),
            ("raid456", true),
        ])
    );
}

#[test]
fn soft_needs_come_before_and_after() {
    assert_eq!(
        order("ext4"),
        steps(&[
            ("crc32c_intel", false),
            ("crc32c_generic", false),
            ("jbd2", true),
            ("mbcache", true),
            ("crc16", true),
            ("ext4", true),
            ("tail", false),
        ])
    );
}

#[test]
fn built_in_needs_nothing() {
    assert_eq!(order("nvme_core"), []);
    assert!(index().is_built_in("nvme_core"));
    assert_eq!(index().resolve("nvme-core"), Vec::<&str>::new());
}

#[test]
fn a_word_is_a_name_in_either_spelling_or_an_alias() {
    let index = index();
    for (word, expected) in [
        ("md-mod", vec!["md_mod"]),
        ("md_mod", vec!["md_mod"]),
        ("md-level-5", vec!["raid456"]),
        ("crc32c", vec!["crc32c_intel", "crc32c_generic"]),
        ("nobody", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(index.resolve(word), expected, "{word}");
    }
    assert_eq!(
        index.file("raid456"),
        Some(Path::new("kernel/drivers/md/raid456.ko.xz"))
    );
    assert_eq!(index.names().len(), 12);
}

#[test]
fn a_wish_that_turns_into_a_need_is_required() {
    let dep = "a.ko: b.ko\nb.ko: c.ko\nc.ko:\n";
    let index = Index::parse(dep, "", "softdep a pre: b\n", "");
    let required: Vec<bool> = index.plan("a").iter().map(|step| step.required).collect();
    assert_eq!(required, [true, true, true]);
}

#[test]
fn circles_end() {
    let dep = "a.ko: b.ko\nb.ko: a.ko\n";
    let index = Index::parse(dep, "", "softdep a pre: b\nsoftdep b pre: a\n", "");
    let names: Vec<String> = index.plan("a").into_iter().map(|step| step.name).collect();
    assert_eq!(names, ["b", "a"]);
}
