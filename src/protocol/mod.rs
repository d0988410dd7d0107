//! The wire format: what clients send, what they are sent, and how a connection ends.
//!
//! Pure functions between bytes and values (PROTOCOL.md sections 1 to 3). Nothing here knows a
//! secret, an actor or a clock.

mod client_message;
mod close_code;
mod error;
mod fallback;
pub mod frame;
mod json_string;
mod json_value;
mod paths;
mod server_message;

pub use client_message::{ClientMessage, DecodeError, SubscribeRequest};
pub use close_code::CloseCode;
pub use error::{ProtocolError, SubscribeError};
pub use fallback::{
    FallbackLine, FallbackPath, FallbackPathError, FallbackSession, SEND_MESSAGES_MAX, SendError, Transport,
    decode_send, texts,
};
pub use json_string::{JsonString, StringError};
pub use json_value::{JsonKind, ObjectError, ValueError, members};
pub use paths::PathPrefix;
pub use server_message::{ServerMessage, SubscriptionErrorType, published_frame};
