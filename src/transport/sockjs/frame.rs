//! What a receiver is handed.

use crate::transport::Close;
use crate::wire::{Text, sockjs};

/// A frame, not yet dressed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) text: Text,
    /// Whether nothing follows it on its receiver.
    pub(super) is_last: bool,
}

impl Frame {
    pub(super) fn open() -> Self {
        Self { text: sockjs::OPEN.into(), is_last: false }
    }

    pub(super) fn heartbeat() -> Self {
        Self { text: sockjs::HEARTBEAT.into(), is_last: false }
    }

    pub(super) fn messages(quoted: &[Text]) -> Self {
        Self { text: sockjs::array(quoted), is_last: false }
    }

    pub(super) fn close(close: Close) -> Self {
        Self { text: sockjs::close(close.code, close.reason).into(), is_last: true }
    }
}
