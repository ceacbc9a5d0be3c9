//! Hostile databases of rpm: each reader of a container, and the header that
//! it hands out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::database::bytes::Bytes;
use lifeboot::facts::database::sqlite::{Database, Trouble, Value};
use lifeboot::facts::packages::rpm::header::Header;
use lifeboot::facts::packages::rpm::{bdb, ndb, package};

/// Between a database of SQLite and its log.
const CUT: &[u8] = b"-wal-";

fn header(bytes: &[u8]) {
    let Ok(header) = Header::parse(bytes) else {
        return;
    };
    header.is_as_signed();
    package::Package::of(1, &header);
    package::files(&header);
}

fuzz_target!(|bytes: &[u8]| {
    header(bytes);
    let mut trouble = Trouble::default();
    let whole = Bytes::of(bytes);
    ndb::read(&whole, &mut trouble, &mut |_, found| header(&found));
    bdb::read(&whole, &mut trouble, &mut |_, found| header(&found));
    let cut = bytes.windows(CUT.len()).position(|piece| piece == CUT);
    let (database, log) = match cut {
        Some(at) => (&bytes[..at], Some(Bytes::of(&bytes[at + CUT.len()..]))),
        None => (bytes, None),
    };
    if let Ok(database) = Database::open(Bytes::of(database), log) {
        database.trouble();
        for table in ["Packages", "trans"] {
            database.rows(table, &mut trouble, &mut |_, row| {
                if let Some(Value::Bytes(found)) = row.get(1) {
                    header(found);
                }
            });
        }
    }
});
