//! What a program loads, as a tree, and what is missing of it.

use std::collections::HashMap;

use super::Page;
use crate::facts::elf::scan::Scan;
use crate::facts::elf::{Closure, Loaded, Problem, SymbolScan};

/// Most levels of a tree; deeper ones are shown at this one.
const DEPTH_MAX: usize = 32;

/// Broken programs and libraries that are shown of a whole root.
const SHOWN_MAX: usize = 200;

/// Undefined symbols that are shown of one program.
const SYMBOLS_MAX: usize = 20;

/// The tree of what `closure` loads, each file where it is first asked for.
pub fn tree(closure: &Closure) -> String {
    let mut page = Page::default();
    head(&mut page, closure);
    let own = closure.path.as_deref().unwrap_or(&closure.program);
    let mut below = Below::new(closure);
    children(&mut page, &mut below, own, "", 0);
    for problem in below.rest() {
        page.item("! ", 2, &problem.to_string());
    }
    for said in undefined(closure) {
        page.item("! ", 2, &said);
    }
    if closure.undefined.as_ref().is_some_and(Vec::is_empty) {
        page.line("every symbol is defined");
    }
    page.finish()
}

/// Only what is missing or refused.
pub fn missing(closure: &Closure) -> String {
    let mut page = Page::default();
    let mut said: Vec<String> = closure.problems.iter().map(told).collect();
    said.extend(undefined(closure));
    if said.is_empty() {
        return page.finish();
    }
    head(&mut page, closure);
    page.branches(&said);
    page.finish()
}

/// What is undefined, the worst first.
fn undefined(closure: &Closure) -> Vec<String> {
    let all = closure.undefined.iter().flatten();
    let mut said: Vec<String> = all.map(ToString::to_string).collect();
    if let Some(more) = said.len().checked_sub(SYMBOLS_MAX).filter(|n| *n > 0) {
        said.truncate(SYMBOLS_MAX);
        said.push(format!("and {more} more symbols: --json lists them"));
    }
    said
}

/// The symbols of all programs that were asked about.
pub fn symbol_scan(scan: &SymbolScan) -> String {
    let refused = scan.broken.iter().filter(|closure| !closure.starts());
    let mut page = Page::default();
    page.line(&format!(
        "{} programs of the boot: {} would be refused",
        scan.programs,
        refused.count()
    ));
    page.finish() + &each_missing(&scan.broken)
}

/// The chain from the program to each loaded file that `name` means: its path,
/// or the name that it was asked for by.
pub fn why(closure: &Closure, name: &str) -> Option<String> {
    let means = |object: &&Loaded| {
        [&object.name, &object.path, &object.real_path]
            .iter()
            .any(|known| known.as_str() == name || known.rsplit('/').next() == Some(name))
    };
    let mut page = Page::default();
    for object in closure.objects.iter().filter(means) {
        let mut chain = vec![object];
        while let Some(asking) = chain
            .last()
            .and_then(|last| {
                closure
                    .objects
                    .iter()
                    .find(|o| o.real_path == last.needed_by)
            })
            .filter(|asking| chain.iter().all(|known| known.path != asking.path))
        {
            chain.push(asking);
        }
        page.line(&closure.program);
        for (depth, link) in chain.iter().rev().enumerate() {
            let first = format!("{}`- needs ", "   ".repeat(depth.min(DEPTH_MAX)));
            let rest = first.len();
            page.item(&first, rest, &format!("{}  {}", link.name, link.path));
        }
    }
    for problem in &closure.problems {
        if let Problem::LibraryMissing {
            name: missing,
            needed_by,
            ..
        } = problem
            && missing == name
        {
            page.line(&format!(
                "{}: {needed_by} needs {name}, which is not found",
                closure.program
            ));
        }
    }
    let text = page.finish();
    (!text.is_empty()).then_some(text)
}

/// The sum of a whole root.
pub fn scan(scan: &Scan) -> String {
    let mut page = Page::default();
    page.line(&format!(
        "{} programs and {} libraries: {} would be refused",
        scan.programs,
        scan.libraries,
        scan.broken
            .iter()
            .filter(|closure| !closure.starts())
            .count()
    ));
    match scan.nested_roots {
        0 => {}
        1 => page.line("1 directory holds another system and was left out"),
        count => page.line(&format!(
            "{count} directories hold other systems and were left out"
        )),
    }
    match scan.foreign {
        0 => {}
        count => page.line(&format!(
            "{count} programs are for another machine, and this root has no loader for them"
        )),
    }
    match scan.scripts.len() {
        0 => {}
        1 => page.line("1 script has no interpreter: --json tells which"),
        count => page.line(&format!(
            "{count} scripts have no interpreter: --json tells which"
        )),
    }
    match scan.suspects.len() {
        0 => {}
        count => page.item(
            "",
            2,
            &format!(
                "{count} plugins or bundled programs do not load by themselves, and may in \
                 what uses them: --json lists them"
            ),
        ),
    }
    if scan.cut_short {
        page.line("! there are more files than are looked at");
    }
    let mut text = page.finish();
    text.push_str(&each_missing(&scan.broken));
    text
}

fn each_missing(closures: &[Closure]) -> String {
    let mut text: String = closures.iter().take(SHOWN_MAX).map(missing).collect();
    if let Some(more) = closures.len().checked_sub(SHOWN_MAX).filter(|n| *n > 0) {
        text.push_str(&format!("... and {more} more: --json lists them\n"));
    }
    text
}

fn head(page: &mut Page, closure: &Closure) {
    let mut line = closure.program.clone();
    if let Some(path) = closure
        .path
        .as_ref()
        .filter(|path| **path != closure.program)
    {
        line.push_str(&format!("  -> {path}"));
    }
    if let Some(interpreter) = &closure.interpreter {
        line.push_str(&format!("  (started by {interpreter})"));
    }
    page.line(&line);
}

/// What hangs below each file, until it is shown.
struct Below<'c> {
    objects: HashMap<&'c str, Vec<&'c Loaded>>,
    problems: Vec<Option<&'c Problem>>,
}

impl<'c> Below<'c> {
    fn new(closure: &'c Closure) -> Self {
        let mut objects: HashMap<&str, Vec<&Loaded>> = HashMap::new();
        for object in &closure.objects {
            objects.entry(&object.needed_by).or_default().push(object);
        }
        Self {
            objects,
            problems: closure.problems.iter().map(Some).collect(),
        }
    }

    /// What the file at the real path `parent` asks for first, as lines, with
    /// the file of each.
    fn take(&mut self, parent: &str) -> Vec<(String, Option<&'c Loaded>)> {
        let objects = self.objects.remove(parent).unwrap_or_default();
        let mut own: Vec<_> = objects.into_iter().map(|o| (line(o), Some(o))).collect();
        let problems = self.problems.iter_mut();
        let of_parent = problems.filter(|p| p.and_then(needed_by) == Some(parent));
        own.extend(
            of_parent
                .filter_map(Option::take)
                .map(|problem| (format!("! {}", told(problem)), None)),
        );
        own
    }

    /// The problems of no file that was shown.
    fn rest(self) -> impl Iterator<Item = &'c Problem> {
        self.problems.into_iter().flatten()
    }
}

/// Shows what the file at the real path `parent` asks for first.
fn children(page: &mut Page, below: &mut Below<'_>, parent: &str, prefix: &str, depth: usize) {
    let own = below.take(parent);
    let last = own.len().saturating_sub(1);
    for (index, (text, object)) in own.into_iter().enumerate() {
        let (first, rest) = if index == last {
            ("`- ", "   ")
        } else {
            ("|- ", "|  ")
        };
        page.node(
            &format!("{prefix}{first}"),
            &format!("{prefix}{rest}"),
            &text,
        );
        if let Some(object) = object.filter(|object| object.real_path != parent) {
            let deeper = if depth < DEPTH_MAX {
                format!("{prefix}{rest}")
            } else {
                prefix.to_owned()
            };
            children(page, below, &object.real_path, &deeper, depth + 1);
        }
    }
}

fn line(object: &Loaded) -> String {
    let mut text = object.path.clone();
    if object.name != object.path {
        text = format!("{}  {text}", object.name);
    }
    // That `/lib` is `/usr/lib` is known; another name is worth a word.
    let (real, path) = (&object.real_path, &object.path);
    let merged = real.strip_prefix("/usr").unwrap_or(real);
    if merged != path && real != path {
        let same_place = directory(merged) == directory(path) || directory(real) == directory(path);
        let name = real.rsplit('/').next().unwrap_or(real);
        text.push_str(&format!(" -> {}", if same_place { name } else { real }));
    }
    text
}

fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn needed_by(problem: &Problem) -> Option<&str> {
    match problem {
        Problem::LibraryMissing { needed_by, .. }
        | Problem::LibraryDamaged { needed_by, .. }
        | Problem::WrongMachine { needed_by, .. }
        | Problem::VersionMissing { needed_by, .. }
        | Problem::InterpreterMissing { needed_by, .. }
        | Problem::InterpreterDamaged { needed_by, .. } => Some(needed_by),
        Problem::LinkLoop { needed_by, .. } => needed_by.as_deref(),
        _ => None,
    }
}

/// A problem with what helps to understand it.
fn told(problem: &Problem) -> String {
    match problem {
        Problem::LibraryMissing {
            name,
            searched,
            found_elsewhere,
            not_in_cache,
            ..
        } => {
            let mut text = format!("{name} NOT FOUND");
            if let Some(path) = not_in_cache {
                text.push_str(&format!(
                    "; {path} is not in /etc/ld.so.cache: run ldconfig"
                ));
            } else if !found_elsewhere.is_empty() {
                text.push_str(&format!("; there is {}", found_elsewhere.join(", ")));
            } else if !searched.is_empty() {
                text.push_str(&format!("; looked in {}", searched.join(":")));
            }
            text
        }
        Problem::VersionMissing {
            library,
            path,
            version,
            ..
        } => {
            format!("{version} NOT OFFERED by {library} ({path})")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(name: &str, needed_by: &str) -> Loaded {
        Loaded {
            name: name.into(),
            path: format!("/lib/{name}"),
            real_path: format!("/lib/{name}"),
            needed_by: needed_by.into(),
        }
    }

    fn closure() -> Closure {
        Closure {
            program: "/bin/prog".into(),
            path: Some("/bin/prog".into()),
            interpreter: None,
            objects: vec![
                loaded("liba.so", "/bin/prog"),
                loaded("libc.so", "/bin/prog"),
                loaded("libb.so", "/lib/liba.so"),
            ],
            problems: vec![Problem::VersionMissing {
                library: "libc.so".into(),
                path: "/lib/libc.so".into(),
                version: "V2".into(),
                needed_by: "/lib/libb.so".into(),
            }],
            undefined: None,
        }
    }

    #[test]
    fn each_file_hangs_below_the_one_that_asks_first() {
        assert_eq!(
            tree(&closure()),
            "/bin/prog\n\
             |- liba.so  /lib/liba.so\n\
             |  `- libb.so  /lib/libb.so\n\
             |     `- ! V2 NOT OFFERED by libc.so (/lib/libc.so)\n\
             `- libc.so  /lib/libc.so\n"
        );
        assert_eq!(
            missing(&closure()),
            "/bin/prog\n`- V2 NOT OFFERED by libc.so (/lib/libc.so)\n"
        );
    }

    #[test]
    fn a_link_is_told_by_its_name_where_it_stays_in_place() {
        let object = |path: &str, real_path: &str| {
            line(&Loaded {
                name: "libz.so.1".into(),
                path: path.into(),
                real_path: real_path.into(),
                needed_by: String::new(),
            })
        };
        assert_eq!(
            object("/lib/libz.so.1", "/usr/lib/libz.so.1"),
            "libz.so.1  /lib/libz.so.1"
        );
        assert_eq!(
            object("/lib/libz.so.1", "/usr/lib/libz.so.1.3"),
            "libz.so.1  /lib/libz.so.1 -> libz.so.1.3"
        );
        assert_eq!(
            object("/lib/libz.so.1", "/opt/libz.so.1"),
            "libz.so.1  /lib/libz.so.1 -> /opt/libz.so.1"
        );
    }

    #[test]
    fn why_tells_the_chain() {
        assert_eq!(
            why(&closure(), "libb.so").unwrap_or_default(),
            "/bin/prog\n`- needs liba.so  /lib/liba.so\n   `- needs libb.so  /lib/libb.so\n"
        );
        assert_eq!(why(&closure(), "libz.so"), None);
    }
}
