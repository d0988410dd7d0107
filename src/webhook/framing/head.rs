//! What the head of an answer says, and the head that the HTTP client reads instead.

/// The status from a complete status line of HTTP/1. `None` for anything else, and for an interim answer,
/// which another head follows.
pub(super) fn final_status(head: &[u8]) -> Option<u16> {
    status(head).filter(|status| !is_interim(*status))
}

/// Whether a head belongs to an interim answer.
pub(super) fn announces_another(head: &[u8]) -> bool {
    status(head).is_some_and(is_interim)
}

/// The head that the client reads instead of a complete one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) bytes: Vec<u8>,
    /// The end of the body is unknown, so the client sees an empty one.
    pub(super) is_unclear: bool,
}

/// What a head says about its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// A body of this many bytes, or no body.
    Length(u64),
    Chunked,
    /// It lasts until the connection ends.
    UntilTheEnd,
    /// The lengths contradict each other or are not numbers.
    Unclear,
}

/// Makes the client's head from a complete one: the status and the headers that are used, with one length
/// that cannot be misread. `None` if the head is not HTTP/1.
pub(super) fn settle(head: &[u8]) -> Option<Settled> {
    let status = status(head)?;
    let mut said = Said::of(head);
    let body = match status {
        101 | 204 | 304 => {
            // These statuses have no body, but an announced one may follow all the same.
            said.closes |= said.coding.is_some() || said.lengths.iter().any(|length| *length != Some(0));
            Body::Length(0)
        }
        _ => said.body(),
    };
    let line = match body {
        Body::Length(length) => format!("content-length: {length}\r\n"),
        Body::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Body::UntilTheEnd => String::new(),
        Body::Unclear => "content-length: 0\r\n".to_owned(),
    };
    let (version, connection) = match body {
        // On HTTP/1.0 the client reads until the connection ends.
        Body::UntilTheEnd => ("HTTP/1.0", "close"),
        Body::Unclear => ("HTTP/1.1", "close"),
        Body::Length(_) | Body::Chunked if said.closes => ("HTTP/1.1", "close"),
        Body::Length(_) | Body::Chunked => ("HTTP/1.1", "keep-alive"),
    };
    let mut bytes = format!("{version} {status:03}\r\n{line}connection: {connection}\r\n").into_bytes();
    for (name, value) in said.kept {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    let is_unclear = body == Body::Unclear;
    Some(Settled { bytes, is_unclear })
}

/// The headers that a sender of webhooks uses.
const KEPT: [&str; 2] = ["retry-after", "location"];

/// What the headers say.
#[derive(Debug)]
struct Said<'a> {
    is_1_0: bool,
    /// The connection ends after the answer.
    closes: bool,
    /// The given lengths; `None` stands for one that is not a number.
    lengths: Vec<Option<u64>>,
    /// The last transfer coding.
    coding: Option<&'a [u8]>,
    /// The first value of each [`KEPT`] header that is present.
    kept: Vec<(&'static str, &'a [u8])>,
}

impl<'a> Said<'a> {
    fn of(head: &'a [u8]) -> Self {
        let is_1_0 = head.starts_with(b"HTTP/1.0");
        let mut said = Self {
            is_1_0,
            closes: is_1_0,
            lengths: Vec::new(),
            coding: None,
            kept: Vec::new(),
        };
        for line in head.split(|byte| *byte == b'\n').skip(1) {
            if let Some(colon) = line.iter().position(|byte| *byte == b':') {
                said.add(line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
            }
        }
        said
    }

    fn add(&mut self, name: &[u8], value: &'a [u8]) {
        let mut words = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("content-length") {
            self.lengths.extend(words.map(number));
        } else if is("transfer-encoding") {
            self.coding = words.next_back();
        } else if is("connection") {
            for word in words {
                if word.eq_ignore_ascii_case(b"close") {
                    self.closes = true;
                } else if word.eq_ignore_ascii_case(b"keep-alive") {
                    self.closes = false;
                }
            }
        } else if let Some(kept) = KEPT.into_iter().find(|kept| is(kept)) {
            let is_text = value.iter().all(|byte| (b' '..=b'~').contains(byte));
            if is_text && !self.kept.iter().any(|(name, _)| *name == kept) {
                self.kept.push((kept, value));
            }
        }
    }

    /// The body of an answer that may have one (RFC 9112, section 6.3).
    fn body(&mut self) -> Body {
        if let Some(coding) = self.coding {
            // An answer with a length as well, or with a coding in HTTP/1.0, is ambiguous.
            self.closes |= self.is_1_0 || !self.lengths.is_empty();
            return if coding.eq_ignore_ascii_case(b"chunked") {
                Body::Chunked
            } else {
                Body::UntilTheEnd
            };
        }
        match self.lengths.as_slice() {
            [] => Body::UntilTheEnd,
            [Some(length), others @ ..] if others.iter().all(|other| *other == Some(*length)) => Body::Length(*length),
            _ => Body::Unclear,
        }
    }
}

/// Most bytes of a status line.
const STATUS_LINE_BYTES_MAX: usize = 1_024;

/// The status in a complete status line of HTTP/1.
fn status(head: &[u8]) -> Option<u16> {
    let begin = &head[..head.len().min(STATUS_LINE_BYTES_MAX)];
    let end = begin.iter().position(|byte| *byte == b'\n')?;
    let [minor, b' ', status @ ..] = head[..end].strip_prefix(b"HTTP/1.")? else {
        return None;
    };
    let (digits, rest) = status.split_at_checked(3)?;
    let ends = matches!(rest.first(), None | Some(b' ' | b'\r'));
    let number = number(digits).and_then(|number| u16::try_from(number).ok());
    number.filter(|_| ends && minor.is_ascii_digit())
}

/// 101 is final, since no HTTP follows it.
const fn is_interim(status: u16) -> bool {
    matches!(status, 100..200) && status != 101
}

/// A number of digits alone.
fn number(digits: &[u8]) -> Option<u64> {
    let is_plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_plain)?;
    text.parse().ok()
}
