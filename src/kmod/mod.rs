//! Kernel modules: found by name or alias and loaded without modprobe.
