//! Reads what is to be published (PROTOCOL.md sections 5.3 and 5.4). Nothing is published here.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{error::ApiError, info::Info};
use crate::domain::{
    ChannelName, EventName, SocketId,
    limits::{BATCH_EVENTS_MAX, EVENT_DATA_BYTES_MAX, TRIGGER_CHANNELS_MAX},
};

/// An event to be published to one or more channels.
#[derive(Debug)]
pub struct Publication {
    /// Its name.
    pub name: EventName,
    /// Its data, byte for byte.
    pub data: String,
    /// Where it goes: each channel once, in the order given.
    pub channels: Vec<ChannelName>,
    /// The connection that does not get it.
    pub except: Option<SocketId>,
    /// What is to be told of the channels.
    pub(super) info: Info,
}

#[derive(Deserialize)]
struct EventWire<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    channel: Option<&'a RawValue>,
    #[serde(borrow)]
    channels: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    socket_id: Option<&'a RawValue>,
    #[serde(borrow)]
    info: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BatchWire<'a> {
    #[serde(borrow)]
    batch: Option<Vec<EventWire<'a>>>,
}

/// Reads the body of `POST /events`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_trigger(body: &[u8]) -> Result<Publication, ApiError> {
    let wire: EventWire<'_> = parse_json(body)?;
    let channels = match (&wire.channels, wire.channel) {
        (Some(channels), _) if channels.is_empty() => return Err(ApiError::Missing("channels")),
        (Some(channels), _) if TRIGGER_CHANNELS_MAX < channels.len() => {
            return Err(ApiError::TooManyChannels(channels.len()));
        }
        (Some(channels), _) => {
            let mut distinct: Vec<ChannelName> = Vec::with_capacity(channels.len());
            for channel in channels {
                let channel = channel_name(channel, "channels")?;
                if !distinct.contains(&channel) {
                    distinct.push(channel);
                }
            }
            distinct
        }
        (None, Some(channel)) => vec![channel_name(channel, "channel")?],
        (None, None) => return Err(ApiError::Missing("channels")),
    };
    wire.publication(channels)
}

/// Reads the body of `POST /batch_events`: all of it, before anything is published.
///
/// # Errors
/// What is wrong with the first event that is wrong.
pub fn parse_batch(body: &[u8]) -> Result<Vec<Publication>, ApiError> {
    let wire: BatchWire<'_> = parse_json(body)?;
    let batch = wire.batch.ok_or(ApiError::Missing("batch"))?;
    if BATCH_EVENTS_MAX < batch.len() {
        return Err(ApiError::BatchTooLarge(batch.len()));
    }
    batch
        .into_iter()
        .map(|event| {
            let channel = event.channel.ok_or(ApiError::Missing("channel"))?;
            let channels = vec![channel_name(channel, "channel")?];
            event.publication(channels)
        })
        .collect()
}

impl EventWire<'_> {
    fn publication(&self, channels: Vec<ChannelName>) -> Result<Publication, ApiError> {
        let name: EventName = text(self.name, "name")?.parse()?;
        let data = text(self.data, "data")?;
        if EVENT_DATA_BYTES_MAX < data.len() {
            return Err(ApiError::DataTooLarge);
        }
        let except = match self.socket_id {
            None => None,
            Some(raw) => Some(text(Some(raw), "socket_id")?.parse()?),
        };
        let info = match self.info {
            None => Info::default(),
            Some(raw) => Info::parse(Some(&text(Some(raw), "info")?))?,
        };
        Ok(Publication {
            name,
            data,
            channels,
            except,
            info,
        })
    }
}

fn parse_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::InvalidJson(error.to_string()))
}

/// The text of a JSON string.
fn text(raw: Option<&RawValue>, name: &'static str) -> Result<String, ApiError> {
    let raw = raw.ok_or(ApiError::NotAString(name))?;
    serde_json::from_str(raw.get()).map_err(|_| ApiError::NotAString(name))
}

fn channel_name(raw: &RawValue, parameter: &'static str) -> Result<ChannelName, ApiError> {
    let name = text(Some(raw), parameter)?;
    name.parse().map_err(|error| ApiError::ChannelName {
        name: name.chars().take(200).collect(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(publication: &Publication) -> String {
        let channels: Vec<&str> = publication.channels.iter().map(ChannelName::as_str).collect();
        let except = publication.except.map(|id| format!(" !{id}")).unwrap_or_default();
        format!(
            "{} {} {}{except}",
            publication.name,
            publication.data,
            channels.join(",")
        )
    }

    #[track_caller]
    fn check(body: &str, want: Result<&str, &str>) {
        let got = parse_trigger(body.as_bytes());
        let got = got.as_ref().map(print).map_err(ToString::to_string);
        assert_eq!(got, want.map(Into::into).map_err(Into::into), "{body}");
    }

    #[track_caller]
    fn check_batch(body: &str, want: Result<&[&str], &str>) {
        let got = parse_batch(body.as_bytes());
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
        assert!(parse_trigger(b"{").is_err_and(|error| matches!(error, ApiError::InvalidJson(_))));
    }

    #[test]
    fn data_of_over_10_kb_and_more_than_100_channels_are_refused() {
        let data = |len: usize| {
            let body = format!(r#"{{"name":"e","channel":"a","data":"{}"}}"#, "x".repeat(len));
            parse_trigger(body.as_bytes()).map(|publication| publication.data.len())
        };
        assert_eq!(data(10_240).ok(), Some(10_240));
        assert!(matches!(data(10_241), Err(ApiError::DataTooLarge)));
        let channels = |count: usize| {
            let names: Vec<String> = (0..count).map(|at| format!("\"c{at}\"")).collect();
            let body = format!(r#"{{"name":"e","data":"x","channels":[{}]}}"#, names.join(","));
            parse_trigger(body.as_bytes()).map(|publication| publication.channels.len())
        };
        assert_eq!(channels(100).ok(), Some(100));
        assert!(matches!(channels(101), Err(ApiError::TooManyChannels(101))));
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
}
