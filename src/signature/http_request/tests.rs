use super::*;

mod query;
mod vectors;

const DOCS_KEY: &str = "278d425bdf160c739803";
const DOCS_SECRET: &str = "7ad3773142a6692b25b8";
const DOCS_QUERY: &str = "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0";
const GO: [&str; 2] = ["d41a439c438a100756f5", "4bf35003e819bb138249"];
const KEY: [&str; 2] = ["key", "secret"];
const H1_BODY: &str = r#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
const H1_MD5: &str = "ec365a775a4cd0599faeb73354201b6f";
const H1_SIGNATURE: &str = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";
const H4_SIGNATURE: &str = "df89248f87f6e6d028925e0b04d60f316527a865992ace6936afa91281d8bef0";
const H18_SIGNATURE: &str = "da078fcedd72941b6c873caa40d0d6b2000ebfc700cee802b128dd20f72e74e9";

fn verify_at(
    now_s: u64,
    [key, secret]: [&str; 2],
    [method, path, query, body]: [&str; 4],
) -> Result<(), HttpAuthError> {
    let query = Query::parse(query).expect(query);
    let request = HttpRequestParts {
        method,
        path,
        query: &query,
    };
    verify(
        &request,
        &key.parse().expect(key),
        &SigningKey::new(&secret.into()),
        now_s,
    )?;
    verify_body(&query, body.as_bytes())
}

/// Checks the answer to a body with the query string that it came with.
#[track_caller]
fn check_body(query: &str, body: &str, want: Result<(), &str>) {
    let got = verify_body(&Query::parse(query).expect(query), body.as_bytes());
    assert_eq!(
        got.map_err(|error| error.to_string()),
        want.map_err(str::to_owned),
        "{query}"
    );
}

/// Checks that the signature is accepted at the time of the request and no other is.
#[track_caller]
fn check(credentials: [&str; 2], [method, path, query, body]: [&str; 4], signature: &str) {
    let timestamp = Query::parse(query).expect(query);
    let now_s = timestamp.get("auth_timestamp").expect(query).parse().expect(query);
    let sent = |signature: &str| {
        let query = format!("{query}&auth_signature={signature}");
        verify_at(now_s, credentials, [method, path, &query, body])
    };
    assert_eq!(sent(signature), Ok(()), "{path}?{query}");
    let flipped = if signature.starts_with('0') { "1" } else { "0" };
    let wrong = sent(&format!("{flipped}{}", &signature[1..]));
    assert!(matches!(wrong, Err(HttpAuthError::Signature { .. })), "{path}?{query}");
}

#[track_caller]
fn check_get(credentials: [&str; 2], path: &str, query: &str, signature: &str) {
    check(credentials, ["GET", path, query, ""], signature);
}

/// Checks the answer to a publish of H1 whose query string is this, one second later.
#[track_caller]
fn check_h1(query: &str, want: Result<(), &str>) {
    let request = ["POST", "/apps/3/events", query, H1_BODY];
    let got = verify_at(1_353_088_180, [DOCS_KEY, DOCS_SECRET], request);
    assert_eq!(
        got.map_err(|error| error.to_string()),
        want.map_err(str::to_owned),
        "{query}"
    );
}

#[track_caller]
fn check_query(raw: &str, want: &[(&str, &str)]) {
    let query = Query::parse(raw).expect(raw);
    assert_eq!(query.pairs().collect::<Vec<_>>(), want, "{raw}");
}

#[track_caller]
fn check_signed(raw: &str, want: &str) {
    assert_eq!(signed_parameters(&Query::parse(raw).expect(raw)), want, "{raw}");
}

#[test]
fn values_are_signed_decoded_however_they_were_sent() {
    let docs = [DOCS_KEY, DOCS_SECRET];
    let h19 = "ff97d40ab3fbbd15394386a29c12998c33635305357b2e2abd18dc67efe3f87d";
    for comma in [",", "%2C", "%2c"] {
        let query = format!("{DOCS_QUERY}&filter_by_prefix=presence-&info=user_count{comma}subscription_count");
        check_get(docs, "/apps/3/channels", &query, h19);
    }
}

#[test]
fn a_get_may_name_the_md5_of_its_empty_body() {
    check_get(
        KEY,
        "/some/obscure/api",
        "auth_key=key&auth_timestamp=1000&auth_version=1.0&body_md5=d41d8cd98f00b204e9800998ecf8427e&foo=bar",
        "5c49f04a95eedc9028b1e0e8de7c2c7ad63504a0e3b5c145d2accaef6c14dbac",
    );
}

#[test]
fn names_are_signed_in_lower_case_and_in_order() {
    let h17 = "3b237953a5ba6619875cbb2a2d43e8da9ef5824e8a2c689f6284ac85bc1ea0db";
    for query in [
        "auth_key=key&auth_timestamp=1234&auth_version=1.0&go=here&query=params",
        "Query=params&GO=here&auth_key=key&auth_timestamp=1234&auth_version=1.0",
        "query=params&auth_version=1.0&AUTH_key=key&go=here&auth_Timestamp=1234",
    ] {
        check(KEY, ["POST", "/some/path", query, ""], h17);
    }
    check(
        KEY,
        [
            "POST",
            "/some/path",
            "auth_key=key&auth_timestamp=1234&auth_version=1.0&query=params",
            "",
        ],
        H18_SIGNATURE,
    );
}

#[test]
fn the_signature_may_stand_anywhere_and_no_other_parameter_is_left_out() {
    let rest = "auth_key=key&auth_timestamp=1234&auth_version=1.0&query=params";
    let verify = |query: &str| verify_at(1_234, KEY, ["POST", "/some/path", query, ""]);
    assert_eq!(verify(&format!("auth_signature={H18_SIGNATURE}&{rest}")), Ok(()));
    assert_eq!(verify(&format!("AUTH_SIGNATURE={H18_SIGNATURE}&{rest}")), Ok(()));
    assert!(verify(&format!("auth_signature={H18_SIGNATURE}&{rest}&more=")).is_err());
    assert!(verify(&format!("auth_signature={H18_SIGNATURE}&{rest}&query=other")).is_err());
}

#[test]
fn arrays_and_values_are_signed_without_escaping() {
    check_signed("things[]=thing1&things[]=thing2", "things[]=thing1&things[]=thing2");
    check_signed("things%5B%5D=b&a=1&things%5b%5d=a", "a=1&things[]=b&things[]=a");
    check_signed("things1=x&things[]=y&things=z", "things[]=y&things=z&things1=x");
    check_signed("key%3B=value%40", "key;=value@");
    check_signed("b=%26c%3D1&a", "a=&b=&c=1");
    check_signed("b=1&auth_signature=0&a=2&auth_signature=1", "a=2&b=1");
    check_signed("", "");
}

#[test]
fn the_parameters_to_sign_are_allocated_at_their_size() {
    for raw in ["auth_key=&info=", "info=user_count,subscription_count&a=1"] {
        let signed = signed_parameters(&Query::parse(raw).expect(raw));
        assert_eq!(signed.capacity(), signed.len() + 1, "{raw}");
    }
}

#[test]
fn the_checks_are_made_in_the_order_of_the_hosted_service() {
    check_h1("", Err("Missing parameter: auth_key"));
    check_h1("auth_key=", Err("Unknown auth_key"));
    check_h1(
        "auth_key=278d425bdf160c739804&auth_version=2.0",
        Err("Unknown auth_key"),
    );
    let query = "auth_key=278d425bdf160c739803";
    check_h1(query, Err("Version required"));
    check_h1(&format!("{query}&auth_version=1.1"), Err("Version not supported"));
    check_h1(&format!("{query}&auth_version=1"), Err("Version not supported"));
    check_h1(&format!("{query}&auth_version=1.0"), Err("Timestamp required"));
    check_h1(
        &format!("{query}&auth_version=1.0&auth_timestamp=1353087580"),
        Err(
            "Timestamp expired: Given timestamp (2012-11-16T17:39:40Z) not within 600s of \
             server time (2012-11-16T17:49:40Z)",
        ),
    );
    check_h1(
        &format!("{DOCS_QUERY}&body_md5={H1_MD5}"),
        Err("Invalid signature: you should have sent HmacSHA256Hex(\
             \"POST\\n/apps/3/events\\nauth_key=278d425bdf160c739803&\
             auth_timestamp=1353088179&auth_version=1.0&\
             body_md5=ec365a775a4cd0599faeb73354201b6f\", your_secret_key), \
             but you sent nil"),
    );
    check_h1(
        &format!("{DOCS_QUERY}&body_md5={H1_MD5}&auth_signature={H1_SIGNATURE}"),
        Ok(()),
    );
}

#[test]
fn a_body_is_the_one_whose_md5_was_signed() {
    let empty = "d41d8cd98f00b204e9800998ecf8427e";
    let wrong = |is: &str, sent: &str| format!("Invalid body_md5: the body has the MD5 {is}, but you sent \"{sent}\"");
    check_body("a=b", H1_BODY, Err("Missing parameter: body_md5"));
    check_body("a=b", "", Ok(()));
    check_body(&format!("body_md5={empty}"), "", Ok(()));
    check_body(&format!("body_md5={H1_MD5}"), H1_BODY, Ok(()));
    check_body(&format!("body_md5={empty}"), H1_BODY, Err(&wrong(H1_MD5, empty)));
    let upper = H1_MD5.to_uppercase();
    check_body(&format!("body_md5={upper}"), H1_BODY, Err(&wrong(H1_MD5, &upper)));
    let long = "x".repeat(201);
    let shown = format!("{}…", "x".repeat(200));
    check_body(&format!("body_md5={long}"), H1_BODY, Err(&wrong(H1_MD5, &shown)));
}

#[test]
fn a_wrong_signature_is_answered_with_what_had_to_be_signed() {
    check_h1(
        &format!("auth_signature=f00&body_md5={H1_MD5}&z=%22%5C%23%7B&{DOCS_QUERY}"),
        Err("Invalid signature: you should have sent HmacSHA256Hex(\
             \"POST\\n/apps/3/events\\nauth_key=278d425bdf160c739803&\
             auth_timestamp=1353088179&auth_version=1.0&\
             body_md5=ec365a775a4cd0599faeb73354201b6f&z=\\\"\\\\\\#{\", your_secret_key), \
             but you sent \"f00\""),
    );
    check_h1(
        &format!(
            "{DOCS_QUERY}&body_md5={H1_MD5}&auth_signature={}",
            H1_SIGNATURE.to_uppercase()
        ),
        Err(&format!(
            "Invalid signature: you should have sent HmacSHA256Hex(\
             \"POST\\n/apps/3/events\\nauth_key=278d425bdf160c739803&\
             auth_timestamp=1353088179&auth_version=1.0&\
             body_md5=ec365a775a4cd0599faeb73354201b6f\", your_secret_key), \
             but you sent \"{}\"",
            H1_SIGNATURE.to_uppercase()
        )),
    );
}

#[test]
fn an_error_repeats_a_bounded_part_of_the_request() {
    let query = format!(
        "{DOCS_QUERY}&z={}&auth_signature={}",
        "x".repeat(5_000),
        "s".repeat(300)
    );
    let got = verify_at(1_353_088_179, [DOCS_KEY, DOCS_SECRET], ["GET", "/apps/3", &query, ""]);
    let start = format!("GET\n/apps/3\n{DOCS_QUERY}&z=");
    let want = HttpAuthError::Signature {
        string_to_sign: format!("{start}{}…", "x".repeat(4_096 - start.len())),
        sent: Some(format!("{}…", "s".repeat(200))),
    };
    assert_eq!(got, Err(want));
}

#[test]
fn method_path_body_and_secret_are_signed() {
    let query = format!("{DOCS_QUERY}&body_md5={H1_MD5}&auth_signature={H1_SIGNATURE}");
    let now_s = 1_353_088_179;
    let docs = [DOCS_KEY, DOCS_SECRET];
    let ok = verify_at(now_s, docs, ["POST", "/apps/3/events", &query, H1_BODY]);
    let method = verify_at(now_s, docs, ["PUT", "/apps/3/events", &query, H1_BODY]);
    let path = verify_at(now_s, docs, ["POST", "/apps/4/events", &query, H1_BODY]);
    let body = verify_at(now_s, docs, ["POST", "/apps/3/events", &query, "{}"]);
    let none = verify_at(now_s, docs, ["POST", "/apps/3/events", &query, ""]);
    let secret = [DOCS_KEY, "7ad3773142a6692b25b9"];
    let secret = verify_at(now_s, secret, ["POST", "/apps/3/events", &query, H1_BODY]);
    assert_eq!(ok, Ok(()));
    assert!(matches!(method, Err(HttpAuthError::Signature { .. })));
    assert!(matches!(path, Err(HttpAuthError::Signature { .. })));
    assert!(matches!(body, Err(HttpAuthError::BodyMd5Wrong { .. })));
    assert!(matches!(none, Err(HttpAuthError::BodyMd5Wrong { .. })));
    assert!(matches!(secret, Err(HttpAuthError::Signature { .. })));
}

#[test]
fn a_path_may_be_signed_as_sent_or_decoded() {
    let raw = "/apps/3/channels/private-a%3Db%2Cc";
    let check = |signature| check_get([DOCS_KEY, DOCS_SECRET], raw, DOCS_QUERY, signature);
    check("53b47261acd913817814bf56195ef3649b28ffc18ea611b23eed0cddebf4fad1");
    check("58fab8b575ce0989367bc01302525597045ad35feef2df3544629126c1357923");
    let query = format!("{DOCS_QUERY}&auth_signature=53b47261acd913817814bf56195ef3649b28ffc18ea611b23eed0cddebf4fad1");
    let docs = [DOCS_KEY, DOCS_SECRET];
    for other in ["/apps/3/channels/private-a=b,c", "/apps/3/channels/%FF"] {
        let got = verify_at(1_353_088_179, docs, ["GET", other, &query, ""]);
        assert!(matches!(got, Err(HttpAuthError::Signature { .. })), "{other}");
    }
}

#[test]
fn a_plus_in_a_path_is_a_plus() {
    let docs = [DOCS_KEY, DOCS_SECRET];
    check_get(
        docs,
        "/apps/3/a+b%2Bc",
        DOCS_QUERY,
        "7ace6d469c137d4d76f59ffe7034e69868da03a99aae3f4dfa54fa71beeed672",
    );
}

#[test]
fn a_timestamp_is_valid_for_less_than_600_seconds_both_ways() {
    let query = format!(
        "auth_key=d41a439c438a100756f5&auth_timestamp=1427036787&auth_version=1.0\
         &auth_signature={H4_SIGNATURE}"
    );
    let at = |now_s| verify_at(now_s, GO, ["GET", "/apps/102015/channels", &query, ""]);
    let expired = |now_s| HttpAuthError::TimestampExpired {
        given_s: 1_427_036_787,
        now_s,
    };
    assert_eq!(at(1_427_036_787 + 599), Ok(()));
    assert_eq!(at(1_427_036_787 - 599), Ok(()));
    assert_eq!(at(1_427_036_787 + 600), Err(expired(1_427_037_387)));
    assert_eq!(at(1_427_036_787 - 600), Err(expired(1_427_036_187)));
    assert_eq!(at(0), Err(expired(0)));
}

#[test]
fn a_timestamp_is_the_number_that_it_starts_with() {
    for (text, number) in [
        ("1353088179", 1_353_088_179),
        ("1353088179.5", 1_353_088_179),
        ("0", 0),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("18446744073709551615", u64::MAX),
        ("99999999999999999999999", u64::MAX),
    ] {
        assert_eq!(leading_number(text), number, "{text}");
    }
}

#[test]
fn an_expired_timestamp_is_shown_in_utc() {
    for (second, want) in [
        (0, "1970-01-01T00:00:00Z"),
        (1_704_067_200, "2024-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_800, "2000-03-01T00:00:00Z"),
        (978_307_199, "2000-12-31T23:59:59Z"),
        (978_307_200, "2001-01-01T00:00:00Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (1_740_787_199, "2025-02-28T23:59:59Z"),
        (1_740_787_200, "2025-03-01T00:00:00Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (13_574_563_200, "2400-02-29T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (253_402_300_800, "10000-01-01T00:00:00Z"),
        (1_353_088_179, "2012-11-16T17:49:39Z"),
    ] {
        assert_eq!(Iso8601(second).to_string(), want);
    }
    assert!(Iso8601(u64::MAX).to_string().ends_with('Z'));
}

#[test]
fn every_day_of_four_centuries_follows_the_day_before() {
    let is_leap = |year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut date = (1970, 1, 1);
    for days in 0..146_097 {
        assert_eq!(civil_from_days(days), date, "{days}");
        let (year, month, day) = date;
        let length = match month {
            2 if is_leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        date = match (month, day == length) {
            (_, false) => (year, month, day + 1),
            (12, true) => (year + 1, 1, 1),
            (_, true) => (year, month + 1, 1),
        };
    }
    assert_eq!(date, (2370, 1, 1));
}

#[test]
fn a_text_is_inspected_as_ruby_does_it() {
    for (text, want) in [
        ("", r#""""#),
        ("a'b/c", r#""a'b/c""#),
        ("\"\\", r#""\"\\""#),
        ("\n\r\t", r#""\n\r\t""#),
        ("\u{7}\u{8}\u{b}\u{c}\u{1b}", r#""\a\b\v\f\e""#),
        ("\0\u{1f}\u{85}\u{7f}", r#""\u0000\u001F\u0085\x7F""#),
        ("#{a} #$b #@c #d #", r#""\#{a} \#$b \#@c #d #""#),
        ("zażółć 😀", r#""zażółć 😀""#),
    ] {
        assert_eq!(Inspect(text).to_string(), want);
    }
    assert_eq!(InspectOrNil(None).to_string(), "nil");
    assert_eq!(InspectOrNil(Some("x")).to_string(), "\"x\"");
}
