#![allow(clippy::expect_used)]

use std::fs;

use super::*;

fn directory(dep: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("modules.dep"), dep).expect("modules.dep");
    directory
}

#[test]
fn a_kernel_without_modules_says_which_file_is_missing() {
    let error = Modules::open("0.0.0-none").expect_err("no such kernel");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(
        error
            .to_string()
            .starts_with("/lib/modules/0.0.0-none/modules.dep: "),
        "{error}"
    );
}

#[test]
fn an_unknown_module_is_an_error_with_its_name() {
    let directory = directory("");
    let mut modules = Modules::at(directory.path()).expect("an index");
    let error = modules.load("lifeboot_none").expect_err("unknown");
    assert!(matches!(error.cause, Cause::Unknown));
    assert_eq!(error.module, "lifeboot_none");
    assert_eq!(modules.load_alias("pci:v1d2").len(), 0);
}

#[test]
fn a_module_file_that_is_gone_is_named() {
    let directory =
        directory("kernel/lifeboot-a.ko: kernel/lifeboot_b.ko\nkernel/lifeboot_b.ko:\n");
    let mut modules = Modules::at(directory.path()).expect("an index");
    let error = modules.load("lifeboot_a").expect_err("no file");
    assert_eq!(error.module, "lifeboot_b");
    assert_eq!(
        error.file,
        Some(directory.path().join("kernel/lifeboot_b.ko"))
    );
    assert!(matches!(error.cause, Cause::File(_)));
    assert_eq!(modules.inserted(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_no_module_is_refused_by_the_kernel() {
    let directory = directory("lifeboot_a.ko:\n");
    fs::write(directory.path().join("lifeboot_a.ko"), b"not ELF").expect("file");
    let mut modules = Modules::at(directory.path()).expect("an index");
    let error = modules.load("lifeboot_a").expect_err("refused");
    assert!(matches!(error.cause, Cause::Refused(_)), "{error}");
}
