use super::*;
use crate::domain::{AppId, AppKey};

fn t(text: &str) -> Value {
    Value::Text(text.into())
}

fn said<T>(result: Result<T, Wrong>) -> String {
    result.err().expect("wrong").to_string()
}

#[test]
fn a_text_must_be_one() {
    assert_eq!(text(&t("a")), Ok("a"));
    assert_eq!(text(&t("")), Ok(""));
    assert_eq!(said(text(&Value::Null)), "has no value, give one or remove the key");
    assert_eq!(
        said(text(&Value::Integer(1))),
        "YAML reads it as a whole number, put it in quotes"
    );
    assert_eq!(
        said(text(&Value::Bool(true))),
        "YAML reads it as a boolean, put it in quotes"
    );
    assert_eq!(
        said(text(&Value::Decimal)),
        "YAML reads it as a decimal number, put it in quotes"
    );
    assert_eq!(said(text(&Value::List(vec![]))), "must be a text, not a list");
    assert_eq!(filled(&t("a")), Ok("a"));
    assert_eq!(said(filled(&t(""))), "is empty");
}

#[test]
fn an_id_may_be_a_whole_number_and_a_key_may_not() {
    let app = |value: &Value| id::<AppId>(value).map(|id| id.to_string());
    assert_eq!(app(&Value::Integer(1)), Ok("1".into()));
    assert_eq!(app(&t("a-1")), Ok("a-1".into()));
    assert_eq!(said(app(&t(""))), "app id is empty");
    assert_eq!(
        said(app(&Value::Decimal)),
        "YAML reads it as a decimal number, put it in quotes"
    );
    assert!(name::<AppKey>(&t("k")).is_ok());
    assert_eq!(
        name::<AppKey>(&Value::Integer(1)),
        Err(Wrong::Unquoted { got: "a whole number" })
    );
}

#[test]
fn a_boolean_is_true_or_false() {
    assert_eq!(boolean(&Value::Bool(true)), Ok(true));
    assert_eq!(boolean(&t("false")), Ok(false));
    assert_eq!(said(boolean(&t("yes"))), "must be true or false");
    assert_eq!(
        said(boolean(&Value::Integer(1))),
        "must be true or false, not a whole number"
    );
}

#[test]
fn an_integer_is_within_its_range() {
    let read = integer(1..=10);
    for (value, want) in [(Value::Integer(1), 1), (Value::Integer(10), 10), (t("7"), 7)] {
        assert_eq!(read(&value), Ok(want));
    }
    for (value, got) in [
        (Value::Integer(0), "0"),
        (Value::Integer(11), "11"),
        (Value::Integer(-1), "-1"),
        (t("11"), "11"),
    ] {
        assert_eq!(said(read(&value)), format!("must be 1 to 10, not {got}"));
    }
    assert_eq!(said(integer::<u8>(0..=300)(&t("256"))), "must be 0 to 300, not 256");
    assert_eq!(said(read(&t("x"))), "must be a whole number");
    assert_eq!(
        said(read(&Value::Decimal)),
        "must be a whole number, not a decimal number"
    );
    assert_eq!(said(read(&Value::Null)), "has no value, give one or remove the key");
}

#[test]
fn workers_are_auto_or_1_to_1024() {
    assert_eq!(workers(6)(&t("auto")), Ok(6));
    assert_eq!(workers(0)(&t("auto")), Ok(1));
    assert_eq!(workers(6)(&Value::Integer(1)), Ok(1));
    assert_eq!(workers(6)(&t("1024")), Ok(1_024));
    assert_eq!(said(workers(6)(&Value::Integer(0))), "must be 1 to 1024, not 0");
    assert_eq!(said(workers(6)(&Value::Integer(1_025))), "must be 1 to 1024, not 1025");
    assert_eq!(said(workers(6)(&t("Auto"))), "must be auto or a whole number");
    assert_eq!(
        said(workers(6)(&Value::Decimal)),
        "must be auto or a whole number, not a decimal number"
    );
}

#[test]
fn connections_are_unlimited_or_a_number() {
    assert_eq!(connections(&t("unlimited")), Ok(None));
    assert_eq!(connections(&Value::Integer(1)), Ok(Some(1)));
    assert_eq!(connections(&t("100000000")), Ok(Some(100_000_000)));
    assert_eq!(said(connections(&Value::Integer(0))), "must be 1 to 100000000, not 0");
    assert_eq!(said(connections(&t("none"))), "must be unlimited or a whole number");
    assert_eq!(
        said(connections(&Value::Bool(true))),
        "must be unlimited or a whole number, not a boolean"
    );
}

#[test]
fn a_duration_may_be_off() {
    let read = duration_or_off(Duration::from_millis(1));
    assert_eq!(read(&t("off")), Ok(None));
    assert_eq!(read(&t("30s")), Ok(Some(Duration::from_secs(30))));
    assert_eq!(said(read(&t("0s"))), "must be 1ms to 366days, not 0s");
    assert_eq!(said(read(&t("30"))), "30 has no unit, write 30ms, 30s, 30m or 30h");
    assert_eq!(said(read(&t("on"))), "must be off or a duration like 30s");
    assert_eq!(
        said(read(&Value::Bool(false))),
        "must be off or a duration like 30s, not a boolean"
    );
}

#[test]
fn a_moment_is_a_date_or_a_time_of_rfc_3339() {
    const DAY: u64 = 1_795_478_400_000;
    for (text, ms) in [
        ("2026-11-24", DAY),
        ("2026-11-24T00:00:00Z", DAY),
        (" 2026-11-24t00:00:00.25z ", DAY + 250),
        ("2026-11-24T02:00:00+02:00", DAY),
        ("2026-11-24T09:30:01.5-05:30", DAY + 15 * 3_600_000 + 1_500),
        ("1970-01-01", 0),
        ("2024-02-29", 1_709_164_800_000),
    ] {
        assert_eq!(moment(&t(text)), Ok(ms), "{text}");
    }
}

#[test]
fn what_is_no_moment_is_refused() {
    let want = "must be a date like 2026-11-24 or a time like 2026-11-24T09:30:00Z, from 1970 on";
    for text in [
        "",
        "tomorrow",
        "2026-11-31",
        "2025-02-29",
        "2026-13-01",
        "24.11.2026",
        "20261124Z0",
        "2026-11-24T09:30:00",
        "2026-11-24 09:30:00Z",
        "2026-11-24T09:30Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T09:30:00.Z",
        "2026-11-24T09:30:00ZZ",
        "2026-11-24T09:30:00Z+02:00",
        "2026-11-24T09:30:00+02:00+02:00",
        "2026-11-24T09:30:00+24:00",
        "2026-11-24T09:30:00+02:60",
        "2026-11-24T09:30:00+2:000",
        "2026-11-24T09:30:00*02:00",
        "2026-11-24T09:30:00é02:00",
        "1970-01-01T00:00:00+00:01",
        "1969-12-31",
        "1969-12-31T23:30:00-00:30",
    ] {
        assert_eq!(said(moment(&t(text))), want, "{text}");
    }
    assert_eq!(
        said(moment(&Value::Integer(2026))),
        format!("{want}, not a whole number")
    );
}

#[test]
fn a_path_prefix_is_empty_or_begins_with_a_slash_and_ends_without() {
    for text in ["", "/ws", "/a/b-c_d.e~9", "/app", "/x/apps", "/..."] {
        assert_eq!(path_prefix(&t(text)), Ok(text.into()));
    }
    let want = "must be empty or like /ws: each part of it a / and then A-Z a-z 0-9 _ - . ~";
    for text in [
        "/", "ws", "/ws/", "//ws", "/a//b", "/.", "/a/../b", "/a b", "/{a}", "/a?b", "/é", "/a%20",
    ] {
        assert_eq!(said(path_prefix(&t(text))), want, "{text}");
    }
    assert_eq!(
        said(path_prefix(&Value::Null)),
        "has no value, give one or remove the key"
    );
}

#[test]
fn a_duration_has_a_unit() {
    let read = duration(Duration::ZERO);
    for (text, millis) in [
        ("50ms", 50),
        ("3s", 3_000),
        ("0s", 0),
        ("24h", 86_400_000),
        ("1h 30m", 5_400_000),
    ] {
        assert_eq!(read(&t(text)), Ok(Duration::from_millis(millis)), "{text}");
    }
    for value in [Value::Integer(50), t("50"), t(" 50 ")] {
        assert_eq!(said(read(&value)), "50 has no unit, write 50ms, 50s, 50m or 50h");
    }
    assert_eq!(said(read(&t("0"))), "0 has no unit, write 0ms, 0s, 0m or 0h");
    for text in ["-3s", "3 parsecs", "s", "3s x"] {
        assert_eq!(
            said(read(&t(text))),
            "must be a duration like 50ms, 3s or 24h",
            "{text}"
        );
    }
    assert_eq!(said(read(&t(""))), "is empty");
    assert_eq!(
        said(read(&Value::Bool(true))),
        "must be a duration like 50ms, 3s or 24h, not a boolean"
    );
}

#[test]
fn a_duration_is_within_its_range() {
    let read = duration(Duration::from_secs(1));
    assert_eq!(read(&t("1s")), Ok(Duration::from_secs(1)));
    assert_eq!(read(&t("366d")), Ok(DURATION_MAX));
    for text in ["999ms", "0s", "366d 1ms", "300y"] {
        assert_eq!(said(read(&t(text))), format!("must be 1s to 366days, not {text}"));
    }
    assert_eq!(
        said(read(&t("99999999999999y"))),
        "must be a duration like 50ms, 3s or 24h"
    );
}

#[test]
fn a_size_has_a_unit_and_a_kb_is_1024_bytes() {
    let read = size(0..=usize::MAX);
    for (text, bytes) in [
        ("64B", 64),
        ("10KB", 10_240),
        ("10 kb", 10_240),
        ("1KiB", 1_024),
        ("1MB", 1_048_576),
        ("3mib", 3_145_728),
        ("2GB", 2_147_483_648),
        ("1GiB", 1_073_741_824),
    ] {
        assert_eq!(read(&t(text)), Ok(bytes), "{text}");
    }
    for value in [Value::Integer(10), t("10")] {
        assert_eq!(said(read(&value)), "10 has no unit, write 10B, 10KB, 10MB or 10GB");
    }
    for text in ["KB", "-1KB", "1.5MB", "1TB", "1KBx", "1 K B"] {
        assert_eq!(said(read(&t(text))), "must be a size like 64B, 10KB or 1MB", "{text}");
    }
    assert_eq!(said(read(&Value::Null)), "has no value, give one or remove the key");
}

#[test]
fn a_size_is_within_its_range() {
    let read = size(1_024..=1_048_576);
    assert_eq!(read(&t("1KB")), Ok(1_024));
    assert_eq!(read(&t("1MB")), Ok(1_048_576));
    for text in ["1023B", "1025KB", "99999999999999GB"] {
        assert_eq!(said(read(&t(text))), format!("must be 1KB to 1MB, not {text}"));
    }
    assert_eq!(bytes_shown(0), "0B");
    assert_eq!(said(size(1..=1_536)(&t("0B"))), "must be 1B to 1536B, not 0B");
    assert_eq!(said(size(3_072..=1 << 30)(&t("0B"))), "must be 3KB to 1GB, not 0B");
}

#[test]
fn a_measure_that_is_outside_is_said_on_one_line() {
    assert_eq!(
        said(duration(Duration::ZERO)(&t("400d\n 1s"))),
        "must be 0s to 366days, not 400d 1s"
    );
    assert_eq!(said(size(1..=2)(&t("3 \n B"))), "must be 1B to 2B, not 3 B");
}

#[test]
fn an_address_is_an_ip_address_and_a_port() {
    for text in ["127.0.0.1:6001", "[::1]:0", "0.0.0.0:80"] {
        assert_eq!(address(&t(text)).map(|address| address.to_string()), Ok(text.into()));
    }
    for value in [t("localhost:6001"), t("127.0.0.1"), t(":6001")] {
        assert!(said(address(&value)).starts_with("must be an IP address and a port, like 127"));
    }
    assert!(said(address(&Value::Integer(6001))).ends_with(", not a whole number"));
}

#[test]
fn a_part_of_a_channel_name_is_empty_or_could_stand_in_one() {
    assert_eq!(channel_part(&t("")), Ok(""));
    assert_eq!(channel_part(&t("presence-")), Ok("presence-"));
    assert!(said(channel_part(&t("a b"))).starts_with("no channel can match: channel name has"));
}
