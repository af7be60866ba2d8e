//! The body of a receiver's answer.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame as BodyFrame;

use super::clothes::Clothes;
use super::frame::Frame;
use super::receiver::Receiver;
use crate::http::Body;
use crate::transport::Endpoint;

/// What an answer still has to carry: the prelude and each frame as a chunk of its own. Pulled by
/// hyper as the client reads: what is not pulled stays with the application.
pub(super) struct Answer<E: Endpoint> {
    clothes: Clothes,
    prelude: Option<String>,
    at_hand: Option<Frame>,
    /// Where more comes from; finished when the last chunk has been pulled.
    receiver: Option<Receiver<E>>,
    /// How many bytes of frames it may yet carry; none: it is whole.
    room: usize,
}

impl<E: Endpoint> Answer<E> {
    /// One frame.
    pub(super) fn single(clothes: Clothes, frame: Frame, receiver: Option<Receiver<E>>) -> Self {
        Self { prelude: clothes.prelude(), clothes, at_hand: Some(frame), receiver, room: 0 }
    }

    /// Frames until they have taken `room` bytes, or the last one.
    pub(super) fn stream(clothes: Clothes, receiver: Receiver<E>, room: usize) -> Self {
        Self { prelude: clothes.prelude(), clothes, at_hand: None, receiver: Some(receiver), room }
    }

    pub(super) fn into_body(self) -> Body {
        let chunks = stream::unfold(self, |mut answer| async {
            let chunk = answer.chunk().await?;
            Some((Ok::<_, io::Error>(BodyFrame::data(Bytes::from(chunk))), answer))
        });
        StreamBody::new(chunks).boxed_unsync()
    }

    async fn chunk(&mut self) -> Option<String> {
        if let Some(prelude) = self.prelude.take() {
            return Some(prelude);
        }
        let frame = match (self.at_hand.take(), &self.receiver) {
            (Some(frame), _) => frame,
            (None, Some(receiver)) if self.room > 0 => receiver.next().await,
            (None, _) => {
                self.receiver.take().into_iter().for_each(Receiver::finish);
                return None;
            }
        };
        let chunk = self.clothes.dress(frame.text.as_str());
        self.room = if frame.is_last { 0 } else { self.room.saturating_sub(chunk.len()) };
        Some(chunk)
    }
}
