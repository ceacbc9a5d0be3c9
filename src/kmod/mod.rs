//! Kernel modules: found by name or alias and loaded without modprobe.

/// Placeholder until the loader lands.
pub fn ensure(_names: &[&str]) -> Vec<String> {
    Vec::new()
}
