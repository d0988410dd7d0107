use super::*;

fn print(publication: &Publication) -> String {
    let channels: Vec<&str> = publication.channels.iter().map(ChannelName::as_str).collect();
    let except = publication.except.map(|id| format!(" !{id}")).unwrap_or_default();
    format!(
        "{} {} {}{except}",
        publication.name,
        publication.data.text(),
        channels.join(",")
    )
}

#[track_caller]
fn check(body: &str, want: Result<&str, &str>) {
    let got = parse_trigger(body.as_bytes(), &AppLimits::default());
    let got = got.as_ref().map(print).map_err(ToString::to_string);
    assert_eq!(got, want.map(Into::into).map_err(Into::into), "{body}");
}

#[track_caller]
fn check_batch(body: &str, want: Result<&[&str], &str>) {
    let got = parse_batch(body.as_bytes(), &AppLimits::default());
    let got = got.map(|all| all.iter().map(print).collect::<Vec<_>>());
    let got = got.map_err(|error| error.to_string());
    let want = want.map(|all| all.iter().map(|&text| text.to_owned()).collect());
    assert_eq!(got, want.map_err(Into::into), "{body}");
}

#[test]
fn a_trigger_names_its_channels_in_either_form() {
    check(
        r#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#,
        Ok(r#"foo {"some":"data"} project-3"#),
    );
    check(r#"{"name":"foo","channel":"a","data":"x"}"#, Ok("foo x a"));
    check(r#"{"name":"foo","channels":["a","b","a"],"data":"x"}"#, Ok("foo x a,b"));
    check(
        r#"{"name":"foo","channel":"a","data":"x","socket_id":"1.2","info":"user_count"}"#,
        Ok("foo x a !1.2"),
    );
}

#[test]
fn what_is_missing_or_of_the_wrong_type_is_named() {
    check(
        r#"{"channel":"a","data":"x"}"#,
        Err("Expected name parameter to be a string"),
    );
    check(
        r#"{"name":7,"channel":"a","data":"x"}"#,
        Err("Expected name parameter to be a string"),
    );
    check(
        r#"{"name":"e","channel":"a"}"#,
        Err("Expected data parameter to be a string"),
    );
    check(
        r#"{"name":"e","channel":"a","data":{}}"#,
        Err("Expected data parameter to be a string"),
    );
    check(
        r#"{"name":"e","data":"x"}"#,
        Err("Missing required parameter: channels"),
    );
    check(
        r#"{"name":"e","data":"x","channels":[]}"#,
        Err("Missing required parameter: channels"),
    );
    check(
        r#"{"name":"e","data":"x","channels":[7]}"#,
        Err("Expected channels parameter to be a string"),
    );
    check(
        r#"{"name":"","data":"x","channel":"a"}"#,
        Err("Invalid event name: event name is empty"),
    );
    check(
        r#"{"name":"e","data":"x","channel":"a b"}"#,
        Err(
            "Invalid channel name \"a b\": channel name has forbidden character ' ', allowed are A-Z a-z 0-9 _ - = @ , . and ;",
        ),
    );
    check(
        r#"{"name":"e","data":"x","channel":"a","socket_id":"x"}"#,
        Err("Invalid socket_id: socket id must be two numbers joined by a dot, like 3363.1846347"),
    );
    check(
        r#"{"name":"e","data":"x","channel":"a","info":"cake"}"#,
        Err("info should be a comma separated list of attributes, unknown: cake"),
    );
    assert!(parse_trigger(b"{", &AppLimits::default()).is_err_and(|error| matches!(error, ApiError::InvalidJson(_))));
}

#[test]
fn data_of_over_10_kb_and_more_than_100_channels_are_refused() {
    let data = |len: usize| {
        let body = format!(r#"{{"name":"e","channel":"a","data":"{}"}}"#, "x".repeat(len));
        parse_trigger(body.as_bytes(), &AppLimits::default()).map(|publication| publication.data.len())
    };
    assert_eq!(data(10_240).ok(), Some(10_240));
    assert!(matches!(data(10_241), Err(ApiError::DataTooLarge(10_240))));
    let channels = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("\"c{at}\"")).collect();
        let body = format!(r#"{{"name":"e","data":"x","channels":[{}]}}"#, names.join(","));
        parse_trigger(body.as_bytes(), &AppLimits::default()).map(|publication| publication.channels.len())
    };
    assert_eq!(channels(100).ok(), Some(100));
    assert!(matches!(
        channels(101),
        Err(ApiError::TooManyChannels { count: 101, limit: 100 })
    ));
}

#[test]
fn an_array_of_what_an_object_would_have_is_none() {
    let refused = |column: usize| {
        format!(
            "Invalid JSON in the request body: invalid type: sequence, expected an object at line 1 column {column}"
        )
    };
    check(r#"["foo","x","a",null,null,null,null]"#, Err(&refused(0)));
    check_batch(r#"{"batch":[["foo","x","a",null,null,null,null]]}"#, Err(&refused(10)));
    check_batch(r#"[[{"name":"foo","data":"x","channel":"a"}]]"#, Err(&refused(0)));
}

#[test]
fn a_batch_is_read_whole_or_not_at_all() {
    check_batch(
        r#"{"batch":[{"channel":"my-channel","name":"a","data":"{}"},{"channel":"private-x","name":"b","data":"hi","socket_id":"1.2"}]}"#,
        Ok(&["a {} my-channel", "b hi private-x !1.2"]),
    );
    check_batch(r#"{"batch":[]}"#, Ok(&[]));
    check_batch("{}", Err("Missing required parameter: batch"));
    check_batch(
        r#"{"batch":[{"channel":"a","name":"a","data":"x"},{"channels":["a"],"name":"a","data":"x"}]}"#,
        Err("Missing required parameter: channel"),
    );
    let event = r#"{"channel":"a","name":"a","data":"x"}"#;
    let batch = |count: usize| format!(r#"{{"batch":[{}]}}"#, vec![event; count].join(","));
    check_batch(&batch(10), Ok(&["a x a"; 10]));
    check_batch(&batch(11), Err("Batch too large (11 > 10)"));
}

#[test]
fn the_limits_are_the_apps_own() {
    let limits = AppLimits {
        event_data_bytes: 2,
        event_name_chars: 3,
        channel_name_bytes: 4,
        trigger_channels: 1,
        batch_events: 1,
        ..AppLimits::default()
    };
    let refused = |body: &str| match parse_trigger(body.as_bytes(), &limits) {
        Ok(publication) => print(&publication),
        Err(error) => error.to_string(),
    };
    assert_eq!(refused(r#"{"name":"abc","channel":"abcd","data":"xy"}"#), "abc xy abcd");
    assert_eq!(
        refused(r#"{"name":"abcd","channel":"a","data":"x"}"#),
        "Invalid event name: event name is 4 characters, limit is 3"
    );
    assert_eq!(
        refused(r#"{"name":"a","channel":"abcde","data":"x"}"#),
        "Invalid channel name \"abcde\": channel name is 5 bytes, limit is 4"
    );
    assert_eq!(
        refused(r#"{"name":"a","channels":["a","b"],"data":"x"}"#),
        "Too many channels (2 > 1)"
    );
    assert!(refused(r#"{"name":"a","channel":"a","data":"xyz"}"#).contains("(2 bytes)"));
    let batch = r#"{"batch":[{"channel":"a","name":"a","data":"x"},{"channel":"a","name":"a","data":"x"}]}"#;
    let error = parse_batch(batch.as_bytes(), &limits).expect_err("too large");
    assert_eq!(error.to_string(), "Batch too large (2 > 1)");
}

#[test]
fn a_trigger_may_stand_in_the_query() {
    let limits = AppLimits::default();
    let read = |raw: &str| {
        let query = Query::parse(raw).expect("UTF-8");
        match trigger_from_query(&query, &limits) {
            Ok(publication) => print(&publication),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(
        read("name=foo&data=%7B%7D&channels[]=a&channels[]=b&socket_id=1.2"),
        "foo {} a,b !1.2"
    );
    assert_eq!(read("name=foo&data=x&channel=a"), "foo x a");
    assert_eq!(read("name=foo&channel=a"), "Expected data parameter to be a string");
    assert_eq!(read("data=x&channel=a"), "Expected name parameter to be a string");
    assert_eq!(read("name=foo&data=x"), "Missing required parameter: channels");
}

#[test]
fn an_idempotency_key_is_kept_with_its_event() {
    let body = r#"{"name":"a","channel":"a","data":"x","idempotency_key":"order-7"}"#;
    let publication = parse_trigger(body.as_bytes(), &AppLimits::default()).expect("valid");
    assert_eq!(publication.idempotency_key, "order-7".parse().ok());
    check(
        r#"{"name":"a","channel":"a","data":"x","idempotency_key":7}"#,
        Err("Expected idempotency_key parameter to be a string"),
    );
}
