use super::*;

#[test]
fn a_query_string_is_decoded_as_a_form() {
    check_query("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]);
    check_query("b=x+y%2Bz&a+b=%20", &[("b", "x y+z"), ("a b", " ")]);
    check_query("k=%C5%BC%F0%9F%98%80&%c5%bc=ż", &[("k", "ż😀"), ("ż", "ż")]);
    check_query("a=b=c&=d&e&f=", &[("a", "b=c"), ("", "d"), ("e", ""), ("f", "")]);
    check_query("&&a=1&", &[("a", "1")]);
    check_query("Ab%43=DeF", &[("abc", "DeF")]);
    check_query("", &[]);
}

#[test]
fn a_percent_sign_without_two_hex_digits_stands_for_itself() {
    check_query(
        "a=100%&b=%zz&c=%4&d=%%41&e=%4g1",
        &[("a", "100%"), ("b", "%zz"), ("c", "%4"), ("d", "%A"), ("e", "%4g1")],
    );
}

#[test]
fn what_is_not_utf_8_after_decoding_is_refused() {
    assert_eq!(Query::parse("a=1&b=%FF"), Err(QueryError::NotUtf8 { number: 2 }));
    assert_eq!(Query::parse("%C5=1&b=2"), Err(QueryError::NotUtf8 { number: 1 }));
    assert_eq!(Query::parse("a=+%C5"), Err(QueryError::NotUtf8 { number: 1 }));
    assert_eq!(
        QueryError::NotUtf8 { number: 2 }.to_string(),
        "query parameter 2 is not utf-8 after percent-decoding"
    );
}

#[test]
fn what_needs_no_decoding_is_borrowed() {
    let query = Query::parse("auth_key=278d425bdf160c739803&info=a%2Cb").expect("utf-8");
    let borrowed = |text: &Cow<'_, str>| matches!(text, Cow::Borrowed(_));
    let kinds: Vec<_> = query.0.iter().map(|(k, v)| (borrowed(k), borrowed(v))).collect();
    assert_eq!(kinds, [(true, true), (true, false)]);
}

#[test]
fn the_first_parameter_of_a_name_is_the_one() {
    let query = Query::parse("a=1&B=2&b=3").expect("utf-8");
    assert_eq!(
        (query.get("a"), query.get("b"), query.get("c")),
        (Some("1"), Some("2"), None)
    );
}
