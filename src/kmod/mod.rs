//! Kernel modules: found by name or alias and loaded without modprobe.
//!
//! A rescue system may have no `modprobe`, and Lifeboot's own image has none.
//! The text indexes that `depmod(8)` leaves in `/lib/modules/RELEASE` are
//! enough: [`index`] reads them, [`load`] walks them and calls the kernel.

pub mod alias;
pub mod error;
pub mod feature;
pub mod index;
pub mod load;
pub mod unpack;

pub use error::Error;
pub use load::{Loaded, Modules};

/// A feature that was asked for and is not there.
#[derive(Debug)]
pub struct Missing {
    /// The module's name, as asked for.
    pub name: String,
    /// Why, in one sentence without the name.
    pub reason: String,
}

/// Makes `names` available in the running kernel: built in, already loaded, or
/// loaded now. Returns what is missing and why; nothing is printed.
pub fn ensure(names: &[&str]) -> Vec<Missing> {
    let wanted: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !feature::is_present(name))
        .collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    match Modules::of_running_kernel() {
        Ok(mut modules) => wanted
            .into_iter()
            .filter_map(|name| {
                let error = modules.load(name).err()?;
                Some(Missing {
                    name: name.to_owned(),
                    reason: error.to_string(),
                })
            })
            .collect(),
        Err(error) => wanted
            .into_iter()
            .map(|name| Missing {
                name: name.to_owned(),
                reason: format!("not built into this kernel, and it has no modules here: {error}"),
            })
            .collect(),
    }
}
