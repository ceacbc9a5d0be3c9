//! A journal file of arbitrary bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::history::Journal;

fuzz_target!(|bytes: &[u8]| {
    let Ok(journal) = Journal::from_bytes(bytes.to_vec()) else {
        return;
    };
    for field in ["_BOOT_ID", "MESSAGE_ID", "UNIT"] {
        for value in journal.values(field) {
            let offsets = journal.last_entries(&value, 100);
            for entry in offsets.iter().filter_map(|offset| journal.entry(*offset)) {
                journal.text(&entry, "MESSAGE");
            }
        }
    }
});
