//! The page for a browser: whole, harmless and readable. With
//! `LIFEBOOT_LAB_CORPUS=all` a real browser opens it (scripts/corpus): light,
//! dark, on paper and narrow; the pictures stay in target/.../tmp/html.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn lifeboot(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Text that would be markup, if it were let.
const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&<!--";

/// A server whose /usr/sbin was renamed, with hostile names in its logs.
fn patient() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    for path in ["etc", "usr/bin", "usr/lib", "usr/sbin.<b>", "boot", "root"] {
        fs::create_dir_all(root.join(path)).unwrap();
    }
    for path in ["var/lib/dpkg/info", "var/log/apt"] {
        fs::create_dir_all(root.join(path)).unwrap();
    }
    symlink("bin", root.join("usr/sbin")).unwrap();
    symlink("usr/bin", root.join("bin")).unwrap();
    symlink("usr/sbin", root.join("sbin")).unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    let name = format!("PRETTY_NAME=\"Debian {}\"\n", HOSTILE.replace('"', ""));
    fs::write(root.join("etc/os-release"), name).unwrap();
    fs::write(root.join("etc/hostname"), "<i>host</i>\n").unwrap();
    let status = "Package: tool\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";
    fs::write(root.join("var/lib/dpkg/status"), status).unwrap();
    let mut list = String::from("/.\n/usr\n/usr/sbin\n");
    for name in ["init", "two", "three", "four"] {
        list += &format!("/usr/sbin/{name}\n");
        fs::write(root.join("usr/sbin.<b>").join(name), name).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/info/tool.list"), list).unwrap();
    let log = format!("Start-Date: 2026-11-25  02:00:00\nCommandline: apt-get install {HOSTILE}\n");
    fs::write(root.join("var/log/apt/history.log"), log).unwrap();
    dir
}

/// The page about it.
fn page(dir: &Path) -> (PathBuf, String) {
    let (root, file) = (dir.join("root"), dir.join("page.html"));
    let words = [
        "--root",
        root.to_str().unwrap(),
        "--html",
        file.to_str().unwrap(),
    ];
    let output = lifeboot(&[&["diagnose"][..], &words].concat());
    assert_eq!(output.status.code(), Some(40), "{output:?}");
    assert!(output.stdout.starts_with(b"UNDETERMINED: "), "{output:?}");
    let html = fs::read_to_string(&file).unwrap();
    // No disk was given, so nothing is known of its boot loader.
    assert!(html.contains("<title>bootloader: not looked at</title>"));
    (file, html)
}

const SECTIONS: [&str; 8] = [
    "<header id=\"verdict\"",
    "<section id=\"chain\">",
    "<section id=\"storage\">",
    "<section id=\"findings\">",
    "<section id=\"plan\">",
    "<section id=\"unknown\">",
    "<section id=\"timeline\">",
    "<footer>",
];

#[test]
fn the_page_is_whole_and_harmless() {
    let dir = patient();
    let (_, html) = page(dir.path());
    for part in SECTIONS {
        assert_eq!(html.matches(part).count(), 1, "{part}");
    }
    assert!(html.contains("root/system-directory-replaced"));
    assert!(html.contains("the chain breaks here"), "{html}");
    assert!(
        html.contains("Debian &lt;img src=x onerror=alert(1)&gt;"),
        "{html}"
    );
    assert!(html.contains("apt-get install &lt;img"), "{html}");
    assert!(html.contains("/usr/sbin.&lt;b&gt;"), "{html}");
    assert!(html.contains("host &lt;i&gt;host&lt;/i&gt;"), "{html}");
    for word in [
        "<img", "<script", "<b>", "<i>", "<!--", "<link", "url(", "@import",
    ] {
        assert!(!html.contains(word), "{word}");
    }
    let tags = html
        .split('<')
        .skip(1)
        .map(|rest| rest.split_once('>').unwrap().0);
    for tag in tags.filter(|tag| !tag.starts_with("meta") && !tag.starts_with('!')) {
        for word in ["src=", "href=", "style=", " on"] {
            assert!(!tag.contains(word), "{tag}");
        }
    }
    for tag in [
        "section", "article", "details", "ul", "ol", "li", "p", "svg", "g", "text",
    ] {
        let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
        let opened = html.matches(&format!("{open}>")).count();
        let opened = opened + html.matches(&format!("{open} ")).count();
        assert_eq!(opened, html.matches(&close).count(), "{tag}");
    }
}

#[test]
fn the_page_is_not_written_into_the_patient() {
    let dir = patient();
    let root = dir.path().join("root");
    symlink(root.join("etc"), dir.path().join("elsewhere")).unwrap();
    for file in [
        "root/page.html",
        "root/var/log/page.html",
        "elsewhere/page.html",
    ] {
        let file = dir.path().join(file);
        let words = [
            "--html",
            file.to_str().unwrap(),
            "--root",
            root.to_str().unwrap(),
        ];
        let output = lifeboot(&[&["diagnose"][..], &words].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("lies in the patient"), "{said}");
        assert!(!file.exists());
    }
    let none = dir.path().join("no/such/page.html");
    let output = lifeboot(&[
        "diagnose",
        "--root",
        "/none",
        "--html",
        none.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("no/such/page.html")
    );
}

/// Headless Chromium; what it said, its console included.
fn browser(dir: &Path, words: &[&str], file: &Path) -> Output {
    let profile = format!("--user-data-dir={}", dir.join("profile").display());
    let output = Command::new("chromium")
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args(["--enable-logging=stderr", &profile])
        .args(words)
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium: see scripts/corpus");
    assert!(output.status.success(), "{output:?}");
    output
}

/// Errors of a page, and what its policy kept it from loading.
fn console(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = said.lines().filter(|line| line.contains("CONSOLE"));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_browser_shows_it() {
    if std::env::var("LIFEBOOT_LAB_CORPUS").as_deref() != Ok("all") {
        return;
    }
    let dir = patient();
    // That a page which loads something is heard of.
    let bad = dir.path().join("bad.html");
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">";
    fs::write(&bad, format!("{policy}<img src=\"http://127.0.0.1:9/x\">")).unwrap();
    assert!(!console(&browser(dir.path(), &["--dump-dom"], &bad)).is_empty());

    let (file, html) = page(dir.path());
    let seen = browser(dir.path(), &["--dump-dom"], &file);
    assert_eq!(console(&seen), Vec::<String>::new());
    let dom = String::from_utf8(seen.stdout).unwrap();
    for part in SECTIONS {
        assert_eq!(dom.matches(part).count(), 1, "{part}");
    }
    // Nothing in it was taken for something else than what was written.
    for tag in [
        "<svg", "<article", "<details", "<li", "<code", "<text", "<p",
    ] {
        assert_eq!(dom.matches(tag).count(), html.matches(tag).count(), "{tag}");
    }
    assert!(!dom.contains("<img") && !dom.contains("<script"));

    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("html");
    fs::create_dir_all(&pictures).unwrap();
    let place = |name: &str| pictures.join(name).display().to_string();
    let dark = "--blink-settings=preferredColorScheme=0";
    for (name, size, more) in [
        ("light.png", "--window-size=1280,2000", "--mute-audio"),
        ("dark.png", "--window-size=1280,2000", dark),
        ("narrow.png", "--window-size=400,3000", "--mute-audio"),
    ] {
        let shot = format!("--screenshot={}", place(name));
        let output = browser(dir.path(), &[size, more, &shot], &file);
        assert_eq!(console(&output), Vec::<String>::new());
        assert!(fs::metadata(place(name)).unwrap().len() > 10_000, "{name}");
    }
    assert_ne!(
        fs::read(place("light.png")).unwrap(),
        fs::read(place("dark.png")).unwrap()
    );
    let paper = format!("--print-to-pdf={}", place("page.pdf"));
    browser(dir.path(), &[&paper, "--no-pdf-header-footer"], &file);
    // On paper nobody can open the pages of the findings: they stand there.
    let text = Command::new("pdftotext")
        .args([&place("page.pdf"), "-"])
        .output()
        .expect("pdftotext: see scripts/corpus");
    let text = String::from_utf8(text.stdout).unwrap();
    for words in [
        "the chain breaks here",
        "How Lifeboot knows",
        "Stop and ask when",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
