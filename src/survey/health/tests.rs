#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// A health log of a disk in good order: 40 C, 3% used.
fn nvme_log() -> Vec<u8> {
    let mut log = vec![0; nvme::HEALTH_BYTES];
    log[1..3].copy_from_slice(&313_u16.to_le_bytes());
    log[3] = 100;
    log[4] = 10;
    log[5] = 3;
    log[48..56].copy_from_slice(&2_u64.to_le_bytes());
    log[128..136].copy_from_slice(&9000_u64.to_le_bytes());
    log[144..152].copy_from_slice(&12_u64.to_le_bytes());
    log[176..184].copy_from_slice(&77_u64.to_le_bytes());
    log
}

fn of_nvme(log: &[u8]) -> Health {
    let mut health = Health::default();
    assert!(nvme::health(log, &mut health));
    health
}

#[test]
fn an_old_disk_in_good_order_is_ok() {
    let health = of_nvme(&nvme_log());
    assert_eq!(health.judged(), Judgement::Ok);
    assert_eq!(health.temperature, Some(40));
    assert_eq!(health.worn_percent, Some(3));
    assert_eq!(health.unsafe_shutdowns, Some(12));
    assert_eq!(health.power_on_hours, Some(9000));
    assert_eq!(health.error_log_entries, Some(77));
    assert_eq!(health.written_bytes, Some(1_024_000));
    assert_eq!(health.overheating(), None);
}

#[test]
fn every_warning_but_heat_is_a_failing_disk() {
    for bit in 0..8 {
        let mut log = nvme_log();
        log[0] = 1 << bit;
        let health = of_nvme(&log);
        let heat = bit == 1;
        let expected = if heat {
            Judgement::Ok
        } else {
            Judgement::Failing
        };
        assert_eq!(health.judged(), expected, "bit {bit}");
        assert_eq!(health.overheating().is_some(), heat, "bit {bit}");
    }
}

#[test]
fn spare_below_its_threshold_is_failing_without_the_bit() {
    let mut log = nvme_log();
    log[3] = 9;
    assert_eq!(of_nvme(&log).judged(), Judgement::Failing);
    log[3] = 10;
    assert_eq!(of_nvme(&log).judged(), Judgement::Ok);
}

#[test]
fn a_used_up_disk_is_worn() {
    let mut log = nvme_log();
    log[5] = 99;
    assert_eq!(of_nvme(&log).judged(), Judgement::Ok);
    log[5] = 100;
    assert_eq!(of_nvme(&log).judged(), Judgement::Worn);
    log[5] = 0;
    log[160] = 1;
    let health = of_nvme(&log);
    assert_eq!(health.judged(), Judgement::Worn);
    assert_eq!(health.worn(), ["1 media errors"]);
}

#[test]
fn a_controller_tells_who_it_is_and_what_it_stands() {
    let mut bytes = vec![b' '; 4096];
    bytes[4..10].copy_from_slice(b"S3R1AL");
    bytes[24..34].copy_from_slice(b"Some Model");
    bytes[64..68].copy_from_slice(b"1.0\0");
    bytes[262] = 63;
    bytes[266..268].copy_from_slice(&343_u16.to_le_bytes());
    bytes[268..270].copy_from_slice(&0_u16.to_le_bytes());
    let mut health = of_nvme(&nvme_log());
    nvme::identity(&bytes, &mut health);
    assert_eq!(health.serial.as_deref(), Some("S3R1AL"));
    assert_eq!(health.model.as_deref(), Some("Some Model"));
    assert_eq!(health.firmware.as_deref(), Some("1.0"));
    assert_eq!(health.temperature_warning, Some(70));
    assert_eq!(health.temperature_critical, None);
    assert_eq!(nvme::errors_to_read(&bytes), 16);
    health.temperature = Some(70);
    assert_eq!(
        health.overheating().as_deref(),
        Some("70 C, its limit is 70 C")
    );
}

#[test]
fn the_error_log_names_the_block_of_a_read_error() {
    let mut log = vec![0; 3 * nvme::ERROR_BYTES];
    log[0] = 5;
    log[12..14].copy_from_slice(&(0x281_u16 << 1 | 1).to_le_bytes());
    log[16..24].copy_from_slice(&2048_u64.to_le_bytes());
    log[64] = 4;
    log[76..78].copy_from_slice(&(0x002_u16 << 1).to_le_bytes());
    let errors = nvme::errors(&log);
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0].what, "unrecovered read error");
    assert_eq!(errors[0].block, Some(2048));
    assert_eq!(errors[1].what, "invalid field in a command");
    assert_eq!(errors[1].block, None);
}

/// A SMART structure with these slots, its checksum right.
fn smart(slots: &[[u8; 12]]) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    for (number, slot) in slots.iter().enumerate() {
        bytes[2 + number * 12..14 + number * 12].copy_from_slice(slot);
    }
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[511] = 0_u8.wrapping_sub(sum);
    bytes
}

const REALLOCATED: [u8; 12] = [5, 3, 0, 36, 36, 7, 1, 0, 0, 0, 0, 0];
const HOT: [u8; 12] = [194, 0x22, 0, 60, 50, 41, 0, 20, 0, 60, 0, 0];
const PENDING: [u8; 12] = [197, 0x12, 0, 100, 100, 8, 0, 0, 0, 0, 0, 0];

fn limit(id: u8, threshold: u8) -> [u8; 12] {
    [id, threshold, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

#[test]
fn an_attribute_at_its_limit_is_failing() {
    let mut health = Health::default();
    let data = smart(&[REALLOCATED, HOT]);
    assert!(ata::attributes(&data, &smart(&[limit(5, 36)]), &mut health));
    assert_eq!(health.judged(), Judgement::Failing);
    assert_eq!(health.reallocated_sectors, Some(263));
    assert_eq!(health.temperature, Some(41));

    let mut health = Health::default();
    assert!(ata::attributes(&data, &smart(&[limit(5, 35)]), &mut health));
    assert_eq!(health.judged(), Judgement::Ok);
}

#[test]
fn pending_sectors_are_lost_data_and_a_failed_verdict_is_failing() {
    let mut health = Health {
        passed: Some(true),
        ..Health::default()
    };
    assert!(ata::attributes(
        &smart(&[PENDING]),
        &smart(&[]),
        &mut health
    ));
    assert_eq!(health.judged(), Judgement::Worn);
    health.passed = Some(false);
    assert_eq!(health.judged(), Judgement::Failing);
}

#[test]
fn damaged_smart_values_are_not_believed() {
    let mut data = smart(&[REALLOCATED]);
    data[3] ^= 1;
    let mut health = Health::default();
    assert!(!ata::attributes(&data, &smart(&[]), &mut health));
    assert_eq!(health, Health::default());
}

#[test]
fn an_ata_disk_says_who_it_is_and_whether_smart_is_on() {
    let mut bytes = vec![0; 512];
    let mut set = |word: usize, value: u16| {
        bytes[word * 2..word * 2 + 2].copy_from_slice(&value.to_le_bytes());
    };
    set(10, u16::from_be_bytes(*b"AB"));
    set(27, u16::from_be_bytes(*b"Mo"));
    set(82, 1);
    set(83, 0x4000);
    set(85, 1);
    let mut health = Health::default();
    assert_eq!(ata::identity(&bytes, &mut health), Some(ata::Smart::On));
    assert_eq!(health.serial.as_deref(), Some("AB"));
    assert_eq!(health.model.as_deref(), Some("Mo"));
    bytes[85 * 2] = 0;
    assert_eq!(ata::identity(&bytes, &mut health), Some(ata::Smart::Off));
    bytes[83 * 2 + 1] = 0;
    assert_eq!(ata::identity(&bytes, &mut health), Some(ata::Smart::None));
    assert_eq!(ata::identity(&bytes[..511], &mut health), None);
}

#[test]
fn the_wear_of_a_sata_ssd_counts_only_when_it_is_valid() {
    let mut page = vec![0; 512];
    page[2] = 7;
    page[8] = 12;
    page[15] = 0xc0;
    assert_eq!(ata::endurance(&page), Some(12));
    page[15] = 0x80;
    assert_eq!(ata::endurance(&page), None);
    assert_eq!(ata::endurance(&page[..12]), None);
}

#[test]
fn a_sas_disk_predicts_its_failure() {
    let page = |asc, ascq, celsius| vec![0x2f, 0, 0, 8, 0, 0, 3, 4, asc, ascq, celsius, 0];
    let judged = |page: &[u8]| {
        let mut health = Health::default();
        assert!(scsi::exceptions(page, &mut health));
        (health.judged(), health.temperature)
    };
    assert_eq!(judged(&page(0, 0, 34)), (Judgement::Ok, Some(34)));
    assert_eq!(judged(&page(0x5d, 0x10, 255)), (Judgement::Failing, None));
    assert_eq!(judged(&page(0x0b, 0x01, 70)), (Judgement::Ok, Some(70)));
    assert_eq!(judged(&page(0x5d, 0xff, 20)), (Judgement::Ok, Some(20)));
    let mut health = Health::default();
    assert!(!scsi::exceptions(&page(0, 0, 1)[..11], &mut health));
    assert!(!scsi::exceptions(&[0; 64], &mut health));
}

#[test]
fn a_disk_that_could_not_be_asked_is_unknown_and_never_well() {
    assert_eq!(Health::not_told("why").judged(), Judgement::Unknown);
}

#[test]
fn disks_are_asked_in_their_own_language() {
    use ask::Kind;
    assert_eq!(Kind::of("nvme0n1", None), Kind::Nvme);
    assert_eq!(Kind::of("sda", Some("ATA")), Kind::Ata);
    assert_eq!(Kind::of("sda", Some("SEAGATE")), Kind::Scsi);
    assert_eq!(Kind::of("vda", Some("0x1af4")), Kind::Silent);
}

#[test]
fn the_order_of_answers_is_that_of_the_questions() {
    let question = |name: &str| Question {
        name: name.into(),
        path: "/no/such/disk".into(),
        vendor: None,
    };
    let told = ask(vec![question("nvme0n1"), question("vda")]);
    assert!(told[0].unreadable.as_deref().unwrap().contains("No such"));
    assert!(
        told[1]
            .unreadable
            .as_deref()
            .unwrap()
            .contains("no health report")
    );
}

proptest! {
    #[test]
    fn no_answer_of_a_disk_makes_a_parser_fail(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let mut health = Health::default();
        nvme::health(&bytes, &mut health);
        nvme::identity(&bytes, &mut health);
        nvme::errors_to_read(&bytes);
        health.latest_errors = nvme::errors(&bytes);
        ata::identity(&bytes, &mut health);
        ata::has_logs(&bytes);
        ata::endurance(&bytes);
        ata::log_pages(&bytes, 255);
        scsi::exceptions(&bytes, &mut health);
        // Arbitrary attributes under a right checksum.
        let mut values = bytes.clone();
        values.resize(512, 0);
        let sum = values[..511].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        values[511] = 0_u8.wrapping_sub(sum);
        prop_assert!(ata::attributes(&values, &values, &mut health));
        health.judged();
        health.overheating();
    }
}
