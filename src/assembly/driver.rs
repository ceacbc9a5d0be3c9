//! Whether the kernel can do what opening a volume needs.

use crate::kmod;
use crate::sys::dm;

/// Why device-mapper cannot be used with these modules; none when it can.
pub(crate) fn without_dm(modules: &[&str]) -> Option<String> {
    let mut wanted = vec!["dm_mod"];
    wanted.extend(modules);
    let missing = kmod::ensure(&wanted);
    if let Err(error) = dm::available() {
        let reason = missing.first().map(|m| m.reason.clone());
        return Some(format!(
            "the kernel has no device-mapper (dm_mod): {}",
            reason.unwrap_or_else(|| error.to_string())
        ));
    }
    // What is built in may not show as a module; its target does.
    let lacking = missing.iter().find(|m| {
        if m.name == "dm_mod" {
            return false;
        }
        let target = m.name.strip_prefix("dm_").unwrap_or(&m.name);
        !dm::has_target(target)
    });
    lacking.map(|m| format!("the kernel lacks {}: {}", m.name, m.reason))
}
