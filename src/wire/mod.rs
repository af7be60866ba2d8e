//! What the bytes mean: pure and stateless, decode beside encode.

mod batch;
pub mod easyrtc;
pub mod manage;
pub mod opentera;
mod sixteen;
pub mod socketio;
pub mod sockjs;
pub mod text;
pub mod videre;
pub mod websocket;

pub use batch::Batch;
pub use text::{Form, Text};
