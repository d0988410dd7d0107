//! The number of a message in what is received.

use super::mark::{self, Mark};

fn found(bytes: &[u8]) -> (Vec<(usize, u64, bool)>, usize) {
    let mut marks = Vec::new();
    let rest = mark::find(bytes, |mark: Mark| {
        marks.push((mark.stream, mark.message, mark.is_leave));
    });
    (marks, rest)
}

#[test]
fn a_mark_has_the_place_of_its_stream_and_twelve_digits() {
    assert_eq!(mark::text(0, 0), "~duea000000000000");
    assert_eq!(mark::text(2, 0xabc), "~duec000000000abc");
    assert_eq!(mark::text(2, 0xabc).len(), mark::LEN);
}

#[test]
fn every_mark_of_several_frames_is_found_once() {
    let frames = br#"..{"event":"bench","channel":"c","data":"~duea000000000001xx"}..{"event":"bench","channel":"c","data":"~dueb00000000001fxx"}"#;
    assert_eq!(found(frames).0, [(0, 1, false), (1, 31, false)]);
}

#[test]
fn the_mark_of_a_member_who_was_removed_is_that_of_a_leave() {
    let joined =
        br#"{"event":"pusher_internal:member_added","channel":"p","data":"{\"user_id\":\"~duea000000000004\"}"}"#;
    let left =
        br#"{"event":"pusher_internal:member_removed","channel":"p","data":"{\"user_id\":\"~duea000000000004\"}"}"#;
    assert_eq!(found(joined).0, [(0, 4, false)]);
    assert_eq!(found(left).0, [(0, 4, true)]);
    assert_eq!(
        found(&[left.as_slice(), joined.as_slice()].concat()).0,
        [(0, 4, true), (0, 4, false)]
    );
}

#[test]
fn a_mark_that_came_in_parts_is_found_once_wherever_it_was_cut() {
    let all = br#"{"event":"pusher_internal:member_removed","data":"{\"user_id\":\"~duea000000000004\"}"}{"event":"bench","data":"~dueb000000000005xx"}"#;
    for cut in 0..=all.len() {
        let (mut marks, rest) = found(&all[..cut]);
        let (more, _) = found(&[&all[rest..cut], &all[cut..]].concat());
        marks.extend(more);
        assert_eq!(marks, [(0, 4, true), (1, 5, false)], "cut at {cut}");
    }
}

#[test]
fn what_only_begins_like_a_mark_is_none() {
    assert_eq!(
        found(b"~duea00000000000g and ~due and ~dueaxyz~duea000000000007").0,
        [(0, 7, false)]
    );
}
