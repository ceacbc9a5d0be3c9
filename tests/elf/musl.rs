//! A root whose loader is musl. There is none on most machines the tests run
//! on, so the loader is a library that says it is musl, and the expectations
//! come from musl's source.

use lifeboot::facts::elf::{Closure, Loader, Problem};
use lifeboot::sys::root_dir::RootDir;

use crate::fixture::Fixture;

const MUSL: &str = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";

fn musl_root() -> Fixture {
    let fixture = Fixture::new();
    let source = "const char *who = \"musl libc (x86_64)\\nVersion %s\\n\";\n\
                  const char *path = \"/lib:/usr/local/lib:/usr/lib\";";
    let library = ["-shared", "-fPIC", "-nostdlib"];
    fixture.compile("lib/ld-musl-x86_64.so.1", source, &library);
    fixture
}

fn closure(fixture: &Fixture) -> Closure {
    let root = RootDir::open(&fixture.path).unwrap();
    Loader::open(&root).closure("/app")
}

fn paths(closure: &Closure) -> Vec<&str> {
    closure
        .objects
        .iter()
        .map(|object| object.path.as_str())
        .collect()
}

#[test]
fn the_c_library_is_the_loader() {
    let fixture = musl_root();
    fixture.program("app", &[MUSL]); // needs libc.so.6
    let closure = closure(&fixture);
    assert_eq!(closure.problems, []);
    assert_eq!(paths(&closure), ["/lib/ld-musl-x86_64.so.1"]);
}

#[test]
fn runpath_is_inherited_and_sonames_do_not_count() {
    let fixture = musl_root();
    fixture.library("p/libb.so", "libb.so", &[]);
    fixture.library("p/liba.so", "liba.so", &["@/p/libb.so"]);
    let runpath = "-Wl,--enable-new-dtags,-rpath,/p";
    fixture.program("app", &[MUSL, "@/p/liba.so", runpath]);
    let found = closure(&fixture);
    assert_eq!(found.problems, []);
    assert_eq!(paths(&found)[0], "/p/liba.so");
    assert!(paths(&found).contains(&"/p/libb.so"));
}

#[test]
fn the_first_file_that_opens_is_taken() {
    let fixture = musl_root();
    fixture.library("usr/lib/libf.so", "libf.so", &[]);
    fixture.program("app", &[MUSL, "@/usr/lib/libf.so"]);
    assert_eq!(paths(&closure(&fixture))[0], "/usr/lib/libf.so");
    fixture.write("etc/ld-musl-x86_64.path", "/opt/lib\n/usr/lib\n");
    fixture.write("opt/lib/libf.so", "");
    let found = closure(&fixture);
    let [Problem::LibraryDamaged { path, .. }] = &found.problems[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(path, "/opt/lib/libf.so");
    fixture.remove("opt/lib/libf.so");
    fixture.write("etc/ld-musl-x86_64.path", "/opt/lib\n");
    let found = closure(&fixture);
    assert!(
        matches!(&found.problems[..], [Problem::LibraryMissing { .. }]),
        "{found:#?}"
    );
}
