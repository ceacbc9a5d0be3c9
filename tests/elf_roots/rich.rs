//! Servers with much on them: a JDK, wheels, a browser, vendors' bundles, and
//! files for other machines. All of it healthy.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::lab::{base, cache};

/// What each has beside the lab's server.
const PACKAGES: &str = "\
    default-jre-headless python3-numpy python3-lxml python3-pil libxml-libxml-perl \
    libdbd-pg-perl libdbd-sqlite3-perl firefox-esr imagemagick ffmpeg postgresql \
    nginx php-cli smbclient gcc libc6-dev musl-tools libc6-arm64-cross";

/// Programs and libraries of a second architecture.
const I386: &str = "libc6:i386 zlib1g:i386 hello:i386";

const BEFORE_TRIXIE: &str = "libgtk-3-0 libqt5widgets5";

// Since Debian 13 no essential package brings /bin/login.
const SINCE_TRIXIE: &str = "login libgtk-3-0t64 libqt6widgets6";

const CONFIGURE: &str = include_str!("rich-root.sh");

/// Merges /usr before anything is unpacked.
const MERGE: &str = "for d in bin sbin lib lib32 lib64 libx32; do \
    mkdir -p \"$1/usr/$d\"; ln -s usr/$d \"$1/$d\"; done";

/// A release that rich roots are made of.
#[derive(Debug, Clone, Copy)]
pub enum Rich {
    Bullseye,
    Bookworm,
    Trixie,
    Sid,
}

impl Rich {
    pub const ALL: [Self; 4] = [Self::Bullseye, Self::Bookworm, Self::Trixie, Self::Sid];

    fn suite(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// One of them has a single architecture, as most servers.
    fn has_i386(self) -> bool {
        !matches!(self, Self::Trixie)
    }

    fn packages(self) -> String {
        let own = match self {
            Self::Bullseye | Self::Bookworm => BEFORE_TRIXIE,
            Self::Trixie | Self::Sid => SINCE_TRIXIE,
        };
        let foreign = if self.has_i386() { I386 } else { "" };
        let all = [base::PACKAGES, PACKAGES, own, foreign].map(str::split_whitespace);
        all.into_iter().flatten().collect::<Vec<_>>().join(",")
    }

    /// Its tree, never written to.
    pub fn root(self) -> Result<PathBuf> {
        let packages = self.packages();
        let inputs = [
            self.suite(),
            &packages,
            CONFIGURE,
            base::CONFIGURE,
            base::ROOT_UUID,
            base::ARRAY_UUID,
        ];
        let entry = cache::entry(&self.to_string(), &inputs, |dir| {
            let hook = dir.join("enrich");
            std::fs::write(&hook, CONFIGURE)
                .with_context(|| format!("writing {}", hook.display()))?;
            let mut more = vec![format!("--customize-hook=sh {} \"$1\"", hook.display())];
            if self.has_i386() {
                more.push("--architectures=amd64,i386".to_owned());
            }
            // As Debian's installer has made them since Debian 10.
            if matches!(self, Self::Bullseye) {
                more.push(format!("--setup-hook={MERGE}"));
            }
            // Its index says that it is good for a week; a mirror may be older.
            if matches!(self, Self::Sid) {
                more.push("--aptopt=Acquire::Check-Valid-Until \"false\"".to_owned());
            }
            base::install(self.suite(), &packages, dir, &more)
        })?;
        Ok(entry.join("root"))
    }
}

impl fmt::Display for Rich {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rich-{}", self.suite())
    }
}
