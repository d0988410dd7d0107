//! What is known of keys, for those who ask.

use super::*;
use crate::ledger::{ToldChannel, ToldPage};

#[test]
fn the_told_list_is_in_pages_by_name() {
    let mut check = Check::new(1_000);
    for (ms, name) in ["b", "a-2", "a-1", "c", "a-3"].into_iter().enumerate() {
        check.enter(name, ms as u64);
    }
    check.enter("presence-only/7", 9).leave("a-3", 10);
    let names = |page: &ToldPage<ChannelName>| {
        let names: Vec<_> = page.told.iter().map(|(name, _)| name.to_string()).collect();
        (names.join(" "), page.next.as_ref().map(ToString::to_string))
    };
    let occupancy = &check.occupancy;
    let told = |names: &str, next: Option<&str>| (names.to_owned(), next.map(str::to_owned));
    assert_eq!(names(&occupancy.told_page("", None, 10)), told("a-1 a-2 a-3 b c", None));
    assert_eq!(names(&occupancy.told_page("a-", None, 2)), told("a-1 a-2", Some("a-2")));
    assert_eq!(names(&occupancy.told_page("a-", Some("a-2"), 2)), told("a-3", None));
    assert_eq!(names(&occupancy.told_page("a-", None, 3)), told("a-1 a-2 a-3", None));
    assert_eq!(names(&occupancy.told_page("b", Some("a"), 3)), told("b", None));
    assert_eq!(names(&occupancy.told_page("z", None, 3)), told("", None));
    let page = occupancy.told_page("b", None, 1);
    let start = check.start.wall_ms;
    assert_eq!(
        page.told[0].1,
        Told {
            seq: start,
            since_ms: start
        }
    );
}

#[test]
fn the_told_users_are_in_pages_by_id() {
    let mut check = Check::new(1_000);
    for (ms, user) in ["b", "a-2", "a-1"].into_iter().enumerate() {
        check.enter(&format!("@{user}"), ms as u64);
    }
    check.enter("a-channel", 3).leave("@a-1", 4);
    let ids = |prefix, after, limit| {
        let page = check.occupancy.told_users(prefix, after, limit);
        let ids: Vec<_> = page.told.iter().map(|(id, _)| id.to_string()).collect();
        (ids.join(" "), page.next.map(|id| id.to_string()))
    };
    let told = |ids: &str, next: Option<&str>| (ids.to_owned(), next.map(str::to_owned));
    assert_eq!(ids("", None, 10), told("a-1 a-2 b", None));
    assert_eq!(ids("a-", None, 1), told("a-1", Some("a-1")));
    assert_eq!(ids("a-", Some("a-1"), 1), told("a-2", None));
    assert_eq!(ids("c", None, 1), told("", None));
}

#[test]
fn a_told_channel_comes_with_its_users() {
    let mut check = Check::new(1_000);
    check
        .enter("presence-x", 0)
        .enter("presence-x/8", 1)
        .enter("presence-x/7", 2);
    let name = "presence-x".parse().expect("valid");
    let channel = check.occupancy.told_channel(&name);
    let start = check.start.wall_ms;
    assert_eq!(channel.told.map(|told| told.since_ms), Some(start));
    let users: Vec<_> = channel
        .users
        .iter()
        .map(|(user, told)| (user.to_string(), told.since_ms))
        .collect();
    assert_eq!(users, [("7".to_owned(), start + 2), ("8".to_owned(), start + 1)]);
    let other = "other".parse().expect("valid");
    assert_eq!(check.occupancy.told_channel(&other), ToldChannel::default());
}
