//! Undefined symbols, compared with what `ldd -r` and the start itself say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use lifeboot::facts::elf::{Closure, Loader, Missed, Problem, Symbols, Undefined};
use lifeboot::sys::root_dir::RootDir;

use crate::fixture::{Fixture, REAL_LOADER};

/// Our answer for a program in a root.
fn asked(root: &Path, program: &str) -> Closure {
    let root = RootDir::open(root).unwrap();
    let loader = Loader::open(&root);
    let mut closure = loader.closure(program);
    Symbols::new(&loader).examine(&mut closure);
    let text = serde_json::to_string(&closure).unwrap();
    assert_eq!(closure, serde_json::from_str(&text).unwrap());
    closure
}

/// What the real loader cannot find: symbols, without their versions.
fn ldd(program: &str) -> BTreeSet<String> {
    // As `ldd -r` does it; of a link the real loader would take the wrong origin.
    let wanted = ["LD_TRACE_LOADED_OBJECTS", "LD_WARN", "LD_BIND_NOW"];
    let done = Command::new(REAL_LOADER)
        .env_clear()
        .envs(wanted.map(|name| (name, "1")))
        .arg(fs::canonicalize(program).unwrap())
        .output()
        .unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let symbols = said.lines().filter_map(|line| {
        let (_, rest) = line.split_once("undefined symbol: ")?;
        let end = rest.find([',', '\t', ' ']).unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    });
    symbols.collect()
}

/// What is undefined, which must be the same as `ldd -r` says.
fn agreed(fixture: &Fixture, program: &str) -> Vec<Undefined> {
    let closure = asked(Path::new("/"), &fixture.at(program));
    assert_eq!(closure.problems, []);
    let undefined = closure.undefined.clone().unwrap();
    let ours: BTreeSet<_> = undefined.iter().map(|u| u.symbol.clone()).collect();
    assert_eq!(ours, ldd(&fixture.at(program)));
    assert_eq!(
        closure.starts(),
        starts(&fixture.at(program)),
        "{closure:#?}"
    );
    undefined
}

fn starts(program: &str) -> bool {
    let done = Command::new(program).env_clear().output().unwrap();
    let message = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.success(), message.is_empty(), "{message}");
    done.status.success()
}

/// A program of `source`, made with a `liba.so` that is `whole` and lying
/// beside one that is `now`.
fn program(source: &str, whole: &str, now: &str, arguments: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    let library = ["-shared", "-fPIC", "-Wl,-soname,liba.so"];
    fixture.compile("liba.so", whole, &library);
    let all = [&["@/liba.so", "-Wl,-rpath,@"], arguments].concat();
    fixture.compile("app", source, &all);
    fixture.compile("liba.so", now, &library);
    fixture
}

const CALLS: &str = "int lost(void); int main(int n, char **v){return n > 9 ? lost() : 0;}";
const WHOLE: &str = "int lost(void){return 1;} int kept(void){return 1;}";
const NOW: &str = "int kept(void){return 1;}";

#[test]
fn a_lost_function_stops_the_start_where_all_is_bound_at_once() {
    let fixture = program(CALLS, WHOLE, NOW, &["-Wl,-z,now"]);
    let undefined = agreed(&fixture, "app");
    let [lost] = &undefined[..] else {
        panic!("{undefined:#?}");
    };
    assert_eq!((&*lost.symbol, lost.missed_at), ("lost", Missed::Start));
    assert_eq!(lost.needed_by, fixture.at("app"));
    assert_eq!(lost.version, None);
}

#[test]
fn otherwise_it_fails_when_it_is_called() {
    let fixture = program(CALLS, WHOLE, NOW, &["-Wl,-z,lazy"]);
    let undefined = agreed(&fixture, "app");
    assert_eq!(undefined.len(), 1);
    assert_eq!(undefined[0].missed_at, Missed::Call);
}

#[test]
fn its_address_and_data_are_needed_at_the_start() {
    let library = ["int datum = 3; int lost(void){return 1;}", NOW];
    let address = "int lost(void); int (*at)(void) = lost; int main(void){return at == 0;}";
    let datum = "extern int datum; int main(void){return datum == 7;}";
    // Copied into the program, and looked up by it.
    for (source, how) in [(address, "-fPIE"), (datum, "-fPIE"), (datum, "-fPIC")] {
        let fixture = program(source, library[0], library[1], &["-Wl,-z,lazy", how]);
        let undefined = agreed(&fixture, "app");
        assert_eq!(undefined.len(), 1, "{source}");
        assert_eq!(undefined[0].missed_at, Missed::Start, "{source}");
    }
    let fixed = program(datum, library[0], library[1], &["-no-pie"]);
    assert_eq!(agreed(&fixed, "app")[0].symbol, "datum");
}

#[test]
fn a_weak_symbol_may_be_undefined() {
    let source = "__attribute__((weak)) int lost(void);\n\
                  int main(void){return lost ? lost() : 0;}";
    let fixture = program(source, WHOLE, NOW, &["-Wl,-z,now"]);
    assert_eq!(agreed(&fixture, "app"), []);
}

#[test]
fn any_object_of_the_program_may_define_it_and_libraries_are_asked_too() {
    let fixture = Fixture::new();
    let library = |name: &str, source: &str, arguments: &[&str]| {
        let soname = format!("-Wl,-soname,{name}");
        let all = [&["-shared", "-fPIC", "-Wl,-rpath,@", &soname], arguments].concat();
        fixture.compile(name, source, &all);
    };
    library(
        "libb.so",
        "int lost(void); int b(void){return lost();}",
        &["-Wl,-z,now"],
    );
    let arguments = ["@/libb.so", "-Wl,-rpath,@", "-rdynamic"];
    fixture.compile(
        "app",
        "int lost(void){return 1;} int main(void){return 0;}",
        &arguments,
    );
    assert_eq!(agreed(&fixture, "app"), []);
    fixture.compile("app", "int main(void){return 0;}", &arguments);
    let undefined = agreed(&fixture, "app");
    assert_eq!(undefined.len(), 1);
    assert_eq!(undefined[0].needed_by, fixture.at("libb.so"));
    // By itself it is a plugin.
    let root = RootDir::open("/").unwrap();
    let loader = Loader::open(&root);
    let scan =
        Symbols::new(&loader).scan(&[(&fixture.at("libb.so"), ""), (&fixture.at("app"), "")]);
    assert_eq!(scan.programs, 1);
    assert_eq!(scan.broken[0].undefined.as_ref().unwrap(), &undefined);
}

#[test]
fn versions_are_compared() {
    let fixture = Fixture::new();
    fixture.write(
        "two.map",
        "V1 { global: old; };\nV2 { global: lost; } V1;\n",
    );
    fixture.write(
        "one.map",
        "V1 { global: old; lost; };\nV2 { global: new; } V1;\n",
    );
    let source = "int old(void){return 1;} int lost(void){return 1;} int new(void){return 1;}";
    for hash in ["gnu", "sysv", "both"] {
        let hash = format!("-Wl,--hash-style={hash}");
        let library = |map: &str| {
            let map = format!("-Wl,--version-script,@/{map}");
            let soname = "-Wl,-soname,liba.so";
            fixture.compile(
                "liba.so",
                source,
                &["-shared", "-fPIC", soname, &map, &hash],
            );
        };
        library("two.map");
        let arguments = ["@/liba.so", "-Wl,-rpath,@", "-Wl,-z,now", &hash];
        fixture.compile("app", CALLS, &arguments);
        assert_eq!(agreed(&fixture, "app"), []);
        library("one.map");
        let undefined = agreed(&fixture, "app");
        assert_eq!(undefined.len(), 1, "{hash}");
        assert_eq!(undefined[0].version.as_deref(), Some("V2"));
        assert_eq!(undefined[0].library.as_deref(), Some("liba.so"));
        let said = undefined[0].to_string();
        assert!(
            said.ends_with("undefined symbol lost, version V2 (of liba.so): refused at the start")
        );
        // A library without any version is taken as it is.
        fixture.compile(
            "liba.so",
            WHOLE,
            &["-shared", "-fPIC", "-Wl,-soname,liba.so"],
        );
        let closure = asked(Path::new("/"), &fixture.at("app"));
        assert_eq!(closure.undefined, Some(vec![]));
    }
}

#[test]
fn a_script_has_the_symbols_of_its_program() {
    let fixture = program(CALLS, WHOLE, NOW, &["-Wl,-z,now"]);
    fixture.write("script", format!("#!{}\n", fixture.at("app")));
    let path = fixture.at("script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&path, mode).unwrap();
    let closure = asked(Path::new("/"), &path);
    assert_eq!(closure.undefined.as_ref().map(Vec::len), Some(1));
    assert!(!closure.starts());
}

#[test]
fn musl_binds_everything_before_the_start() {
    let fixture = Fixture::new();
    let source = "const char *who = \"musl libc (x86_64)\\nVersion %s\\n\";\n\
                  int __libc_start_main(void){return 0;} int exit(int n){return n;}";
    let library = ["-shared", "-fPIC", "-nostdlib", "-fno-builtin"];
    fixture.compile("lib/ld-musl-x86_64.so.1", source, &library);
    let shared = ["-shared", "-fPIC", "-nostdlib", "-Wl,-soname,liba.so"];
    fixture.compile("lib/liba.so", WHOLE, &shared);
    let loader = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";
    fixture.compile("app", CALLS, &[loader, "-Wl,-z,lazy", "@/lib/liba.so"]);
    assert_eq!(asked(&fixture.path, "/app").undefined, Some(vec![]));
    fixture.compile("lib/liba.so", NOW, &shared);
    let closure = asked(&fixture.path, "/app");
    let undefined = closure.undefined.clone().unwrap();
    let names: Vec<_> = undefined
        .iter()
        .map(|u| (&*u.symbol, u.missed_at))
        .collect();
    assert_eq!(names, [("lost", Missed::Start)]);
    assert!(!closure.starts());
}

#[test]
fn damaged_tables_are_told_and_nothing_worse() {
    let fixture = program(CALLS, WHOLE, NOW, &["-Wl,-z,now"]);
    let whole = fs::read(fixture.at("app")).unwrap();
    let elf = goblin::elf::Elf::parse(&whole).unwrap();
    let dynamic = elf.dynamic.as_ref().unwrap();
    let segment = elf
        .program_headers
        .iter()
        .find(|s| s.p_type == goblin::elf::program_header::PT_DYNAMIC)
        .unwrap();
    let mut unexamined = 0;
    let root = RootDir::open("/").unwrap();
    for entry in 0..dynamic.dyns.len() {
        for value in [1, 0x7fff_ffff, u64::MAX - 3] {
            let mut bytes = whole.clone();
            let at = usize::try_from(segment.p_offset).unwrap() + entry * 16 + 8;
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            fs::remove_file(fixture.at("app")).unwrap();
            fixture.write("app", &bytes);
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(fixture.at("app"), mode).unwrap();
            let loader = Loader::open(&root);
            let mut closure = loader.closure(&fixture.at("app"));
            Symbols::new(&loader).examine(&mut closure);
            let is_unexamined = |p: &Problem| matches!(p, Problem::Unexamined { .. });
            unexamined += usize::from(closure.problems.iter().any(is_unexamined));
        }
    }
    assert!(unexamined > 10, "{unexamined}");
    // The tables themselves.
    let hash = dynamic.info.gnu_hash.or(dynamic.info.hash).unwrap();
    let start = usize::try_from(hash).unwrap();
    for at in (start..start + 1024).step_by(16) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        fixture.write("app", &bytes);
        let loader = Loader::open(&root);
        let mut closure = loader.closure(&fixture.at("app"));
        Symbols::new(&loader).examine(&mut closure);
    }
}

/// The programs in the directories that hold most of them.
#[test]
fn programs_here_lack_what_ldd_says_they_lack() {
    if !Path::new(REAL_LOADER).exists() {
        return; // not a glibc system for x86-64
    }
    let root = RootDir::open("/").unwrap();
    let loader = Loader::open(&root);
    let symbols = Symbols::new(&loader);
    let directories = ["/usr/bin", "/usr/sbin", "/usr/lib/systemd"];
    let paths = directories.iter().flat_map(|directory| {
        let entries = fs::read_dir(directory).into_iter().flatten();
        let mut paths: Vec<String> = entries
            .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
            .filter(|path| {
                let object = loader.object(path);
                object.is_some_and(|o| o.is_dynamic && o.interpreter.is_some())
            })
            .collect();
        paths.sort();
        let step = (paths.len() / 70).max(1);
        paths.into_iter().step_by(step).collect::<Vec<_>>()
    });
    let paths: Vec<String> = paths.collect();
    let all: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
    let scan = symbols.scan(&all);
    assert_eq!(scan.programs, paths.len());
    let queue = Mutex::new(paths.iter());
    let real = || {
        let mut lacking = Vec::new();
        loop {
            let next = queue.lock().unwrap().next();
            let Some(path) = next else { return lacking };
            let symbols = ldd(path);
            if !symbols.is_empty() {
                lacking.push((path.clone(), symbols));
            }
        }
    };
    let mut theirs = std::thread::scope(|scope| {
        let beside = scope.spawn(real);
        let mut found = real();
        found.extend(beside.join().unwrap());
        found
    });
    theirs.sort();
    let broken = scan
        .broken
        .iter()
        .filter(|closure| closure.starts() || closure.undefined.is_some());
    let mut ours: Vec<(String, BTreeSet<String>)> = broken
        .map(|closure| {
            let undefined = closure.undefined.iter().flatten();
            (
                closure.program.clone(),
                undefined.map(|u| u.symbol.clone()).collect(),
            )
        })
        .collect();
    ours.sort();
    assert_eq!(ours, theirs, "{:#?}", scan.broken);
}
