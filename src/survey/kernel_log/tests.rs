use proptest::prelude::*;

use super::*;

fn heard(lines: &[&str], names: &[Names]) -> Vec<DiskLog> {
    let messages: Vec<Message> = lines
        .iter()
        .map(|line| Message {
            seconds: 7,
            text: (*line).to_owned(),
        })
        .collect();
    gather(&messages, names, false)
}

fn machine() -> Vec<Names> {
    vec![
        Names::of(
            "nvme0n1",
            "../devices/pci0000:00/0000:00:1d.0/0000:01:00.0/nvme/nvme0/nvme0n1",
        ),
        Names::of(
            "sda",
            "../devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda",
        ),
    ]
}

#[test]
fn a_disk_has_the_names_of_its_path() {
    let names = machine();
    assert_eq!(names[0].others, ["0000:01:00.0", "nvme0"]);
    assert_eq!(names[1].others, ["0000:00:1f.2", "ata1", "0:0:0:0"]);
}

#[test]
fn a_healthy_start_says_nothing() {
    let lines = [
        "nvme nvme0: pci function 0000:01:00.0",
        "nvme nvme0: Shutdown timeout set to 8 seconds",
        "nvme nvme0: missing or invalid SUBNQN field.",
        "nvme nvme0: allocated 64 MiB host memory buffer.",
        "nvme nvme0: 8/0/0 default/read/poll queues",
        " nvme0n1: p1 p2",
        "ata1: SATA link up 6.0 Gbps (SStatus 133 SControl 300)",
        "ata1.00: ATA-7: QEMU HARDDISK, 2.5+, max UDMA/100",
        "ata2: SATA link down (SStatus 0 SControl 300)",
        "ata3: hard resetting link",
        "sd 0:0:0:0: [sda] Attached SCSI disk",
        "sd 0:0:0:0: [sda] Write cache: enabled, read cache: enabled",
        "sd 6:0:0:0: [sdc] Synchronizing SCSI cache",
        "EXT4-fs (nvme0n1p2): mounted filesystem",
        "I/O error, dev loop0, sector 0 op 0x0:(READ) flags 0x0",
        "I/O error, dev fd0, sector 0 op 0x0:(READ) flags 0x0",
        "I/O error, dev sda, sector 8 op 0x3:(DISCARD) flags 0x800",
    ];
    assert_eq!(heard(&lines, &machine()), []);
}

#[test]
fn a_controller_that_went_down_is_kept_when_its_disk_is_gone() {
    let lines = [
        "nvme nvme1: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff",
        "nvme nvme1: Does your device have a faulty power saving mode enabled?",
        "nvme nvme1: Device not ready; aborting reset, CSTS=0x1",
        "nvme nvme1: Removing after probe failure status: -19",
        "I/O error, dev nvme1n1, sector 2048 op 0x0:(READ) flags 0x0",
    ];
    let logs = heard(&lines, &machine());
    // The namespace's own errors tell nothing more once it is gone.
    assert_eq!(logs.len(), 1);
    assert_eq!((logs[0].name.as_str(), logs[0].present), ("nvme1", false));
    assert_eq!(logs[0].dropouts, 3);
    assert_eq!(logs[0].lines.len(), 4);
    assert!(!logs[0].is_failing());
}

#[test]
fn errors_of_a_disk_that_dropped_out_and_came_back_prove_nothing() {
    let lines = [
        "nvme nvme0: I/O 12 QID 3 timeout, aborting",
        "nvme nvme0: controller is down; will reset: CSTS=0xffffffff",
        "blk_update_request: I/O error, dev nvme0n1, sector 99",
    ];
    let logs = heard(&lines, &machine());
    assert_eq!(logs[0].name, "nvme0n1");
    assert_eq!(
        (logs[0].timeouts, logs[0].dropouts, logs[0].io_errors),
        (1, 1, 1)
    );
    assert!(!logs[0].is_failing());
}

#[test]
fn sectors_that_cannot_be_read_are_the_disks_own_fault() {
    let lines = [
        "ata1.00: exception Emask 0x0 SAct 0x4 SErr 0x0 action 0x0",
        "ata1.00: failed command: READ FPDMA QUEUED",
        "ata1.00: error: { UNC }",
        "sd 0:0:0:0: [sda] tag#2 Sense Key : Medium Error [current]",
        "critical medium error, dev sda, sector 4096 op 0x0:(READ) flags 0x0 phys_seg 1",
        "Buffer I/O error on dev sda1, logical block 256, async page read",
    ];
    let logs = heard(&lines, &machine());
    assert_eq!(logs.len(), 1);
    assert_eq!((logs[0].medium_errors, logs[0].io_errors), (1, 0));
    assert_eq!(logs[0].lines.len(), 6);
    assert!(logs[0].is_failing());
}

#[test]
fn only_the_last_lines_are_kept_and_all_are_counted() {
    let lines: Vec<String> = (0..50)
        .map(|n| format!("I/O error, dev sda, sector {n} op 0x0:(READ) flags 0x0"))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let logs = heard(&lines, &machine());
    assert_eq!(logs[0].io_errors, 50);
    assert_eq!(logs[0].lines.len(), MOST_LINES);
    assert!(logs[0].lines[MOST_LINES - 1].contains("sector 49"));
}

#[test]
fn ports_and_addresses_lead_to_their_disk() {
    let lines = [
        "ata1: hard resetting link",
        "sd 0:0:0:0: Device offlined - not ready after error recovery",
        "nvme 0000:01:00.0: Unable to change power state from D3cold to D0, device inaccessible",
        "ata2: COMRESET failed (errno=-16)",
    ];
    let logs = heard(&lines, &machine());
    let names: Vec<&str> = logs.iter().map(|log| log.name.as_str()).collect();
    assert_eq!(names, ["ata2", "nvme0n1", "sda"]);
    assert_eq!((logs[2].resets, logs[2].dropouts), (1, 1));
}

#[test]
fn disks_that_were_not_asked_for_are_left_out() {
    let message = Message {
        seconds: 1,
        text: "nvme nvme1: Removing after probe failure status: -19".into(),
    };
    assert_eq!(gather(&[message], &machine(), true), []);
}

proptest! {
    #[test]
    fn no_line_makes_it_fail(
        line in "(nvme|ata|sd|I/O error, dev |critical medium error, dev |:|\\.|[0-9a-p]| |\\PC){0,40}"
    ) {
        heard(&[&line], &machine());
        Names::of(&line, &line);
    }
}
