//! What the drivers of each release's GRUB refuse, as read from their code,
//! against what that GRUB does with filesystems that mkfs made.

mod lab;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Arguments;

use lab::mounts::Overlay;
use lab::suite::Suite;
use lab::{base, program, run};
use lifeboot::survey::grub_module::GrubModule;

/// A filesystem with the features of these options of its mkfs.
struct Made {
    driver: &'static str,
    options: &'static str,
    mebibytes: u64,
}

const fn ext(options: &'static str) -> Made {
    Made {
        driver: "ext2",
        options,
        mebibytes: 32,
    }
}

const fn xfs(options: &'static str) -> Made {
    Made {
        driver: "xfs",
        options,
        // The least that mkfs.xfs makes.
        mebibytes: 320,
    }
}

const ALL: [Made; 11] = [
    ext(""),
    ext("-O ^64bit,^metadata_csum"),
    ext("-O metadata_csum_seed"),
    ext("-O inline_data"),
    ext("-O casefold -E encoding=utf8"),
    ext("-O ea_inode"),
    ext("-O large_dir"),
    ext("-O encrypt"),
    xfs(""),
    xfs("-m bigtime=0"),
    xfs("-i nrext64=1"),
];

fn main() -> ExitCode {
    let suites = [Suite::Bullseye, Suite::Bookworm, Suite::Trixie];
    let trials = suites.map(|suite| {
        program::trial(suite.name(), format!("grub-reads-{suite}"), move |work| {
            agree(suite, work)
        })
    });
    program::run_trials(Arguments::from_args(), Ok(trials.into()))
}

fn agree(suite: Suite, work: &Path) -> Result<()> {
    let overlay = Overlay::over(&base::root(suite)?, work)?;
    let root = overlay.path();
    let mut refused = 0;
    for made in ALL {
        let module = root.join(format!("usr/lib/grub/i386-pc/{}.mod", made.driver));
        let code = fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
        let module = GrubModule::read(&code).context("no module")?;
        ensure!(module.refuses != 0, "{} has no mask", made.driver);
        let image = root.join("tmp/image");
        make(&image, &made)?;
        let features = features(&image, &made)?;
        let foretold = module.refuses & features == 0;
        let reads = reads(root)?;
        ensure!(
            foretold == reads,
            "{} {:?}: GRUB reads it: {reads}; features {features:#x}, refused {:#x}",
            made.driver,
            made.options,
            module.refuses
        );
        refused += usize::from(!reads);
        fs::remove_file(&image)?;
    }
    ensure!((1..ALL.len()).contains(&refused), "{refused} refused");
    Ok(())
}

fn make(image: &Path, made: &Made) -> Result<()> {
    fs::File::create(image)?.set_len(made.mebibytes << 20)?;
    let (program, force) = match made.driver {
        "xfs" => ("mkfs.xfs", "-f"),
        _ => ("mkfs.ext4", "-F"),
    };
    let mut mkfs = Command::new(program);
    mkfs.args(["-q", force])
        .args(made.options.split_whitespace())
        .arg(image);
    run::output("making a filesystem", &mut mkfs).map(drop)
}

/// `s_feature_incompat`, or `sb_features_incompat`.
fn features(image: &Path, made: &Made) -> Result<u32> {
    let bytes = fs::read(image)?;
    let at = |at: usize| -> Result<[u8; 4]> { Ok(bytes[at..at + 4].try_into()?) };
    Ok(match made.driver {
        "xfs" => u32::from_be_bytes(at(216)?),
        _ => u32::from_le_bytes(at(1024 + 0x60)?),
    })
}

/// Whether GRUB lists its root: of an empty one, an empty line.
fn reads(root: &Path) -> Result<bool> {
    let mut fstest = Command::new("chroot");
    fstest
        .arg(root)
        .args(["grub-fstest", "/tmp/image", "ls", "(loop0)/"]);
    Ok(!run::output("asking GRUB", &mut fstest)?.is_empty())
}
