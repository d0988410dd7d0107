//! Pusher's documented limits (PROTOCOL.md section 7) and the bounds of our own.

/// Longest app id, in bytes.
pub const APP_ID_BYTES_MAX: usize = 64;
/// Longest channel name that an app may allow, in bytes.
pub const CHANNEL_NAME_BYTES_CEILING: usize = 1_024;
/// Longest text that the answer to a refused subscription repeats as its channel, in bytes. The answer to a
/// longer one has no name.
pub const CHANNEL_NAME_ECHO_BYTES_MAX: usize = 4 * CHANNEL_NAME_BYTES_CEILING;
/// Longest event name that an app may allow, in characters.
pub const EVENT_NAME_CHARS_CEILING: usize = 1_024;
/// Longest user id that an app may allow, in characters.
pub const USER_ID_CHARS_CEILING: usize = 1_024;
/// Longest channel name with its prefix, in bytes.
pub const CHANNEL_NAME_BYTES_MAX: usize = 164;
/// Longest event name, in characters.
pub const EVENT_NAME_CHARS_MAX: usize = 200;
/// Longest event data, in bytes of the decoded string; longer is refused with 413.
pub const EVENT_DATA_BYTES_MAX: usize = 10_240;
/// Most channels that one trigger names.
pub const TRIGGER_CHANNELS_MAX: usize = 100;
/// Most events in one batch.
pub const BATCH_EVENTS_MAX: usize = 10;
/// Longest user id, in characters.
pub const USER_ID_CHARS_MAX: usize = 128;
/// Longest `user_info` of a presence member, in bytes of JSON.
pub const USER_INFO_BYTES_MAX: usize = 1_024;
/// Client events that one connection may send in a second; it may save up as many.
pub const CLIENT_EVENTS_PER_SECOND: u32 = 10;
/// Deepest nesting of JSON that is read; deeper is malformed.
pub const JSON_DEPTH_MAX: usize = 64;
/// Longest message from a client, in bytes, whole or reassembled, unless its app allows more. A longer one is
/// not read, and its client is told so.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 131_072;
/// Longest message of a client that is thrown away, in bytes. A client that sends a longer one is closed with
/// 1009.
pub const SKIPPED_MESSAGE_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// The longest message divided by this is the most fragments that a message may have. A client that sends
/// more is closed with 1009.
pub const CLIENT_MESSAGE_FRAGMENT_BYTES: usize = 512;
/// The most bytes of JSON for one byte of text: six, as in `\u0041`.
pub const ESCAPED_BYTES: usize = 6;
/// Longest HTTP request body, in bytes, unless an app allows more: a full batch with every byte escaped.
pub const REQUEST_BODY_BYTES_MAX: usize = 1_048_576;
/// The same limit, whatever an app allows.
pub const REQUEST_BODY_BYTES_CEILING: usize = 64 * REQUEST_BODY_BYTES_MAX;
/// Most subscriptions that one connection may hold.
pub const SUBSCRIPTIONS_PER_CONNECTION_MAX: usize = 10_000;
