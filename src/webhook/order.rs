//! The order in which the addresses of a host are tried.

use std::net::SocketAddr;

/// Most addresses of a host that one attempt tries.
const ADDRESSES_MAX: usize = 16;

/// Sorts addresses as RFC 8305 says: the families alternate, beginning with that of the first address. Each
/// failed attempt moves the beginning on by one.
pub(super) fn order(addresses: Vec<SocketAddr>, failed: usize) -> Vec<SocketAddr> {
    let begins_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (own, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == begins_v6);
    let (mut own, mut other) = (own.into_iter(), other.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [own.next(), other.next()];
        if pair == [None, None] {
            break;
        }
        ordered.extend(pair.into_iter().flatten());
    }
    if !ordered.is_empty() {
        let begin = failed % ordered.len();
        ordered.rotate_left(begin);
    }
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &[&str], failed: usize, want: &[&str]) {
        let parse = |address: &&str| SocketAddr::new(address.parse().expect("an address"), 80);
        let got = order(addresses.iter().map(parse).collect(), failed);
        assert_eq!(got, want.iter().map(parse).collect::<Vec<_>>());
    }

    #[test]
    fn the_families_take_turns_and_the_first_address_stays_the_first() {
        check(&[], 3, &[]);
        check(&["1.1.1.1"], 3, &["1.1.1.1"]);
        check(&["::1", "::2", "::3", "1.1.1.1"], 0, &["::1", "1.1.1.1", "::2", "::3"]);
        check(&["1.1.1.1", "2.2.2.2", "::1"], 0, &["1.1.1.1", "::1", "2.2.2.2"]);
    }

    #[test]
    fn each_failed_attempt_has_the_next_begin_with_another_address() {
        let two = ["::1", "1.1.1.1"];
        check(&two, 0, &["::1", "1.1.1.1"]);
        check(&two, 1, &["1.1.1.1", "::1"]);
        check(&two, 2, &["::1", "1.1.1.1"]);
        check(&two, usize::MAX, &["1.1.1.1", "::1"]);
    }

    #[test]
    fn an_attempt_tries_16_addresses_at_most() {
        let many: Vec<String> = (0..40).map(|at| format!("10.0.0.{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&many, 0, &many[..16]);
        check(&many, 10, &many[10..26]);
    }
}
