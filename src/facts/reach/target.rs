//! The target that the boot goes to, where that leads nobody to the services.
//!
//! Sources: systemd.special(7), systemd(1); src/core/main.c of systemd
//! (`do_queue_default_job`): where it cannot be loaded, rescue.target is.

use serde::{Deserialize, Serialize};

use super::boot::Boot;
use crate::sys::root_dir::RootDir;

const DEFAULT: &str = "default.target";

/// Where an administrator says which one it is.
const OWN: &str = "/etc/systemd/system/default.target";

/// Targets that a server is not left in.
const DEAD_ENDS: [&str; 7] = [
    "emergency.target",
    "halt.target",
    "kexec.target",
    "poweroff.target",
    "reboot.target",
    "rescue.target",
    "shutdown.target",
];

/// What is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DefaultTarget {
    /// The target that it is; none when it is none that could be loaded.
    pub leads_to: Option<String>,
    /// What stands at the administrator's place for it, where something does: a
    /// link with what it says.
    pub own: Option<(String, String)>,
    /// The file of the target that it should be.
    pub wanted: Option<String>,
}

/// Looks at it; none when it leads to the services, or nobody can tell.
pub(super) fn look(root: &RootDir, boot: &Boot<'_>, first: &str) -> Option<DefaultTarget> {
    if !boot.is_systemd || boot.reaches_services || first != DEFAULT {
        return None;
    }
    let leads_to = boot.unit(DEFAULT).map(|unit| unit.name().to_owned());
    let is_dead_end = |name: &String| DEAD_ENDS.contains(&name.as_str());
    if !leads_to.as_ref().is_none_or(is_dead_end) {
        return None;
    }
    let says = root.read_link(OWN).ok();
    let says = says.map(|target| target.to_string_lossy().into_owned());
    let desktop = root.read_link("/etc/systemd/system/display-manager.service");
    let wanted = match desktop.is_ok() && boot.unit("graphical.target").is_some() {
        true => "graphical.target",
        false => "multi-user.target",
    };
    Some(DefaultTarget {
        leads_to,
        own: says.map(|target| (OWN.to_owned(), target)),
        wanted: boot.unit(wanted).map(|unit| unit.path.clone()),
    })
}
