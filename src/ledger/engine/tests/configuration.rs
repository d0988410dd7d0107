//! What becomes of a changed configuration (DESIGN.md section 5).

use super::*;

#[test]
fn an_endpoint_that_is_removed_has_its_queue_parked() {
    let mut check = Check::new(vec![all("one"), all("two")]);
    check.window(0, "+a").window(1, "+b !b");
    check
        .reconfigure(2, |app| {
            app.endpoints.remove(1);
        })
        .settle(2);
    check.parks(&[
        "two:+a endpoint removed",
        "two:+b endpoint removed",
        "two:!b endpoint removed",
    ]);
    check.delivers(3, "one").delivers(4, "one").keeps_no_event();
    assert_eq!(check.store.loaded().endpoints.len(), 1);
}

#[test]
fn an_endpoint_that_is_gone_at_a_start_has_its_queue_parked_too() {
    let mut check = Check::new(vec![all("one"), all("two")]);
    check.window(0, "+a");
    check.apps[0].endpoints.remove(1);
    check.restart(1).settle(1);
    check.parks(&["two:+a endpoint removed"]);
    assert_eq!(check.store.loaded().endpoints.len(), 1);
}

#[test]
fn an_id_that_comes_back_is_a_new_endpoint() {
    let mut check = Check::new(vec![all("one")]);
    check.window(0, "+a -a +b").mode(1, "one", Mode::Paused);
    check.reconfigure(2, |app| app.endpoints.clear());
    check.sent.clear();
    check.reconfigure(3, |app| app.endpoints.push(all("one")));
    // It is told what is occupied, and nothing of what its predecessor waited for; `a` is pending.
    check.sends(&["one:+a +b"]);
    assert_eq!(check.parked().len(), 2);
}

#[test]
fn an_id_that_comes_back_after_a_crash_in_the_middle_of_its_removal_is_a_new_endpoint() {
    let mut check = Check::at_once(vec![all("one"), all("two")]);
    check.window(0, "+x").delivers_all(0);
    check.mode(0, "one", Mode::Paused).window(1, &"!a ".repeat(1_500));
    check.delivers_all(1);
    let two = check.apps[0].endpoints.remove(1);
    let one = check.apps[0].endpoints.remove(0);
    check.apps[0].endpoints.push(two);
    check.configure(2);
    check.apps[0].endpoints.push(one);
    check.sent.clear();
    check.restart(3).sends(&["one:+x"]);
    assert_eq!(check.parked().len(), 1_500);
    check.window(4, &"!b ".repeat(50)).delivers_all(5).keeps_no_event();
    check.restart(6).delivers_all(7).keeps_no_event();
}

#[test]
fn an_endpoint_that_leaves_and_comes_back_in_one_step_gets_nothing_of_the_old_one() {
    let mut check = Check::at_once(vec![all("one"), all("two")]);
    check.mode(0, "one", Mode::Paused).mode(0, "two", Mode::Paused);
    check.window(1, "!a !b !c");
    let with = Control::Configure(check.apps.clone());
    check.apps[0].endpoints.remove(0);
    let without = Control::Configure(check.apps.clone());
    let step = Step {
        controls: vec![without, with],
        ..window("!d", check.start.ms(2))
    };
    check.step(2, &step).sends(&["one:!d"]);
    assert_eq!(check.parked().len(), 3);
    // What is kept of the new one is what it has, so a crash changes nothing.
    check.apps[0].endpoints.insert(0, all("one"));
    check.restart(3).sends(&["one:!d"]).delivers(4, "one").sends(&[]);
    check.restart(5).sends(&[]);
}

#[test]
fn an_app_that_is_removed_has_its_queues_parked_and_its_state_dropped() {
    let mut check = Check::new(vec![all("one")]);
    check.window(0, "+a").window(1, "+b");
    let app = check.apps.remove(0);
    check.configure(2).settle(2);
    check.parks(&["one:+a endpoint removed", "one:+b endpoint removed"]);
    let loaded = check.store.loaded();
    assert_eq!((loaded.keys.len(), loaded.endpoints.len()), (0, 0));
    check.keeps_no_event();
    check.apps.push(app);
    check.sent.clear();
    check
        .configure(3)
        .tells_occupied(&[])
        .window(4, "+a")
        .sends(&["one:+a"]);
}

#[test]
fn an_app_that_is_gone_at_a_start_is_dropped_too() {
    let mut check = Check::new(vec![all("one")]);
    check.window(0, "+a").delivers_all(1);
    let app = check.apps.remove(0);
    check.restart(2).settle(2);
    assert_eq!(check.store.loaded().keys.len(), 0);
    check.apps.push(app);
    check.restart(3).tells_occupied(&[]);
}

#[test]
fn an_app_that_comes_back_while_its_keys_are_dropped_keeps_its_new_ones() {
    let mut check = Check::at_once(vec![all("one")]);
    let names: Vec<String> = (0..1_500).map(|no| format!("+c{no:04}")).collect();
    check.window(0, &names.join(" ")).delivers_all(1);
    let app = check.apps.remove(0);
    check.configure(2).nothing(2).nothing(2);
    check.apps.push(app);
    check.configure(3).window(4, "+c1499").delivers_all(5).settle(5);
    check.restart(6).tells_occupied(&["c1499"]);
}

#[test]
fn an_app_that_is_disabled_is_told_vacant() {
    let mut check = Check::new(vec![all("one")]);
    check
        .window(0, "+a +presence-b +presence-b/7 +@7")
        .delivers_all(1)
        .window(2, "-a");
    check.sent.clear();
    check.reconfigure(3, |app| app.enabled = false);
    check
        .sends(&["one:-presence-b/7 -a -presence-b -@7"])
        .tells_occupied(&[]);
    // Their clients are closed, which changes nothing more.
    check
        .window(4, "-presence-b -presence-b/7 -@7")
        .delivers_all(5)
        .sends(&[]);
}

#[test]
fn an_app_that_is_disabled_at_a_start_is_told_vacant() {
    let mut check = Check::new(vec![all("one")]);
    check.window(0, "+a").delivers_all(1);
    check.apps[0].enabled = false;
    check.sent.clear();
    check.restart(2).sends(&["one:-a"]);
}

#[test]
fn an_endpoint_that_is_added_is_told_of_what_is_occupied_with_the_old_numbers_ahead_of_later_events() {
    let mut check = Check::new(vec![all("one")]);
    check.window(5, "+a +presence-b +presence-b/7");
    let told: Vec<Event> = check.under_way[0]
        .events
        .iter()
        .map(|event| (**event).clone())
        .collect();
    check.delivers_all(6).window(7, "-a");
    check.sent.clear();
    check.apps[0].endpoints.push(all("two"));
    let step = Step {
        controls: vec![Control::Configure(check.apps.clone())],
        ..window("!a +c", check.start.ms(8))
    };
    check.step(8, &step);
    check.sends(&["one:!a +c", "two:+a +presence-b +presence-b/7 !a +c"]);
    let again: Vec<Event> = check.under_way[1]
        .events
        .iter()
        .map(|event| (**event).clone())
        .collect();
    assert_eq!(again[..3], told[..]);
    // Its contract counts from there.
    check.delivers_all(9).window(3_007, "").sends(&["one:-a", "two:-a"]);
}

#[test]
fn what_nobody_asked_for_is_told_with_the_number_that_it_had() {
    let mut check = Check::new(Vec::new());
    check.window(5, "+a");
    let told = check.told("a");
    check
        .reconfigure(6, |app| app.endpoints.push(all("one")))
        .sends(&["one:+a"]);
    let event = &check.under_way[0].events[0];
    assert_eq!((event.seq(), event.at_ms), (Some(told.seq), told.since_ms));
    assert_eq!(told.since_ms, check.start.ms(5).wall_ms);
    check.delivers_all(7).restart(8).tells_occupied(&["a"]);
}

#[test]
fn a_filter_that_is_widened_is_told_of_what_it_did_not_match_before() {
    let mut check = Check::new(vec![of_prefix("one", "job-")]);
    check.window(0, "+job-1 +a").delivers_all(1);
    check.sent.clear();
    check
        .reconfigure(2, |app| app.endpoints = vec![all("one")])
        .sends(&["one:+a"]);
    check
        .delivers_all(3)
        .window(4, "-a -job-1")
        .window(3_004, "")
        .sends(&["one:-a -job-1"]);
}

#[test]
fn a_filter_that_is_widened_by_a_restart_is_told_the_same() {
    let mut check = Check::new(vec![of_prefix("one", "job-"), of_prefix("two", "a")]);
    check.window(0, "+job-1 +a").delivers_all(1);
    check.sent.clear();
    check.apps[0].endpoints[0] = all("one");
    check.restart(2).sends(&["one:+a"]).restart(3).sends(&["one:+a"]);
}

#[test]
fn an_endpoint_that_wants_no_announcement_gets_none() {
    let mut silent = all("two");
    silent.announce = false;
    let mut check = Check::new(vec![of_prefix("one", "job-")]);
    check.window(0, "+a").reconfigure(1, |app| {
        app.endpoints[0] = EndpointRules {
            announce: false,
            ..all("one")
        };
        app.endpoints.push(silent);
    });
    check.sends(&[]).window(2, "+b").sends(&["one:+b", "two:+b"]);
}

#[test]
fn a_filter_that_is_narrowed_tells_nothing() {
    let mut check = Check::new(vec![all("one")]);
    check.window(0, "+job-1 +a").delivers_all(1);
    check.sent.clear();
    check
        .reconfigure(2, |app| app.endpoints = vec![of_prefix("one", "job-")])
        .sends(&[]);
    check.window(3, "-a -job-1").window(3_003, "").sends(&["one:-job-1"]);
}

#[test]
fn an_announcement_of_more_than_1_000_keys_takes_several_steps_and_tells_the_newest_of_what_changes_meanwhile() {
    let mut check = Check::at_once(vec![all("one")]);
    let names: Vec<String> = (0..2_500).map(|no| format!("c{no:04}")).collect();
    check.window(0, &names.iter().map(|name| format!("+{name} ")).collect::<String>());
    check.delivers_all(1);
    check.sent.clear();
    check.apps[0].endpoints = vec![all("two")];
    check.apps[0].endpoints[0].cut.events_max = 10_000;
    check.apps[0].endpoints[0].cut.body_bytes_max = 10_000_000;
    check.configure(2);
    assert_eq!(check.under_way[0].events.len(), 1_000);
    // One that was told, one whose turn comes and one that is new; in the order of their names.
    check.window(2, "-c0000 -c1999 -c2000 +c2000 -c2499 +c2499x");
    assert_eq!(check.settle(2), 1);
    check.under_way.clear();
    check.sent.clear();
    check.restart(3).delivers_all(4);
    let mut told: Vec<&str> = check.sent.iter().flat_map(|sent| sent.split([':', ' '])).collect();
    told.retain(|word| *word != "two");
    let mut want: Vec<String> = names.iter().map(|name| format!("+{name}")).collect();
    want.retain(|event| event != "+c1999" && event != "+c2499");
    want.insert(1_000, "-c0000".into());
    want.push("+c2499x".into());
    assert_eq!(told, want);
}

#[test]
fn an_announcement_goes_on_after_a_crash_in_the_middle_of_it() {
    let mut check = Check::at_once(vec![all("one")]);
    let names: Vec<String> = (0..2_500).map(|no| format!("+c{no:04}")).collect();
    check.window(0, &names.join(" ")).delivers_all(1);
    check.apps[0].endpoints.push(all("two"));
    check.sent.clear();
    check.configure(2).crash().configure(3).crash().configure(4).accept(4);
    check.settle(4);
    check.sent.clear();
    check.restart(5).delivers_all(5);
    let events: Vec<&str> = check
        .sent
        .iter()
        .filter_map(|sent| sent.strip_prefix("two:"))
        .flat_map(|events| events.split(' '))
        .collect();
    assert_eq!(events, names);
    check.keeps_no_event();
}

#[test]
fn lanes_that_change_finish_first_what_was_cut_before() {
    let mut check = Check::at_once(vec![all("one")]);
    check.window(0, "+a +b").window(1, "-a -b").sends(&["one:+a +b"]);
    check.reconfigure(2, |app| app.endpoints[0].lanes = 2).sends(&[]);
    check.delivers(3, "one").sends(&["one:-a", "one:-b"]);
}

#[test]
fn lanes_that_change_by_a_restart_finish_first_what_was_cut_before() {
    let mut check = Check::at_once(vec![all("one")]);
    check.window(0, "+a +b").window(1, "-a -b");
    check.sent.clear();
    check.apps[0].endpoints[0].lanes = 2;
    check.restart(2).sends(&["one:+a +b"]).restart(3).sends(&["one:+a +b"]);
    check.delivers(4, "one").sends(&["one:-a", "one:-b"]);
}

#[test]
fn an_endpoint_keeps_its_mode_over_a_restart() {
    let mut check = Check::new(vec![all("one")]);
    check.mode(0, "one", Mode::Paused).restart(1).window(2, "+a").sends(&[]);
    check.mode(3, "one", Mode::Enabled).sends(&["one:+a"]);
    check
        .answer(4, "one", Outcome::Gone)
        .restart(5)
        .window(6, "!a")
        .sends(&[]);
    check.parks(&["one:!a endpoint answered 410"]);
    check.mode(7, "one", Mode::Enabled).sends(&["one:+a"]);
}

#[test]
fn an_endpoint_that_asks_for_one_kind_is_told_that_kind_only() {
    let mut check = Check::at_once(vec![of_kinds("one", &[WebhookEvent::ChannelVacated])]);
    check.window(0, "+a -a +b").sends(&["one:-a"]);
    check.reconfigure(1, |app| {
        app.endpoints = vec![of_kinds(
            "one",
            &[WebhookEvent::ChannelOccupied, WebhookEvent::ChannelVacated],
        )];
    });
    check.delivers_all(2).sends(&["one:+b"]);
}

#[test]
fn a_disabled_endpoint_that_is_gone_at_a_start_is_parked_as_removed() {
    let mut check = Check::new(vec![all("one"), all("two")]);
    check.window(0, "+a");
    check.mode(1, "two", Mode::Disabled(crate::ledger::DisabledBecause::Operator));
    check.apps[0].endpoints.remove(1);
    check.restart(2).settle(2);
    check.parks(&["two:+a endpoint removed"]);
}
