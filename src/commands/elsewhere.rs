//! Where an unfinished upgrade lacks packages: a look into the other systems on
//! the disks.

use crate::facts::packages::Packages;
use crate::facts::packages::standing::elsewhere;
use crate::sysroot::{Opener, Search};

/// Notes in `packages` what other systems have of what is lacking.
pub(super) fn look(opener: &mut Opener, search: &Search, packages: &mut Packages) {
    let Packages::Dpkg(dpkg) = packages else {
        return;
    };
    if !elsewhere::is_lacking(dpkg) {
        return;
    }
    for system in opener.other_systems(search) {
        elsewhere::search(dpkg, &system.place, &system.arguments, &system.root);
    }
}
