//! What a header may ask for. Its numbers come from a disk, and those who
//! prepared it may want a rescue to hang rather than to open it.
//!
//! cryptsetup measures the machine and takes what lasts 2 seconds for each
//! slot (`--iter-time`); an eighth of that or less for a digest. PBKDF2 comes
//! to some millions of iterations a second, Argon2 to some GiB. Its own bounds
//! (`lib/crypto_backend/pbkdf_check.c`) are 4 GiB and 4 threads for Argon2, and
//! none for iterations and passes. The limits here leave room for machines
//! several times as fast and for times of 10 seconds and more.

use super::{Digest, Kdf, Luks, Slot};

/// The most memory that a header may ask for, in KiB: that of cryptsetup.
const MOST_MEMORY: u32 = 4 << 20;

/// Lanes of Argon2; cryptsetup takes 4 at most.
const MOST_LANES: u32 = 64;

/// Passes of Argon2. With 64 MiB or more they are some hundreds at most; where
/// `--pbkdf-memory` allows very little, cryptsetup takes thousands of passes
/// over that instead. What they come to together is bounded below.
const MOST_PASSES: u32 = 1 << 16;

/// Iterations of PBKDF2.
const MOST_ITERATIONS: u32 = 200_000_000;

/// Work for one slot or one digest, and for all of them one after the other,
/// as a wrong passphrase leads to: rounds of PBKDF2, and KiB that Argon2 goes
/// over. Both take about a microsecond on an old machine, so these are some 18
/// minutes and little more than an hour. A slot that takes a fast machine 10
/// seconds comes to about 70 million, and there are 32 of them at most.
const MOST_WORK: u64 = 1 << 30;
const MOST_WORK_IN_ALL: u64 = 1 << 32;

/// Key slots and digests: `LUKS2_KEYSLOTS_MAX` and `LUKS2_DIGEST_MAX` in
/// `lib/luks2/luks2.h`.
const MOST_SLOTS: usize = 32;
const MOST_DIGESTS: usize = 8;

/// Stripes of a key slot; cryptsetup always makes 4000.
const MOST_STRIPES: u32 = 16_384;

/// The longest key of any cipher, in bytes.
const LONGEST_KEY: u32 = 512;

/// Bytes of a salt; cryptsetup makes 32.
const LONGEST_SALT: usize = 256;

/// Bytes of a digest: those of the longest hash.
const LONGEST_DIGEST: usize = 64;

/// Nothing in a header may make this program run for days, take all memory, or
/// put words of its own into a table of device-mapper.
pub(super) fn sane(luks: &Luks) -> Result<(), String> {
    let plain = |name: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-:_().,".contains(c);
        (1..=96).contains(&name.len()) && name.chars().all(known)
    };
    if !plain(&luks.segment.cipher) || !luks.slots.iter().all(|slot| plain(&slot.cipher)) {
        return Err("its header names no proper cipher".into());
    }
    let sector = luks.segment.sector_bytes;
    if !(512..=4096).contains(&sector) || !sector.is_power_of_two() {
        return Err(format!("its header asks for sectors of {sector} bytes"));
    }
    within("its header", "key slots", luks.slots.len(), MOST_SLOTS)?;
    within("its header", "digests", luks.digests.len(), MOST_DIGESTS)?;
    let mut in_all = 0_u64;
    for slot in &luks.slots {
        let own = slot_work(slot)?;
        // Each key that comes out of a slot is tried on the digests.
        let digests = luks.digests.iter();
        let digests = digests.filter(|digest| digest.slots.contains(&slot.number));
        in_all = in_all.saturating_add(own);
        for digest in digests {
            in_all = in_all.saturating_add(digest_work(digest)?);
        }
    }
    let what = "units of work to try a passphrase on all slots (iterations, passes)";
    within("its header", what, in_all, MOST_WORK_IN_ALL)
}

/// Checks a slot; tells the work of trying a passphrase on it.
fn slot_work(slot: &Slot) -> Result<u64, String> {
    let whose = format!("the key slot {} in its header", slot.number);
    let keys = [slot.key_bytes, slot.cipher_key_bytes];
    if keys.contains(&0) || slot.stripes == 0 {
        return Err(format!("{whose} is odd: it holds no key"));
    }
    for bytes in keys {
        within(&whose, "bytes of a key", bytes, LONGEST_KEY)?;
    }
    let what = "stripes of the anti-forensic splitter";
    within(&whose, what, slot.stripes, MOST_STRIPES)?;
    let (salt, what, work) = match &slot.kdf {
        Kdf::Pbkdf2 {
            hash,
            iterations,
            salt,
        } => {
            let rounds = rounds(&whose, hash, *iterations, slot.cipher_key_bytes as usize)?;
            (salt, "rounds of PBKDF2", rounds)
        }
        Kdf::Argon2 {
            time,
            memory,
            lanes,
            salt,
            ..
        } => {
            within(&whose, "KiB of memory for Argon2", *memory, MOST_MEMORY)?;
            within(&whose, "lanes (cpus) of Argon2", *lanes, MOST_LANES)?;
            within(&whose, "passes (time) of Argon2", *time, MOST_PASSES)?;
            let work = u64::from(*time).saturating_mul(u64::from(*memory));
            (salt, "KiB for all passes (time) of Argon2 together", work)
        }
    };
    within(&whose, "bytes of salt", salt.len(), LONGEST_SALT)?;
    within(&whose, what, work, MOST_WORK)?;
    Ok(work)
}

/// Checks a digest; tells the work of trying a key on it.
fn digest_work(digest: &Digest) -> Result<u64, String> {
    let whose = "a digest in its header";
    within(whose, "bytes", digest.digest.len(), LONGEST_DIGEST)?;
    within(whose, "bytes of salt", digest.salt.len(), LONGEST_SALT)?;
    let work = rounds(whose, &digest.hash, digest.iterations, digest.digest.len())?;
    within(whose, "rounds of PBKDF2", work, MOST_WORK)?;
    Ok(work)
}

/// PBKDF2 does its iterations anew for each block of what comes out.
fn rounds(whose: &str, hash: &str, iterations: u32, bytes: usize) -> Result<u64, String> {
    within(whose, "iterations of PBKDF2", iterations, MOST_ITERATIONS)?;
    let block = match hash {
        "sha224" => 28,
        "sha256" => 32,
        "sha384" => 48,
        "sha512" => 64,
        // SHA-1 and RIPEMD-160; others are not known and cost nothing.
        _ => 20,
    };
    Ok(u64::from(iterations).saturating_mul(bytes.div_ceil(block) as u64))
}

fn within<N: PartialOrd + std::fmt::Display>(
    whose: &str,
    what: &str,
    number: N,
    most: N,
) -> Result<(), String> {
    if number <= most {
        return Ok(());
    }
    Err(format!(
        "{whose} asks for {number} {what}, and no more than {most} are allowed here; \
         open it with cryptsetup by hand if it is to be trusted"
    ))
}
