//! What the kernel says about devices that come and go (`netlink(7)`,
//! `NETLINK_KOBJECT_UEVENT`; kernel: `lib/kobject_uevent.c`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt,
    socket, sockopt,
};

/// Multicast group of the kernel itself; group 2 is udev's.
const KERNEL_GROUP: u32 = 1;

/// Room for the events of a machine with some thousand devices.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Longer than any event (`UEVENT_BUFFER_SIZE` is 2048, plus the heading).
const EVENT_BYTES: usize = 8192;

/// One event; fields that it does not have are empty.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Uevent {
    /// `add`, `remove`, `change`, `bind`, ...
    pub action: String,
    /// `block`, `pci`, `nvme`, ...
    pub subsystem: String,
    /// What the device calls itself, for finding its module.
    pub modalias: String,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// An event.
    Event(Uevent),
    /// The kernel had to drop events: look at sysfs instead.
    Lost,
    /// No event is waiting.
    Nothing,
}

/// A socket that receives the kernel's device events from its opening on.
#[derive(Debug)]
pub struct UeventSocket(OwnedFd);

impl UeventSocket {
    /// Opens the socket; needs no privilege in the initial namespaces.
    pub fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        // Without root the usual buffer has to do.
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES);
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Self(socket))
    }

    /// Takes the next event, without waiting.
    pub fn receive(&self) -> io::Result<Received> {
        let mut bytes = [0; EVENT_BYTES];
        match recv(self.0.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
            Ok(count) => Ok(Received::Event(parse(&bytes[..count]))),
            Err(Errno::ENOBUFS) => Ok(Received::Lost),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(Received::Nothing),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for UeventSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Parses `ACTION@DEVPATH` and `KEY=VALUE` texts that end in zero bytes.
fn parse(bytes: &[u8]) -> Uevent {
    let mut event = Uevent::default();
    for field in bytes.split(|byte| *byte == 0) {
        let text = String::from_utf8_lossy(field);
        match text.split_once('=') {
            Some(("ACTION", value)) => event.action = value.to_owned(),
            Some(("SUBSYSTEM", value)) => event.subsystem = value.to_owned(),
            Some(("MODALIAS", value)) => event.modalias = value.to_owned(),
            _ => {}
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_keys() {
        let bytes = b"add@/devices/pci0000:00/0000:00:03.0\0ACTION=add\0\
            DEVPATH=/devices/pci0000:00/0000:00:03.0\0SUBSYSTEM=pci\0\
            MODALIAS=pci:v00001B36d00000010\0SEQNUM=812\0";
        assert_eq!(
            parse(bytes),
            Uevent {
                action: "add".to_owned(),
                subsystem: "pci".to_owned(),
                modalias: "pci:v00001B36d00000010".to_owned(),
            }
        );
    }

    #[test]
    fn rubbish_is_an_event_without_keys() {
        for bytes in [
            &b""[..],
            b"\0\0\0",
            b"=\0==",
            b"\xff\xfe=\xff",
            b"libudev\0\xfe\xed",
        ] {
            assert_eq!(parse(bytes), Uevent::default());
        }
    }
}
