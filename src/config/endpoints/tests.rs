mod delivery;

use std::{io, path::Path, time::Duration};

use super::{
    super::{
        error::Problem,
        parse::parse,
        reader::{self, Findings, Provenance},
    },
    *,
};

const EVENTS: &str = "events: [channel_occupied]";
const KNOWN: &str = "known are channel_occupied, channel_vacated, member_added, member_removed, client_event, \
                     cache_miss, subscription_count, user_online, user_offline and the groups existence, \
                     presence, client, cache";
const SECRET: &str = "whsec_aHVudGVyMi1odW50ZXIyLWh1bnRlcjIt";
/// The start of sha256 of "1\nhttp://h/".
const HASH: &str = "f1e77289149f";

fn read(webhooks: &str) -> (Vec<EndpointSettings>, Findings) {
    let yaml = format!("webhooks: [{webhooks}]");
    let mut findings = Findings::default();
    let id = "1".parse().expect("valid");
    let files = Files {
        folder: Path::new("etc"),
        read: &|_| Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    };
    let tree = parse(&yaml).expect(&yaml);
    let endpoints = reader::read(tree, &mut findings, |app| endpoints(app, Some(&id), &files));
    (endpoints, findings)
}

fn said(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(Problem::to_string).collect()
}

#[track_caller]
fn accepted(webhooks: &str) -> Vec<EndpointSettings> {
    let (endpoints, findings) = read(webhooks);
    assert_eq!(findings.problems, [], "{webhooks}");
    endpoints
}

#[track_caller]
fn refused(webhooks: &str, want: &[&str]) {
    assert_eq!(said(&read(webhooks).1.problems), want, "{webhooks}");
}

/// Checks the ids of endpoints of one URL, and the indexes of those that a warning is about.
#[track_caller]
fn check_ids(given: &[Option<&str>], want: &[&str], warned: &[usize]) {
    let webhook = |id: &Option<&str>| {
        let id = id.map_or(String::new(), |id| format!("id: {id}, "));
        format!("{{{id}url: 'http://h/', {EVENTS}}}")
    };
    let webhooks: Vec<_> = given.iter().map(webhook).collect();
    let (endpoints, findings) = read(&webhooks.join(", "));
    let ids: Vec<_> = endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
    assert_eq!((ids.as_slice(), &findings.problems[..]), (want, &[][..]));
    let paths: Vec<_> = findings.warnings.iter().map(|warning| warning.path.clone()).collect();
    let want: Vec<_> = warned.iter().map(|index| format!("webhooks[{index}].url")).collect();
    assert_eq!(paths, want);
}

#[test]
fn an_endpoint_has_defaults_for_all_but_url_and_events() {
    let endpoints = accepted(&format!("{{url: 'http://h/', {EVENTS}}}"));
    let endpoint = &endpoints[0];
    assert_eq!(endpoint.id.as_str(), HASH);
    assert_eq!(endpoint.url, "http://h/");
    assert_eq!(endpoint.events, [WebhookEvent::ChannelOccupied]);
    assert_eq!(endpoint.channels, ChannelPattern::default());
    assert!(endpoint.headers.is_empty() && endpoint.secrets.is_empty());
    assert_eq!(
        (endpoint.batch, endpoint.extras, endpoint.compact, endpoint.announce),
        (true, false, false, true)
    );
    assert_eq!(endpoint.lanes, 1);
    let breaker = BreakerSettings {
        after: 10,
        open_for: Duration::from_secs(30),
    };
    assert_eq!(endpoint.breaker, breaker);
    assert!(endpoint.tls.roots.is_none() && endpoint.tls.identity.is_none());
}

#[test]
fn an_address_that_nothing_is_ever_sent_to_is_warned_of() {
    let warning = |url: &str, more: &str| {
        let (_, findings) = read(&format!("{{url: '{url}', {EVENTS}{more}}}"));
        assert_eq!(findings.problems, []);
        let warnings = findings.warnings.iter().map(|warning| warning.what.clone());
        warnings.collect::<Vec<_>>().join("; ")
    };
    for (url, why) in [
        (
            "http://169.254.169.254/",
            "169.254.169.254 is a cloud metadata address, webhooks never go there",
        ),
        (
            "http://0.0.0.0:3000/",
            "0.0.0.0 is an unspecified address, webhooks never go there",
        ),
        ("http://[::]/", ":: is an unspecified address, webhooks never go there"),
        (
            "http://224.0.0.1/",
            "224.0.0.1 is a multicast or broadcast address, webhooks never go there",
        ),
        (
            "http://169.254.1.2/",
            "169.254.1.2 is a link-local address (`link_local: true` of the endpoint allows those), webhooks never go there",
        ),
        ("http://127.0.0.1/", ""),
        ("http://[fd00::1]/", ""),
        ("http://metadata.example/", ""),
    ] {
        assert_eq!(warning(url, ""), why, "{url}");
    }
    let link_local = ", link_local: true";
    for url in ["http://169.254.1.2/", "http://[fe80::1]/"] {
        assert_eq!(warning(url, link_local), "", "{url}");
    }
    assert!(warning("http://169.254.169.254/", link_local).contains("metadata"));
}

#[test]
fn an_endpoint_is_read_as_it_is_typed() {
    let endpoints = accepted(
        "{id: a, url: 'https://h/?x', events: [client_event, member_added], \
         channels: {prefix: presence-, suffix: '-x'}, headers: {X-B: b, X-A: a c}, lanes: 4, \
         breaker: {after: 3, open_for: 5s}}",
    );
    let endpoint = &endpoints[0];
    assert_eq!((endpoint.id.as_str(), endpoint.url.as_str()), ("a", "https://h/?x"));
    assert_eq!(endpoint.events, [WebhookEvent::ClientEvent, WebhookEvent::MemberAdded]);
    assert_eq!(endpoint.channels, ChannelPattern::affixes("presence-", "-x"));
    assert_eq!(endpoint.lanes, 4);
    assert_eq!(
        (endpoint.breaker.after, endpoint.breaker.open_for),
        (3, Duration::from_secs(5))
    );
    let headers = [("X-B", "b"), ("X-A", "a c")];
    assert_eq!(
        endpoint.headers,
        headers.map(|(name, value)| (name.into(), value.into()))
    );
}

#[test]
fn a_default_id_is_a_hash_of_app_and_url_with_a_count_from_the_second_on() {
    let [second, third] = [2, 3].map(|nth| format!("{HASH}-{nth}"));
    check_ids(&[None], &[HASH], &[]);
    check_ids(&[None, None, None], &[HASH, &second, &third], &[1, 2]);
    let other = accepted(&format!(
        "{{url: 'http://h/', {EVENTS}}}, {{url: 'http://i/', {EVENTS}}}, {{url: 'http://h/', {EVENTS}}}"
    ));
    assert_ne!(other[1].id.as_str(), HASH);
    assert_eq!(other[1].id.as_str().len(), 12);
    assert_eq!(other[2].id.as_str(), second);
}

#[test]
fn one_url_twice_is_doubtful_unless_both_have_an_id() {
    let second = format!("{HASH}-2");
    check_ids(&[Some("a"), Some("b")], &["a", "b"], &[]);
    check_ids(&[Some("a"), None], &["a", &second], &[1]);
    check_ids(&[None, Some("b")], &[HASH, "b"], &[1]);
    check_ids(&[Some("a"), Some("b"), None], &["a", "b", &format!("{HASH}-3")], &[2]);
    let (_, findings) = read(&format!(
        "{{url: 'http://h/', {EVENTS}}}, {{url: 'http://h/', {EVENTS}}}"
    ));
    assert_eq!(
        said(&findings.warnings),
        [
            "webhooks[1].url: webhooks[0] has the same, give both an `id`: without, removing one hands its queue to the other"
        ]
    );
}

#[test]
fn an_id_is_unique_in_its_app() {
    let endpoint = |id: &str, url: &str| format!("{{id: {id}, url: 'http://{url}/', {EVENTS}}}");
    let want = ["webhooks[1].id: webhooks[0] has the same, give each webhook its own"];
    refused(&format!("{}, {}", endpoint("a", "x"), endpoint("a", "y")), &want);
    refused(
        &format!("{{url: 'http://h/', {EVENTS}}}, {}", endpoint(HASH, "y")),
        &want,
    );
    refused(
        &format!("{}, {{url: 'http://h/', {EVENTS}}}", endpoint(HASH, "y")),
        &want,
    );
    assert_eq!(accepted(&endpoint("7", "x"))[0].id.as_str(), "7");
    refused(
        &endpoint("'a b'", "x"),
        &["webhooks[0].id: endpoint id is 1 to 64 of A-Z a-z 0-9 _ -"],
    );
}

#[test]
fn an_endpoint_needs_a_url_and_events() {
    let events = format!("webhooks[0].events: names no event, {KNOWN}");
    refused("{}", &["webhooks[0].url: is missing", &events]);
    refused("{url: 'http://h/', events: []}", &[&events]);
    refused(&format!("{{url: '', {EVENTS}}}"), &["webhooks[0].url: is empty"]);
    refused(
        &format!("{{url: h, {EVENTS}}}"),
        &["webhooks[0].url: must begin with http:// or https://"],
    );
}

#[test]
fn two_endpoints_without_a_url_are_not_of_one_url() {
    let (_, findings) = read(&format!("{{{EVENTS}}}, {{{EVENTS}}}"));
    assert_eq!(
        said(&findings.problems),
        ["webhooks[0].url: is missing", "webhooks[1].url: is missing"]
    );
    assert_eq!(findings.warnings, []);
}

#[test]
fn an_event_is_a_known_one_and_stands_once() {
    refused(
        "{url: 'http://h/', events: [channel_ocupied, zzz, member_added, member_added, 1]}",
        &[
            "webhooks[0].events[0]: no such webhook event, did you mean `channel_occupied`?",
            &format!("webhooks[0].events[1]: no such webhook event, {KNOWN}"),
            "webhooks[0].events[3]: stands in the list already",
            "webhooks[0].events[4]: YAML reads it as a whole number, put it in quotes",
        ],
    );
}

#[test]
fn every_event_may_be_asked_for() {
    for event in WebhookEvent::ALL {
        let endpoints = accepted(&format!("{{url: 'http://h/', events: [{event}]}}"));
        assert_eq!(endpoints[0].events, [event]);
    }
}

#[test]
fn a_group_stands_for_its_events() {
    use WebhookEvent::{
        CacheMiss, ChannelOccupied, ChannelVacated, ClientEvent, MemberAdded, MemberRemoved, SubscriptionCount,
    };
    let groups: [(&str, &[WebhookEvent]); 6] = [
        ("existence", &[ChannelOccupied, ChannelVacated]),
        ("presence", &[MemberAdded, MemberRemoved]),
        ("client", &[ClientEvent]),
        ("cache", &[CacheMiss]),
        ("subscription_count", &[SubscriptionCount]),
        (
            "presence, cache_miss, existence",
            &[MemberAdded, MemberRemoved, CacheMiss, ChannelOccupied, ChannelVacated],
        ),
    ];
    for (typed, want) in groups {
        let endpoints = accepted(&format!("{{url: 'http://h/', events: [{typed}]}}"));
        assert_eq!(endpoints[0].events, want, "{typed}");
    }
}

#[test]
fn a_group_and_an_event_of_it_are_a_repetition() {
    refused(
        "{url: 'http://h/', events: [existence, channel_vacated, member_removed, presence, cache, cache, precense, Cache]}",
        &[
            "webhooks[0].events[1]: stands in the list already",
            "webhooks[0].events[3]: asks for `member_removed`, which stands in the list already",
            "webhooks[0].events[5]: asks for `cache_miss`, which stands in the list already",
            "webhooks[0].events[6]: no such webhook event, did you mean `presence`?",
            "webhooks[0].events[7]: no such webhook event, did you mean `cache`?",
        ],
    );
}

#[test]
fn soketis_spelling_is_read_too() {
    let endpoints = accepted(
        "{url: 'http://h/', event_types: [channel_occupied, cache], \
         filter: {channel_name_starts_with: presence-, channel_name_ends_with: '-x'}}",
    );
    let endpoint = &endpoints[0];
    assert_eq!(
        endpoint.events,
        [WebhookEvent::ChannelOccupied, WebhookEvent::CacheMiss]
    );
    assert_eq!(endpoint.channels, ChannelPattern::affixes("presence-", "-x"));
    let mixed = accepted(&format!(
        "{{url: 'http://h/', {EVENTS}, filter: {{channel_name_ends_with: '-x'}}}}"
    ));
    assert_eq!(mixed[0].channels, ChannelPattern::affixes("", "-x"));
}

#[test]
fn soketis_spelling_is_as_strict_as_ours() {
    refused(
        "{url: 'http://h/', event_types: [zzz], filter: {prefix: a, channel_name_starts_with: ' '}}",
        &[
            &format!("webhooks[0].event_types[0]: no such webhook event, {KNOWN}"),
            "webhooks[0].filter.channel_name_starts_with: no channel can match: channel name has forbidden character ' ', allowed are A-Z a-z 0-9 _ - = @ , . and ;",
            "webhooks[0].filter.prefix: unknown key, known are channel_name_starts_with, channel_name_ends_with",
        ],
    );
    refused(
        "{url: 'http://h/', event_types: []}",
        &[&format!("webhooks[0].event_types: names no event, {KNOWN}")],
    );
    refused(
        "{url: 'http://h/', event_tipes: [cache]}",
        &[
            &format!("webhooks[0].events: names no event, {KNOWN}"),
            "webhooks[0].event_tipes: unknown key, did you mean `event_types`?",
        ],
    );
}

#[test]
fn both_spellings_at_once_are_a_problem_that_says_which_to_keep() {
    let both = format!(
        "{{url: 'http://h/', event_types: [client], {EVENTS}, filter: {{channel_name_ends_with: x}}, channels: {{prefix: a}}}}"
    );
    refused(
        &both,
        &[
            "webhooks[0].event_types: says the same as `events`, keep `events` and remove this",
            "webhooks[0].filter: says the same as `channels`, keep `channels` and remove this",
        ],
    );
    let (endpoints, _) = read(&both);
    assert_eq!(endpoints[0].events, [WebhookEvent::ChannelOccupied]);
    assert_eq!(endpoints[0].channels, ChannelPattern::affixes("a", ""));
}

#[test]
fn every_problem_of_an_endpoint_is_reported() {
    refused(
        &format!(
            "{{url: h, {EVENTS}, channels: {{prefx: a, suffix: ' '}}, headers: {{Host: x, X-A: a, x-a: b}}, id: ''}}"
        ),
        &[
            "webhooks[0].url: must begin with http:// or https://",
            "webhooks[0].id: endpoint id is 1 to 64 of A-Z a-z 0-9 _ -",
            "webhooks[0].channels.suffix: no channel can match: channel name has forbidden character ' ', allowed are A-Z a-z 0-9 _ - = @ , . and ;",
            "webhooks[0].channels.prefx: unknown key, did you mean `prefix`?",
            "webhooks[0].headers.Host: is a header that Vacancy sets itself, remove it",
            "webhooks[0].headers.x-a: is given twice, header names have no case",
        ],
    );
}

#[test]
fn the_report_hides_headers_secrets_user_info_and_query() {
    let (_, findings) = read(&format!(
        "{{url: 'http://u:hunter2@h/a?hunter2', {EVENTS}, headers: {{X-A: hunter2}}, secrets: [{SECRET}]}}"
    ));
    let line = |p: &Provenance| format!("{} = {} ({})", p.path, p.value, p.origin);
    let mut report: Vec<_> = findings.report.iter().map(line).collect();
    assert!(report.remove(1).ends_with(" (default)"));
    assert_eq!(
        report,
        [
            "webhooks[0].url = http://********@h/a?******** (file)",
            "webhooks[0].events[0] = channel_occupied (file)",
            "webhooks[0].headers.X-A = ******** (file)",
            "webhooks[0].secrets[0] = ******** (file)",
            "webhooks[0].batch = true (default)",
            "webhooks[0].extras = false (default)",
            "webhooks[0].compact = false (default)",
            "webhooks[0].announce = true (default)",
            "webhooks[0].link_local = false (default)",
            "webhooks[0].lanes = 1 (default)",
            "webhooks[0].breaker.after = 10 (default)",
            "webhooks[0].breaker.open_for = 30s (default)",
        ]
    );
}
