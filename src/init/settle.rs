//! Waiting until the disks are there, and no longer.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::console::Console;
use super::drivers::Drivers;
use crate::sys::process::wait_readable;
use crate::sys::uevent::{Received, UeventSocket};

/// A disk that needs longer than this is reported as slow, and not waited for.
const DEADLINE: Duration = Duration::from_secs(20);

/// No news about disks for this long: all that announce themselves are there.
/// SATA and SAS hosts scan before their module's loading returns.
const QUIET: Duration = Duration::from_millis(300);

/// A controller that is ready shows its namespaces within this time, or has none.
const NAMESPACE_GRACE: Duration = Duration::from_secs(3);

/// How often NVMe states are looked at; they announce no change.
const LOOK_MILLISECONDS: u16 = 100;

/// Waits until no disk has appeared for a while and every NVMe controller is
/// ready; drivers for devices that appear meanwhile are loaded.
pub fn wait_for_disks(console: &Console, events: Option<&UeventSocket>, drivers: &mut Drivers) {
    let start = Instant::now();
    let mut last_news = start;
    let before = drivers.count();
    let unready = loop {
        match events {
            Some(events) => {
                wait_readable(&[events.as_fd()], LOOK_MILLISECONDS);
                if take_events(events, drivers) {
                    last_news = Instant::now();
                }
            }
            None => {
                wait_readable(&[], LOOK_MILLISECONDS);
                drivers.load_for_devices();
            }
        }
        let unready = unready_controllers(start.elapsed() < NAMESPACE_GRACE);
        let quiet = last_news.elapsed() >= QUIET;
        if (quiet && unready.is_empty()) || start.elapsed() >= DEADLINE {
            break unready;
        }
    };
    if drivers.count() > before {
        let more = drivers.count() - before;
        console.say(&format!("{more} more drivers loaded for new devices"));
    }
    drivers.print_failures(console);
    for controller in unready {
        console.say(&format!("{controller}; its disks may be missing"));
    }
}

/// Takes all waiting events; true if one was about a disk or a new device.
fn take_events(events: &UeventSocket, drivers: &mut Drivers) -> bool {
    let mut news = false;
    loop {
        match events.receive() {
            Ok(Received::Event(event)) => {
                news |= event.subsystem == "block";
                if event.action == "add" && !event.modalias.is_empty() {
                    drivers.load_for(&event.modalias);
                    news = true;
                }
            }
            Ok(Received::Lost) => {
                drivers.load_for_devices();
                news = true;
            }
            Ok(Received::Nothing) | Err(_) => return news,
        }
    }
}

/// Sentences about NVMe controllers that are still on their way. With `grace`,
/// one without a namespace is, too.
fn unready_controllers(grace: bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/sys/class/nvme") else {
        return Vec::new();
    };
    let mut unready: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let state = fs::read_to_string(entry.path().join("state")).unwrap_or_default();
            let why = reason(state.trim(), has_namespace(&entry.path()), grace)?;
            Some(format!("{} {why}", entry.file_name().to_string_lossy()))
        })
        .collect();
    unready.sort_unstable();
    unready
}

/// States of `nvme_sysfs_show_state()`; kernels before 4.5 have none. `dead`
/// and `deleting` will not change any more.
fn reason(state: &str, has_namespace: bool, grace: bool) -> Option<String> {
    match state {
        "new" | "resetting" | "connecting" | "reconnecting" => {
            Some(format!("is still in state \"{state}\""))
        }
        "live" | "" if grace && !has_namespace => Some("shows no namespace".to_owned()),
        _ => None,
    }
}

fn has_namespace(controller: &Path) -> bool {
    fs::read_dir(controller).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // nvme0n1, or nvme0c0n1 with multipath.
            name.starts_with("nvme") && name["nvme".len()..].contains('n')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_controllers_that_may_still_come_are_waited_for() {
        for (state, has_namespace, grace, waits) in [
            ("new", false, false, true),
            ("connecting", true, false, true),
            ("resetting", false, true, true),
            ("live", true, true, false),
            ("live", false, true, true),
            ("live", false, false, false),
            ("dead", false, true, false),
            ("deleting (no IO)", false, true, false),
            ("", true, true, false),
        ] {
            assert_eq!(
                reason(state, has_namespace, grace).is_some(),
                waits,
                "{state} {has_namespace} {grace}"
            );
        }
    }

    #[test]
    fn namespaces_are_told_from_other_entries() {
        let directory = tempfile::tempdir().map(|it| it.keep());
        let Ok(directory) = directory else { return };
        for name in ["power", "hwmon1", "nvme0"] {
            let _ = fs::create_dir(directory.join(name));
        }
        assert!(!has_namespace(&directory));
        let _ = fs::create_dir(directory.join("nvme0c0n1"));
        assert!(has_namespace(&directory));
        let _ = fs::remove_dir_all(directory);
    }
}
