//! Strangers' texts on a terminal. Characters that could move the cursor, forge a line or reverse text are
//! escaped.

use serde_json::Value;

/// A text on one line, of visible characters.
pub(super) fn line(text: &str) -> String {
    escaped(text, |c| c.escape_default().to_string())
}

/// Several lines, each as [`line()`].
pub(super) fn lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n")
}

/// Every text in a value as [`line()`], names of keys too.
pub(super) fn texts(value: &mut Value) {
    match value {
        Value::String(text) => *text = line(text),
        Value::Array(items) => items.iter_mut().for_each(texts),
        Value::Object(entries) => {
            let taken = std::mem::take(entries).into_iter().map(|(key, mut value)| {
                texts(&mut value);
                (line(&key), value)
            });
            *entries = taken.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A JSON text, whose strings may hold such characters unescaped.
pub(super) fn json(text: &str) -> String {
    escaped(text, |c| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units)
            .iter()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect()
    })
}

fn escaped(text: &str, write: impl Fn(char) -> String) -> String {
    if !text.contains(is_risky) {
        return text.to_owned();
    }
    text.chars().fold(String::new(), |mut out, c| {
        if is_risky(c) {
            out.push_str(&write(c));
        } else {
            out.push(c);
        }
        out
    })
}

/// Control characters, line ends of Unicode, and marks that reorder the text beside them.
fn is_risky(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(line("grün 7"), "grün 7");
        assert_eq!(
            line("a\u{1b}[2J\r\nforged\u{9b}1m\u{7f}\u{202e}b"),
            "a\\u{1b}[2J\\r\\nforged\\u{9b}1m\\u{7f}\\u{202e}b"
        );
        assert_eq!(lines("a\nb\tc"), "a\nb\\tc");
    }

    #[test]
    fn every_text_of_a_value_is_escaped() {
        let mut value = serde_json::json!({"a\n": ["\u{1b}", 1, null], "b": {"c": "d\u{85}"}});
        texts(&mut value);
        assert_eq!(
            value,
            serde_json::json!({"a\\n": ["\\u{1b}", 1, null], "b": {"c": "d\\u{85}"}})
        );
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({"a": "\u{9b}\u{202e}\u{1b}\n"});
        let text = json(&value.to_string());
        assert_eq!(text, r#"{"a":"\u009b\u202e\u001b\n"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }
}
