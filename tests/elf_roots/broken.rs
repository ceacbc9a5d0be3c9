//! A bookworm root broken in many ways: the loader and Lifeboot still agree,
//! and each way does harm.

use std::path::Path;

use anyhow::{Result, ensure};
use lifeboot::facts::elf::{Closure, Problem};

use crate::lab::mounts::Overlay;
use crate::lab::suite::Suite;
use crate::lab::{base, run};

/// A library that only the cache leads to.
macro_rules! only_by_cache {
    () => {
        "mkdir opt/lib; mv usr/lib/x86_64-linux-gnu/libzstd.so.1* opt/lib; \
         echo /opt/lib > etc/ld.so.conf.d/opt.conf; chroot . ldconfig; "
    };
}

/// Libraries for newer processors.
macro_rules! hwcaps {
    () => {
        "cd usr/lib/x86_64-linux-gnu; for l in 2 3 4; do \
         d=glibc-hwcaps/x86-64-v$l; mkdir -p $d; cp libz.so.1 libcap.so.2 $d; done; \
         cd ../../..; "
    };
}

/// `/usr/lib/libfirst.so`, which needs libgone.so.
macro_rules! preload {
    () => {
        "cd usr/lib; echo 'int gone(void) { return 1; }' | \
         gcc -x c -shared -fPIC -o libgone.so -; \
         gcc -shared -fPIC -Wl,--no-as-needed -o libfirst.so libgone.so; cd ../..; "
    };
}

/// One way to break a root.
pub struct Broken {
    pub name: &'static str,
    /// bash, in the root; `BULLSEYE` is the path of an older server.
    script: &'static str,
    /// What happens to how many files at least.
    effect: Effect,
    least: usize,
}

/// What is to be seen on one file.
#[derive(Debug, Clone, Copy)]
enum Effect {
    Missing,
    Refused,
    Version,
    /// A library is found at a path with this in it.
    Found(&'static str),
    /// It starts, with a message of the loader's.
    Warning,
}

pub const ALL: [Broken; 16] = [
    Broken {
        name: "library-removed",
        script: "rm usr/lib/x86_64-linux-gnu/libcrypto.so.3",
        effect: Effect::Missing,
        least: 20,
    },
    Broken {
        name: "library-empty",
        script: ": > usr/lib/x86_64-linux-gnu/libselinux.so.1",
        effect: Effect::Refused,
        least: 20,
    },
    Broken {
        name: "link-loop",
        script: "ln -sf libcap.so.2 usr/lib/x86_64-linux-gnu/libcap.so.2",
        effect: Effect::Missing,
        least: 20,
    },
    Broken {
        name: "cache-removed",
        script: concat!(only_by_cache!(), "rm etc/ld.so.cache"),
        effect: Effect::Missing,
        least: 20,
    },
    Broken {
        name: "cache-cut",
        script: concat!(only_by_cache!(), "truncate -s 3000 etc/ld.so.cache"),
        effect: Effect::Missing,
        least: 20,
    },
    Broken {
        name: "cache-no-magic",
        script: concat!(
            only_by_cache!(),
            "printf garbage | dd of=etc/ld.so.cache conv=notrunc"
        ),
        effect: Effect::Missing,
        least: 20,
    },
    Broken {
        name: "cache-name-lost",
        script: concat!(
            only_by_cache!(),
            "sed -i s/libzstd.so.1/libzzzz.so.9/g etc/ld.so.cache"
        ),
        effect: Effect::Missing,
        least: 20,
    },
    Broken {
        name: "cache-overwritten",
        script: concat!(
            only_by_cache!(),
            "size=$(stat -c %s etc/ld.so.cache); \
             head -c $((size / 2)) /dev/zero | tr '\\0' '\\377' | \
             dd of=etc/ld.so.cache bs=1 seek=64 conv=notrunc"
        ),
        effect: Effect::Missing,
        least: 20,
    },
    Broken {
        name: "runpath-lost",
        script: "mv usr/lib/x86_64-linux-gnu/systemd usr/lib/x86_64-linux-gnu/away",
        effect: Effect::Missing,
        least: 20,
    },
    Broken {
        name: "not-in-cache",
        script: "mkdir opt/lib; mv usr/lib/x86_64-linux-gnu/libzstd.so.1* opt/lib; \
                 echo /opt/lib > etc/ld.so.conf.d/opt.conf",
        effect: Effect::Missing,
        least: 20,
    },
    Broken {
        name: "hwcaps",
        script: concat!(hwcaps!(), "chroot . ldconfig"),
        effect: Effect::Found("/glibc-hwcaps/"),
        least: 20,
    },
    Broken {
        name: "hwcaps-not-in-cache",
        script: concat!(hwcaps!(), "rm etc/ld.so.cache"),
        effect: Effect::Found("/glibc-hwcaps/"),
        least: 20,
    },
    Broken {
        name: "preload-missing",
        script: "echo /usr/lib/libnothing.so > etc/ld.so.preload",
        effect: Effect::Warning,
        least: 500,
    },
    Broken {
        name: "preload-loaded",
        script: concat!(preload!(), "echo /usr/lib/libfirst.so > etc/ld.so.preload"),
        effect: Effect::Found("/libgone.so"),
        least: 500,
    },
    Broken {
        name: "preload-broken",
        script: concat!(
            preload!(),
            "echo /usr/lib/libfirst.so > etc/ld.so.preload; rm usr/lib/libgone.so"
        ),
        effect: Effect::Missing,
        least: 500,
    },
    Broken {
        name: "libc-of-bullseye",
        script: "cp BULLSEYE/lib/x86_64-linux-gnu/libc-2.31.so \
                 usr/lib/x86_64-linux-gnu/libc.so.6",
        effect: Effect::Version,
        least: 200,
    },
];

impl Broken {
    /// A bookworm root that is broken this way, in the folder `work`.
    pub fn root(&self, work: &Path) -> Result<Overlay> {
        let overlay = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
        let mut script = self.script.to_owned();
        if script.contains("BULLSEYE") {
            let older = base::root(Suite::Bullseye)?;
            script = script.replace("BULLSEYE", &older.to_string_lossy());
        }
        run::shell("breaking the root", overlay.path(), &script)?;
        Ok(overlay)
    }

    /// Fails when the root is not broken.
    pub fn did_harm(&self, closures: &[Closure]) -> Result<()> {
        let hit = closures.iter().filter(|c| self.effect.is_seen(c)).count();
        ensure!(
            hit >= self.least,
            "{:?} on {hit} files, expected are {}",
            self.effect,
            self.least
        );
        Ok(())
    }
}

impl Effect {
    fn is_seen(self, closure: &Closure) -> bool {
        closure.problems.iter().any(|problem| match self {
            Self::Missing => matches!(
                problem,
                Problem::LibraryMissing { .. } | Problem::LinkLoop { .. }
            ),
            Self::Refused => matches!(problem, Problem::LibraryDamaged { .. }),
            Self::Version => matches!(problem, Problem::VersionMissing { .. }),
            Self::Warning => matches!(problem, Problem::PreloadIgnored { .. }),
            Self::Found(_) => false,
        }) || matches!(self, Self::Found(part)
                if closure.objects.iter().any(|object| object.path.contains(part)))
    }
}
