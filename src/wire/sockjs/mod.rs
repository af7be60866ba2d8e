//! SockJS 0.3.3: frames, the arrays that clients send, addresses. Pure.

mod decode;
mod path;
mod render;

#[cfg(test)]
mod tests;

pub use decode::{DecodeError, decode_array, decode_frame, padding};
pub use path::{CallbackError, Polled, Route, callback};
pub use render::{ARRAY, HEARTBEAT, OPEN, PRELUDE_BYTES, array, close, event, html_head, html_script, jsonp, quote};
