//! The lab's server as a UEFI machine: an EFI system partition on each disk in
//! the place of GRUB's boot sectors, and OVMF in that of the BIOS.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::legs::Legs;
use super::{base, run};

/// OVMF, and its memory as it is on a new machine (package ovmf).
pub const CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// Where grub-efi-amd64-bin has the modules.
const MODULES: &str = "/usr/lib/grub/x86_64-efi";

/// The partition begins where the disk of the BIOS machine ended.
const ESP_MIB: u64 = 48;

/// Its number.
const NUMBER: u32 = 3;

/// Makes the disks of a BIOS machine those of a UEFI machine.
pub fn convert(legs: &Legs, work: &Path) -> Result<()> {
    let grub = work.join("grubx64.efi");
    let mut mkimage = Command::new("grub-mkimage");
    mkimage.args(["-O", "x86_64-efi", "-p", "/EFI/debian", "-o"]);
    mkimage.arg(&grub);
    mkimage.args(["part_gpt", "fat", "ext2", "mdraid1x", "search_fs_uuid"]);
    run::output("making GRUB", mkimage.args(["configfile", "normal"]))?;
    let stub = work.join("grub.cfg");
    let text = format!(
        "search.fs_uuid {} root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n",
        base::ROOT_UUID
    );
    fs::write(&stub, text).with_context(|| format!("writing {}", stub.display()))?;
    for disk in legs.disks() {
        let start = partition(&disk)?;
        fill(&format!("{}@@{start}", disk.display()), &grub, &stub)?;
    }
    // As grub-install, which leaves the program that it made beside them.
    legs.change(&work.join("mnt"), |root| {
        let own = root.join("boot/grub/x86_64-efi");
        run::shell(
            "copying GRUB's modules",
            root,
            &format!(
                "mkdir {0} && cp {MODULES}/*.mod {MODULES}/*.lst {0} && cp {1} {0}/core.efi",
                own.display(),
                grub.display()
            ),
        )
    })
}

/// Adds the partition, takes the boot sectors away; gives the place in bytes.
fn partition(disk: &Path) -> Result<u64> {
    let context = || format!("making {} longer", disk.display());
    let file = OpenOptions::new().write(true).open(disk);
    let file = file.with_context(context)?;
    let start = file.metadata().with_context(context)?.len();
    file.set_len(start + ((ESP_MIB + 2) << 20))
        .with_context(context)?;
    file.write_all_at(&[0; 440], 0).with_context(context)?;
    let mut sgdisk = Command::new("sgdisk");
    sgdisk.args(["--move-second-header", "--delete=1"]);
    sgdisk.arg(format!("--new={NUMBER}:{}:+{ESP_MIB}M", start / 512));
    sgdisk.arg(format!("--typecode={NUMBER}:ef00"));
    run::output("adding the EFI system partition", sgdisk.arg(disk))?;
    let mut mkfs = Command::new("mkfs.vfat");
    mkfs.args(["-F", "32", "-s", "1", "--offset"])
        .arg((start / 512).to_string());
    mkfs.arg(disk).arg((ESP_MIB * 1024).to_string());
    run::output("making its filesystem", &mut mkfs)?;
    Ok(start)
}

/// What `grub-install --removable` leaves on the partition.
fn fill(esp: &str, grub: &Path, stub: &Path) -> Result<()> {
    let mut mmd = Command::new("mmd");
    mmd.args(["-i", esp, "::EFI", "::EFI/BOOT", "::EFI/debian"]);
    run::output("making its directories", &mut mmd)?;
    for (file, name) in [(grub, "BOOT/BOOTX64.EFI"), (stub, "debian/grub.cfg")] {
        let mut mcopy = Command::new("mcopy");
        mcopy
            .args(["-i", esp])
            .arg(file)
            .arg(format!("::EFI/{name}"));
        run::output("copying the boot loader", &mut mcopy)?;
    }
    Ok(())
}

/// Runs `script` for each disk, with its partition as mtools name it in `$esp`.
pub fn change(legs: &Legs, work: &Path, script: &str) -> Result<()> {
    for disk in legs.disks() {
        let length = fs::metadata(&disk)?.len();
        let start = length - ((ESP_MIB + 2) << 20);
        let line = format!("esp={}@@{start}\n{script}", disk.display());
        run::shell("breaking an EFI system partition", work, &line)?;
    }
    Ok(())
}

/// The memory of a machine's firmware, kept in the folder `work`.
pub fn variables(work: &Path) -> Result<PathBuf> {
    let path = work.join("nvram.fd");
    if !path.exists() {
        fs::copy(VARIABLES, &path).with_context(|| format!("copying {VARIABLES}"))?;
    }
    Ok(path)
}
