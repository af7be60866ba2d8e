//! Reading the bodies of requests: each is bounded in length and in time, and those of one session
//! together by what it may keep.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Response, text};

/// How long a request's body may take to arrive whole. Signaling bodies are small: one that takes
/// longer is a dripping client, not a slow link.
pub const BODY_TIME: Duration = Duration::from_secs(20);

/// Why a request's body was not read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BodyError {
    /// Longer than the limit; read no further than that.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// Not whole within [`BODY_TIME`].
    #[error("the body did not arrive in time")]
    TooSlow,
    /// Others that are being read take all that there is for them.
    #[error("too much is being sent at once")]
    Crowded,
    /// The connection broke, or the chunked coding is wrong.
    #[error("the body broke off")]
    Broken,
}

impl BodyError {
    /// The answer that tells the client.
    pub fn response(&self) -> Response {
        let status = match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::BAD_REQUEST,
        };
        text(status, self.to_string())
    }
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// Too large (also when Content-Length says so, before anything is read), too slow, or broken off.
pub async fn read_body(body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    Budget::default().read(body, limit).await.map(|whole| whole.bytes)
}

/// The bytes that bodies may take together while they are read and dealt with. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    left: Arc<Semaphore>,
    whole: usize,
}

/// A body that was read. Its bytes count until it is dropped.
pub struct HeldBody {
    bytes: Bytes,
    _place: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// Of so many bytes (0: as many as come), and never less than the longest body takes.
    pub fn new(bytes: usize, longest: usize) -> Self {
        let whole = if bytes == 0 { Semaphore::MAX_PERMITS } else { bytes.max(longest).min(Semaphore::MAX_PERMITS) };
        Self { left: Arc::new(Semaphore::new(whole)), whole }
    }

    /// Reads a body of at most `limit` bytes. What has come of it counts, not what is announced.
    ///
    /// # Errors
    /// As [`read_body`], or others take all that there is.
    pub async fn read(&self, body: Incoming, limit: usize) -> Result<HeldBody, BodyError> {
        self.read_leaving(0, body, limit).await
    }

    /// Likewise, for those who are to leave half of it to others.
    ///
    /// # Errors
    /// As [`Budget::read`].
    pub async fn read_within_half(&self, body: Incoming, limit: usize) -> Result<HeldBody, BodyError> {
        self.read_leaving(self.whole / 2, body, limit).await
    }

    async fn read_leaving(&self, spare: usize, body: Incoming, limit: usize) -> Result<HeldBody, BodyError> {
        if body.size_hint().lower() > limit as u64 {
            return Err(BodyError::TooLarge(limit));
        }
        tokio::time::timeout(BODY_TIME, self.collect(spare, body, limit)).await.unwrap_or(Err(BodyError::TooSlow))
    }

    async fn collect(&self, spare: usize, mut body: Incoming, limit: usize) -> Result<HeldBody, BodyError> {
        let (mut parts, mut place) = (BytesMut::new(), None::<OwnedSemaphorePermit>);
        while let Some(frame) = body.frame().await {
            let Ok(part) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if parts.len() + part.len() > limit {
                return Err(BodyError::TooLarge(limit));
            }
            let length = u32::try_from(part.len()).map_err(|_| BodyError::Crowded)?;
            if self.left.available_permits() < spare.saturating_add(part.len()) {
                return Err(BodyError::Crowded);
            }
            let more = self.left.clone().try_acquire_many_owned(length).map_err(|_| BodyError::Crowded)?;
            match &mut place {
                Some(place) => place.merge(more),
                None => place = Some(more),
            }
            parts.extend_from_slice(&part);
        }
        Ok(HeldBody { bytes: parts.freeze(), _place: place })
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl Deref for HeldBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
