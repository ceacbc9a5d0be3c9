//! What each odd path should have, where something well-founded says so.

use std::collections::BTreeMap;
use std::io::Read;

use rayon::prelude::*;

use super::want::Want;
use super::{Judged, Says, Search};
use crate::facts::integrity::owned::split;
use crate::facts::integrity::rights::Rights;
use crate::facts::integrity::scripts::{Everyone, Scripts};
use crate::facts::integrity::shipped::{Archives, Shipped};
use crate::sys::root_dir::Kind;

/// Where packages put what nobody changes (hier(7)), below / or /usr.
const STATIC: [&str; 11] = [
    "bin", "games", "include", "lib", "lib32", "lib64", "libexec", "libx32", "sbin", "share", "src",
];

/// Programs that may open raw sockets by a capability of their file, or by
/// their owner's rights where the package could not set one (their postinst).
const CAPABLE: [&str; 2] = ["bin/ping", "bin/mtr-packet"];

/// Packages whose archives are read at once.
const AT_ONCE: usize = 64;

/// What says how the paths of a package should be.
#[derive(Default)]
struct Sources {
    scripts: Scripts,
    shipped: Option<Shipped>,
}

impl Judged {
    /// Without a leading `usr/`.
    fn inside(&self) -> &str {
        self.real.strip_prefix("usr/").unwrap_or(&self.real)
    }

    /// In a place where nobody but packages changes anything.
    fn is_static(&self) -> bool {
        let top = self.inside().split('/').next().unwrap_or_default();
        STATIC.contains(&top)
    }
}

impl Search<'_> {
    pub(super) fn judge(&mut self, claims: &BTreeMap<u32, Vec<Judged>>) {
        let archives = Archives::of(self.root, self.scope.whole);
        let packages: Vec<&Vec<Judged>> = claims.values().collect();
        for some in packages.chunks(AT_ONCE) {
            let read = some.par_iter().map(|paths| self.sources(paths, &archives));
            let read: Vec<Sources> = read.collect();
            for (paths, sources) in some.iter().zip(read) {
                self.found.archives += usize::from(sources.shipped.is_some());
                self.judge_package(paths, &sources);
            }
        }
    }

    /// What says how the paths of one package should be.
    fn sources(&self, paths: &[Judged], archives: &Archives<'_>) -> Sources {
        let Some(first) = paths.first() else {
            return Sources::default();
        };
        let package = &self.owned.owner(first.claim).package;
        let is_asked = !archives.is_empty() && (self.scope.whole || self.odd(paths).count() > 0);
        Sources {
            scripts: Scripts::of(self.root, &self.owned.home, package),
            shipped: is_asked
                .then(|| archives.of_package(package, &self.accounts))
                .flatten(),
        }
    }

    fn odd<'p>(&self, paths: &'p [Judged]) -> impl Iterator<Item = &'p Judged> {
        let odd = paths.iter().filter(|path| self.is_odd(path));
        odd.collect::<Vec<_>>().into_iter()
    }

    fn judge_package(&mut self, paths: &[Judged], sources: &Sources) {
        let Sources { scripts, shipped } = sources;
        let asked: Vec<&Judged> = match shipped {
            Some(_) => paths.iter().collect(),
            None => self.odd(paths).collect(),
        };
        for path in asked {
            let want = self.expected(path, scripts, shipped.as_ref());
            self.tell_of(path, want);
        }
        for path in paths {
            let want = self.given(path, scripts);
            self.tell_of(path, want);
            self.capability(path, scripts);
        }
    }

    fn tell_of(&mut self, path: &Judged, want: Option<Want>) {
        if let Some(want) = want {
            let package = self.owned.owner(path.claim).package.name.clone();
            self.tell(&path.real, Some(package), path.rights, want);
        }
    }

    /// What is not as nearly everything is, or lost what it is known to have.
    fn is_odd(&self, path: &Judged) -> bool {
        let Rights { mode, uid, .. } = path.rights;
        let usual: &[u32] = match path.kind {
            Kind::Directory => &[0o755],
            _ => &[0o644, 0o755],
        };
        let known = self.known.shipped_mode(path.inside()).is_some();
        !usual.contains(&mode) || uid != 0 || known || self.is_no_program(path)
    }

    /// A file without an execute bit in a directory of programs.
    fn is_no_program(&self, path: &Judged) -> bool {
        let directory = path
            .inside()
            .rsplit_once('/')
            .map(|(directory, _)| directory);
        path.kind == Kind::File
            && path.rights.mode & 0o111 == 0
            && matches!(directory, Some("bin" | "sbin"))
    }

    /// What an odd path should have, where something well-founded says so.
    fn expected(
        &self,
        path: &Judged,
        scripts: &Scripts,
        shipped: Option<&Shipped>,
    ) -> Option<Want> {
        // Searched for last: it takes the longest.
        let excused = || scripts.may_change(&path.real) || self.is_changed_by_others(path);
        if let Some(shipped) = shipped {
            let want = shipped.get(self.owned.path(path.claim))?;
            let file = shipped.file.clone();
            let want = Want::exactly(want, path.kind, Says::Archive { file });
            let wrong = !want.fits(&path.rights) && self.is_told_of(path, &want);
            return (wrong && !excused()).then_some(want);
        }
        if let Some(mode) = self.known.shipped_mode(path.inside()) {
            let want = Want {
                mode: Some(mode),
                uid: Some(0),
                is_file: true,
                ..Want::of(Says::Debian)
            };
            let lost = mode & 0o6000 & !path.rights.mode != 0;
            return ((lost || path.rights.uid != 0) && !excused()).then_some(want);
        }
        if !path.is_static() || path.kind != Kind::File {
            return None;
        }
        self.neighbourly(path).filter(|_| !excused())
    }

    fn is_changed_by_others(&self, path: &Judged) -> bool {
        let all = || {
            let packages = self.owned.packages.iter().map(|owner| &owner.package);
            let packages: Vec<_> = packages.collect();
            Everyone::of(self.root, &self.owned.home, &packages)
        };
        !path.is_static() && self.everyone.get_or_init(all).may_change(&path.real)
    }

    /// Directories are changed by many: only what harms is told of them.
    fn is_told_of(&self, path: &Judged, want: &Want) -> bool {
        let Rights { mode, uid, .. } = path.rights;
        let mode_want = want.mode.unwrap_or(mode);
        let disowned = want.uid != Some(uid) && self.accounts.is_no_service(uid);
        let lacks = mode_want & !mode & 0o555 != 0;
        match path.kind {
            Kind::Directory if path.is_shared => false,
            Kind::Directory => disowned || (path.is_static() && lacks),
            _ => true,
        }
    }

    /// What the other files of its directory say.
    fn neighbourly(&self, path: &Judged) -> Option<Want> {
        let directory = split(path.real.as_bytes()).0.as_os_str().as_encoded_bytes();
        let Rights { mode, uid, .. } = path.rights;
        let by = |same, of| Want {
            is_file: true,
            ..Want::of(Says::Neighbours { same, of })
        };
        if let Some(usual) = self.neighbours.uid(directory)
            && usual.value != uid
            && self.accounts.is_no_service(uid)
        {
            return Some(Want {
                uid: Some(usual.value),
                ..by(usual.same, usual.of)
            });
        }
        if mode & 0o6000 != 0 {
            return None;
        }
        let is_program = mode & 0o111 != 0;
        let lost = !is_program && self.is_no_program(path) && self.is_elf(path);
        let usual = self.neighbours.mode(directory, is_program || lost)?;
        let lacks = usual.value & !mode & 0o555 != 0;
        let too_open = mode & !usual.value & 0o022 != 0;
        (lacks || too_open).then(|| Want {
            mode: Some(usual.value),
            ..by(usual.same, usual.of)
        })
    }

    fn is_elf(&self, path: &Judged) -> bool {
        let mut start = [0; 4];
        let file = self.root.open_file(format!("/{}", path.real));
        file.and_then(|mut file| file.read_exact(&mut start))
            .is_ok()
            && start == *b"\x7fELF"
    }

    /// What a literal line of the package's postinst gives a path.
    fn given(&self, path: &Judged, scripts: &Scripts) -> Option<Want> {
        let assigned = scripts.assigned(&path.real)?;
        let says = Says::Script {
            file: scripts.file.clone(),
        };
        let Rights { mode, uid, .. } = path.rights;
        if let Some(wanted) = assigned.mode.filter(|mode| mode & 0o6000 != 0)
            && path.kind == Kind::File
            && mode & 0o6000 == 0
        {
            return Some(Want {
                mode: Some(wanted),
                is_file: true,
                ..Want::of(says)
            });
        }
        // Another service's user was put there on purpose.
        let wanted = self.accounts.user(assigned.user.as_ref()?.as_bytes())?;
        (wanted != uid && self.accounts.is_no_service(uid)).then(|| Want {
            uid: Some(wanted),
            is_file: path.kind == Kind::File,
            ..Want::of(says)
        })
    }

    fn capability(&mut self, path: &Judged, scripts: &Scripts) {
        if CAPABLE.contains(&path.inside())
            && path.rights.mode & 0o4000 == 0
            && path.rights.mode & 0o111 != 0
            && scripts.gives_capability(&path.real)
        {
            let path = format!("/{}", path.real);
            if let Ok(false) = self.root.has_capabilities(&path) {
                self.found.without_capability.push(path);
            }
        }
    }
}
