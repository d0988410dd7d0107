//! The addresses to which a webhook never goes (DESIGN.md section 6).
//!
//! Somebody who can write an endpoint's URL, or the DNS record of its host, must not reach what only the
//! machine itself should. Above all, that is the metadata service of a cloud, which hands out credentials.
//! Private ranges and loopback are allowed, since self-hosted receivers live there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address that is never connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {why}, webhooks never go there")]
pub struct Refused {
    /// The address.
    pub address: IpAddr,
    /// What it is.
    pub why: Reserved,
}

/// Whether link-local addresses, other than metadata services, may be connected to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinkLocal {
    /// They may: containers reach their host there.
    Allowed,
    /// They may not.
    #[default]
    Refused,
}

/// The kind of an address that is never connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reserved {
    /// The metadata service of a cloud.
    #[error("a cloud metadata address")]
    Metadata,
    /// An address that is only valid on one link; clouds put their metadata there too.
    #[error("a link-local address (`link_local: true` of the endpoint allows those)")]
    LinkLocal,
    /// `0.0.0.0/8` or `::`, which mean this machine to some systems.
    #[error("an unspecified address")]
    Unspecified,
    /// An address of several machines.
    #[error("a multicast or broadcast address")]
    Multicast,
}

/// Known metadata services, which no setting allows.
const METADATA_V4: [Ipv4Addr; 7] = [
    // Most clouds.
    Ipv4Addr::new(169, 254, 169, 254),
    // The credentials of Amazon's containers, and of its Kubernetes pods.
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    // Tencent Cloud.
    Ipv4Addr::new(169, 254, 0, 23),
    // Alibaba Cloud.
    Ipv4Addr::new(100, 100, 100, 200),
    // Azure's host.
    Ipv4Addr::new(168, 63, 129, 16),
    // Oracle Cloud, classic.
    Ipv4Addr::new(192, 0, 0, 192),
];

/// The same for IPv6: an address and how many of its bits count.
const METADATA_V6: [(Ipv6Addr, u32); 5] = [
    // OpenStack.
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe), 128),
    // Amazon: metadata, credentials of containers, DNS.
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32),
    // Google Cloud.
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
    // Oracle Cloud.
    (Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), 128),
    // Scaleway.
    (Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), 128),
];

/// Checks that an address may be connected to, with link-local ones allowed or not.
///
/// Pass the address that will be connected to, not the host that it came from.
///
/// # Errors
/// When it is reserved in itself, or holds a reserved IPv4 address for a gateway to unpack.
pub fn permit(address: IpAddr, link_local: LinkLocal) -> Result<(), Refused> {
    let why = match address {
        IpAddr::V4(address) => reserved_v4(address),
        IpAddr::V6(address) => reserved_v6(address),
    };
    match (why, link_local) {
        (None, _) | (Some(Reserved::LinkLocal), LinkLocal::Allowed) => Ok(()),
        (Some(why), LinkLocal::Allowed | LinkLocal::Refused) => Err(Refused { address, why }),
    }
}

fn reserved_v4(address: Ipv4Addr) -> Option<Reserved> {
    if METADATA_V4.contains(&address) {
        Some(Reserved::Metadata)
    } else if address.is_link_local() {
        Some(Reserved::LinkLocal)
    } else if address.octets()[0] == 0 {
        Some(Reserved::Unspecified)
    } else if address.is_multicast() || address.is_broadcast() {
        Some(Reserved::Multicast)
    } else {
        None
    }
}

fn reserved_v6(address: Ipv6Addr) -> Option<Reserved> {
    let is_below = |&(network, bits): &(Ipv6Addr, u32)| {
        let shift = Ipv6Addr::BITS - bits;
        address.to_bits() >> shift == network.to_bits() >> shift
    };
    if METADATA_V6.iter().any(is_below) {
        Some(Reserved::Metadata)
    } else if address.is_unicast_link_local() {
        Some(Reserved::LinkLocal)
    } else if address.is_unspecified() {
        Some(Reserved::Unspecified)
    } else if address.is_multicast() {
        Some(Reserved::Multicast)
    } else if address.is_loopback() {
        None
    } else {
        let found = embedded(address).into_iter().flatten().filter_map(reserved_v4);
        // What no setting allows comes first.
        found.min_by_key(|why| *why == Reserved::LinkLocal)
    }
}

/// The IPv4 addresses that an IPv6 address may stand for.
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 5] {
    let segments = address.segments();
    let [_, b, c, d, e, f, g, h] = segments;
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    let mut found = [None; 5];
    match segments {
        // Compatible, mapped, translated: `::a.b.c.d`, `::ffff:a.b.c.d`, `::ffff:0:a.b.c.d`.
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] => found[0] = v4(g, h),
        // NAT64, RFC 6052.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => found[0] = v4(g, h),
        // NAT64 of a site, RFC 8215. The place depends on the length of the prefix: 48, 56, 64 or 96. Wrong
        // places often begin with a zero.
        [0x64, 0xff9b, 1, ..] => {
            let o = address.octets();
            let places = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]];
            for (found, place) in found.iter_mut().zip(places) {
                let octets = place.map(|at: usize| o[at]);
                *found = (octets[0] != 0).then(|| Ipv4Addr::from(octets));
            }
        }
        // 6to4.
        [0x2002, ..] => found[0] = v4(b, c),
        // Teredo: the server, and the client with every bit flipped.
        [0x2001, 0, ..] => {
            found[0] = v4(c, d);
            found[1] = v4(!g, !h);
        }
        _ => {}
    }
    // ISATAP, below any prefix.
    if matches!((e, f), (0 | 0x200, 0x5efe)) {
        found[4] = v4(g, h);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &[&str], want: Option<Reserved>) {
        for text in addresses {
            let address: IpAddr = text.parse().expect("an address");
            let why = |link_local| permit(address, link_local).map_err(|refused| refused.why).err();
            assert_eq!(why(LinkLocal::Refused), want, "{text}");
            let wanted = want.filter(|why| *why != Reserved::LinkLocal);
            assert_eq!(
                why(LinkLocal::Allowed),
                wanted,
                "{text}, where link-local ones are allowed"
            );
        }
    }

    #[test]
    fn metadata_services_are_refused() {
        check(
            &[
                "169.254.169.254",
                "169.254.170.2",
                "169.254.170.23",
                "169.254.0.23",
                "fe80::a9fe:a9fe",
                "100.100.100.200",
                "168.63.129.16",
                "192.0.0.192",
                "fd00:ec2::254",
                "fd00:ec2::23",
                "fd20:ce::254",
                "fd00:c1::a9fe:a9fe",
                "fd00:42::42",
            ],
            Some(Reserved::Metadata),
        );
    }

    #[test]
    fn link_local_addresses_are_refused() {
        check(
            &["169.254.0.0", "169.254.255.255", "fe80::1", "febf:ffff::1"],
            Some(Reserved::LinkLocal),
        );
    }

    #[test]
    fn unspecified_addresses_are_refused() {
        check(
            &["0.0.0.0", "0.1.2.3", "0.255.255.255", "::"],
            Some(Reserved::Unspecified),
        );
    }

    #[test]
    fn multicast_and_broadcast_are_refused() {
        check(
            &["224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1", "ff0e::1"],
            Some(Reserved::Multicast),
        );
    }

    #[test]
    fn an_ipv6_address_that_holds_a_refused_ipv4_address_is_refused() {
        check(
            &[
                "::ffff:169.254.169.254",
                "::169.254.169.254",
                "::ffff:0:169.254.169.254",
                "64:ff9b::169.254.169.254",
                "64:ff9b:1::169.254.169.254",
                // The same with a prefix of 48, 56 and 64 bits.
                "64:ff9b:1:a9fe:a9:fe00::",
                "64:ff9b:1:00a9:fe:a9fe::",
                "64:ff9b:1:0:a9:fea9:fe00:0",
                "2002:a9fe:a9fe::1",
                "2001:0:a9fe:a9fe::",
                "2001:0:808:808::5601:5601",
                "2001:db8::5efe:169.254.169.254",
                "2001:db8::200:5efe:169.254.169.254",
            ],
            Some(Reserved::Metadata),
        );
        check(&["::ffff:169.254.1.1", "2002:a9fe:101::"], Some(Reserved::LinkLocal));
        check(&["::ffff:0.0.0.0", "::2", "64:ff9b::"], Some(Reserved::Unspecified));
        check(
            &["::ffff:224.0.0.1", "::ffff:255.255.255.255"],
            Some(Reserved::Multicast),
        );
    }

    #[test]
    fn private_loopback_and_public_addresses_are_allowed() {
        check(
            &[
                "127.0.0.1",
                "10.0.0.1",
                "172.16.0.1",
                "192.168.1.1",
                "100.64.0.1",
                "100.100.100.201",
                "168.63.129.17",
                "192.0.0.191",
                "169.253.255.255",
                "169.255.0.0",
                "1.0.0.0",
                "8.8.8.8",
                "223.255.255.255",
                "240.0.0.1",
            ],
            None,
        );
        check(
            &[
                "::1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "::ffff:8.8.8.8",
                "64:ff9b::8.8.8.8",
                "64:ff9b:1:808:8:800:808:808",
                "64:ff9b:1::8.8.8.8",
                "64:ff9b:2::169.254.169.254",
                "2002:808:808::1",
                "2001:0:808:808::f7f7:f7f7",
                "2001:1:a9fe:a9fe::",
                "2001:db8::5efe:8.8.8.8",
                "2001:db8::100:5efe:169.254.169.254",
                "2001:db8::a9fe:a9fe",
                "fd00:ec3::254",
                "fd20:ce::255",
                "fd00:c1::a9fe:a9ff",
                "fd00:42::43",
                "fec0::1",
                "fe7f::1",
                "2606:4700::1",
            ],
            None,
        );
    }

    #[test]
    fn a_refusal_says_which_address_and_why() {
        let refused = permit(
            "::ffff:169.254.169.254".parse().expect("an address"),
            LinkLocal::Refused,
        );
        assert_eq!(
            refused.map_err(|refused| refused.to_string()),
            Err("::ffff:169.254.169.254 is a cloud metadata address, webhooks never go there".into())
        );
    }
}
