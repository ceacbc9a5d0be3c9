//! Addresses, and whether one of them reaches a gateway.

use std::net::IpAddr;

/// An address with the length of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) ip: IpAddr,
    pub(super) prefix: u8,
}

impl Address {
    /// `192.0.2.10/24`; `prefix` counts where none is written.
    pub(super) fn parse(text: &str, prefix: Option<u8>) -> Option<Self> {
        let (ip, length) = match text.split_once('/') {
            Some((ip, length)) => (ip, length_of(length)),
            None => (text, prefix),
        };
        let ip: IpAddr = ip.parse().ok()?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = length.unwrap_or(most);
        (prefix <= most).then_some(Self { ip, prefix })
    }

    /// True when `other` lies in its network.
    pub(super) fn reaches(&self, other: IpAddr) -> bool {
        match (self.ip, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix))
                    .unwrap_or(0);
                u32::from(own) & mask == u32::from(other) & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix))
                    .unwrap_or(0);
                u128::from(own) & mask == u128::from(other) & mask
            }
            _ => false,
        }
    }
}

/// `24`, or the mask `255.255.255.0`.
fn length_of(text: &str) -> Option<u8> {
    text.parse().ok().or_else(|| mask(text)).or(Some(u8::MAX))
}

/// The length of a mask; none when its bits have a gap.
pub(super) fn mask(text: &str) -> Option<u8> {
    let bits = u32::from(text.parse::<std::net::Ipv4Addr>().ok()?);
    let length = bits.leading_ones();
    (bits.count_ones() == length).then_some(u8::try_from(length).ok()?)
}

/// The gateway, where none of these addresses reaches it. Those of the link
/// itself are always reached, and another kind of address tells nothing.
pub(super) fn lost(gateway: &str, addresses: &[Address]) -> Option<String> {
    let ip: IpAddr = gateway.parse().ok()?;
    let on_link = match ip {
        IpAddr::V6(ip) => (ip.segments()[0] & 0xffc0) == 0xfe80,
        IpAddr::V4(_) => false,
    };
    let mut same = addresses
        .iter()
        .filter(|a| a.ip.is_ipv4() == ip.is_ipv4())
        .peekable();
    if on_link || same.peek().is_none() || same.any(|address| address.reaches(ip)) {
        return None;
    }
    Some(gateway.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_outside_of_every_network_is_lost() {
        let of = |text: &str| Address::parse(text, None).into_iter().collect::<Vec<_>>();
        assert_eq!(lost("192.0.2.1", &of("192.0.2.10/24")), None);
        assert_eq!(
            lost("192.0.3.1", &of("192.0.2.10/24")).as_deref(),
            Some("192.0.3.1")
        );
        assert_eq!(lost("192.0.2.1", &of("192.0.2.10/0")), None);
        assert_eq!(lost("fe80::1", &of("2001:db8::2/64")), None);
        assert_eq!(
            lost("2001:db8:1::1", &of("2001:db8::2/64")).as_deref(),
            Some("2001:db8:1::1")
        );
        assert_eq!(lost("192.0.2.1", &of("2001:db8::2/64")), None);
        assert_eq!(Address::parse("192.0.2.10/33", None), None);
        assert_eq!(mask("255.255.255.192"), Some(26));
        assert_eq!(mask("255.0.255.0"), None);
    }
}
