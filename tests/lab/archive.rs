//! An archive of packages made by Debian's own tools, and a web server before
//! it that can be told to misbehave.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};

use super::case::REPACK;
use super::run;
use super::suite::Suite;

/// `dists/CODENAME` and `pool`, signed.
pub struct Archive {
    folder: PathBuf,
    release: Suite,
    // Its path is short: the agent of gpg listens at a socket in it (unix(7)).
    gnupg: tempfile::TempDir,
}

/// The indexes, as the administrators of an archive make them.
const INDEX: &str = r#"
mkdir -p dists/$CODENAME/main/binary-amd64
apt-ftparchive --arch amd64 packages pool > dists/$CODENAME/main/binary-amd64/Packages
xz -kf dists/$CODENAME/main/binary-amd64/Packages
gzip -kf dists/$CODENAME/main/binary-amd64/Packages
apt-ftparchive -o APT::FTPArchive::Release::Origin=Debian \
    -o APT::FTPArchive::Release::Suite=$SUITE \
    -o APT::FTPArchive::Release::Codename=$CODENAME \
    -o APT::FTPArchive::Release::Architectures=amd64 \
    -o APT::FTPArchive::Release::Components=main \
    release dists/$CODENAME > ../Release
mv ../Release dists/$CODENAME/
"#;

const SIGN: &str = r#"
gpg() { command gpg --homedir "$GNUPG" --batch --yes --quiet --no-tty "$@"; }
gpg --clearsign --output dists/$CODENAME/InRelease dists/$CODENAME/Release
gpg --armor --detach-sign --output dists/$CODENAME/Release.gpg dists/$CODENAME/Release
"#;

const KEY: &str = r#"
gpg() { command gpg --homedir "$GNUPG" --batch --yes --quiet --no-tty "$@"; }
gpg --passphrase '' --quick-generate-key 'Archive of the lab <lab@example>' rsa2048 cert,sign never
gpg --export > key.gpg
"#;

impl Archive {
    /// An empty one of a release in `work`, with a key of its own.
    pub fn new(work: &Path, release: Suite) -> Result<Self> {
        let archive = Self {
            folder: work.join("archive"),
            release,
            gnupg: tempfile::tempdir()?,
        };
        fs::create_dir_all(archive.folder.join("pool"))?;
        archive.shell(KEY)?;
        Ok(archive)
    }

    fn shell(&self, script: &str) -> Result<()> {
        let mut command = run::strict(script);
        command.env("GNUPG", self.gnupg.path());
        let suite = match self.release {
            Suite::Bullseye => "oldoldstable",
            Suite::Bookworm => "oldstable",
            Suite::Trixie => "stable",
            Suite::Forky => "testing",
        };
        command.env("CODENAME", self.release.name());
        command.env("SUITE", suite);
        run::output("making the archive", command.current_dir(&self.folder))?;
        Ok(())
    }

    /// Puts packages of an installed system into it.
    pub fn repack(&self, root: &Path, names: &[&str]) -> Result<()> {
        let script = format!("{REPACK}\nrepack {}", names.join(" "));
        let mut command = run::strict(&script);
        command.env("REPACK_TO", self.pool());
        run::output("repacking", command.current_dir(root))?;
        Ok(())
    }

    /// Makes its indexes, and signs them.
    pub fn publish(&self) -> Result<()> {
        self.shell(INDEX)?;
        self.shell(SIGN)
    }

    /// Where packages are put.
    pub fn pool(&self) -> PathBuf {
        self.folder.join("pool")
    }

    /// A file of the suite.
    pub fn suite(&self, name: &str) -> PathBuf {
        let suite = self.folder.join("dists").join(self.release.name());
        suite.join(name)
    }

    /// The public key.
    pub fn key(&self) -> PathBuf {
        self.folder.join("key.gpg")
    }

    /// Serves it until the program ends.
    pub fn serve(&self) -> Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a port to serve at")?;
        let server = Server {
            port: listener.local_addr()?.port(),
            asked: Arc::default(),
            instead: Arc::default(),
        };
        let (asked, instead) = (Arc::clone(&server.asked), Arc::clone(&server.instead));
        let folder = self.folder.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &folder, &asked, &instead);
            }
        });
        Ok(server)
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        let mut stop = Command::new("gpgconf");
        stop.arg("--homedir").arg(self.gnupg.path());
        let _ = stop.args(["--kill", "all"]).output();
    }
}

type Asked = Arc<Mutex<Vec<String>>>;
type Instead = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A server that runs.
pub struct Server {
    port: u16,
    asked: Asked,
    instead: Instead,
}

impl Server {
    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The packages it was asked for since the last time.
    pub fn packages_asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap_or_else(|e| e.into_inner());
        let all = std::mem::take(&mut *asked);
        all.into_iter()
            .filter(|path| path.ends_with(".deb"))
            .collect()
    }

    /// Whatever path ends so is answered with these bytes from now on.
    pub fn answer_instead(&self, end: &str, answer: &[u8]) {
        let mut instead = self.instead.lock().unwrap_or_else(|e| e.into_inner());
        instead.insert(end.to_owned(), answer.to_owned());
    }

    /// Answers as it should again.
    pub fn behave(&self) {
        self.instead
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .clear();
    }
}

fn answer(mut stream: TcpStream, folder: &Path, asked: &Asked, instead: &Instead) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path
        .replace("%2b", "+")
        .replace("%7e", "~")
        .replace("%25", "%");
    asked
        .lock()
        .unwrap_or_else(|e| e.into_inner())
        .push(path.clone());
    let other = {
        let instead = instead.lock().unwrap_or_else(|e| e.into_inner());
        instead
            .iter()
            .find(|(end, _)| path.ends_with(*end))
            .map(|(_, answer)| answer.clone())
    };
    if let Some(other) = other {
        stream.write_all(&other)?;
        return Ok(());
    }
    let Ok(file) = File::open(folder.join(path.trim_start_matches('/'))) else {
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(());
    };
    let length = file.metadata()?.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    std::io::copy(&mut file.take(length), &mut stream)?;
    Ok(())
}
