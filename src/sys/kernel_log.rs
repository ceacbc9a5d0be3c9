//! The kernel's messages: `/dev/kmsg` (`Documentation/ABI/testing/dev-kmsg`),
//! or `syslog(2)` where there is no such device. Read only, nothing is cleared.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;

/// Longer than any record (`CONSOLE_EXT_LOG_MAX` of printk is 8192).
const RECORD_BYTES: usize = 16 * 1024;

/// Records after which reading ends: a kernel that logs faster than we read.
const MOST_RECORDS: usize = 200_000;

/// `SYSLOG_ACTION_READ_ALL` and `SYSLOG_ACTION_SIZE_BUFFER`.
const READ_ALL: i32 = 3;
const SIZE_BUFFER: i32 = 10;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When, in seconds since the start of the kernel.
    pub seconds: u64,
    /// What.
    pub text: String,
}

/// All messages that the kernel still has, oldest first.
///
/// # Errors
/// The kernel's: `PermissionDenied` without root on most systems.
pub fn read() -> io::Result<Vec<Message>> {
    match read_records() {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => read_ring(),
        other => other,
    }
}

fn read_records() -> io::Result<Vec<Message>> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open("/dev/kmsg")?;
    let mut buffer = vec![0; RECORD_BYTES];
    let mut messages = Vec::new();
    for _ in 0..MOST_RECORDS {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => messages.extend(record(&String::from_utf8_lossy(&buffer[..count]))),
            Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                // At the end.
                Some(Errno::EAGAIN) => break,
                // Overwritten before it was read: go on with the next.
                Some(Errno::EPIPE | Errno::EINTR) => {}
                _ => return Err(error),
            },
        }
    }
    Ok(messages)
}

/// `PRIORITY,NUMBER,MICROSECONDS,FLAGS;TEXT`, then lines of a dictionary.
fn record(text: &str) -> Option<Message> {
    let (head, rest) = text.split_once(';')?;
    let micros: u64 = head.split(',').nth(2)?.parse().ok()?;
    Some(Message {
        seconds: micros / 1_000_000,
        text: rest.lines().next().unwrap_or_default().to_owned(),
    })
}

#[allow(unsafe_code)]
fn read_ring() -> io::Result<Vec<Message>> {
    // SAFETY: this action takes no buffer.
    let size = unsafe { nix::libc::klogctl(SIZE_BUFFER, std::ptr::null_mut(), 0) };
    let size = Errno::result(size)?;
    let mut buffer = vec![0_u8; usize::try_from(size).unwrap_or(0)];
    // SAFETY: the kernel writes at most `size` bytes, the length of `buffer`.
    let count = unsafe { nix::libc::klogctl(READ_ALL, buffer.as_mut_ptr().cast(), size) };
    buffer.truncate(usize::try_from(Errno::result(count)?).unwrap_or(0));
    let text = String::from_utf8_lossy(&buffer);
    Ok(text.lines().filter_map(ring_line).collect())
}

/// `<6>[   12.345678] TEXT`
fn ring_line(line: &str) -> Option<Message> {
    let (_, rest) = line.strip_prefix('<')?.split_once('>')?;
    let (time, text) = rest.strip_prefix('[')?.split_once("] ")?;
    let (seconds, _) = time.trim().split_once('.')?;
    Some(Message {
        seconds: seconds.parse().ok()?,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seconds: u64, text: &str) -> Message {
        Message {
            seconds,
            text: text.to_owned(),
        }
    }

    #[test]
    fn both_forms_give_the_same() {
        let expected = Some(message(3, "nvme nvme0: 1/0/0 queues; all"));
        let told = "6,512,3141592,-,caller=T1;nvme nvme0: 1/0/0 queues; all\n SUBSYSTEM=nvme\n";
        assert_eq!(record(told), expected);
        assert_eq!(
            ring_line("<6>[    3.141592] nvme nvme0: 1/0/0 queues; all"),
            expected
        );
    }

    #[test]
    fn rubbish_is_no_message() {
        for text in ["", ";", "6,512;x", "6,512,-1,-;x", "6,512,x,-;y"] {
            assert_eq!(record(text), None, "{text}");
        }
        for text in ["", "<6>", "<6>x", "<6>[1] x", "<6>[a.b] x", "<6>[1.0]x"] {
            assert_eq!(ring_line(text), None, "{text}");
        }
    }
}
