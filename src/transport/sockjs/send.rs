//! What clients of polled sessions send.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, StatusCode};

use super::headers::{cors, no_cache};
use super::polled::WayIn;
use super::{ENCODED_FACTOR, Service, SessionName, not_found};
use crate::http::request::form_value;
use crate::http::{self, BodyError, HeldBody, Request, Response};
use crate::transport::{Endpoint, body_of};
use crate::wire::sockjs::{DecodeError, decode_array, padding};

impl<E: Endpoint> Service<E> {
    /// `xhr_send`
    pub(super) async fn xhr_send(&self, request: Request, name: &SessionName) -> Response {
        let headers = request.headers().clone();
        let readable = matches!(
            content_type(&headers).as_str(),
            "" | "text/plain" | "t" | "application/json" | "application/xml" | "text/xml"
        );
        let accepted = match self.body(request, name).await {
            Ok(body) if readable => self.send(&body, name).await,
            Ok(_) => Err(failure(&DecodeError::NoArray.to_string())),
            Err(response) => Err(response),
        };
        let mut response = match accepted {
            Ok(()) => {
                let mut response = http::empty(StatusCode::NO_CONTENT);
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
                response
            }
            Err(response) => response,
        };
        no_cache(response.headers_mut());
        cors(response.headers_mut(), &headers, false);
        response
    }

    /// `jsonp_send`: a form's field `d`, or the array itself.
    pub(super) async fn jsonp_send(&self, request: Request, name: &SessionName) -> Response {
        let kind = content_type(request.headers());
        let body = match self.body(request, name).await {
            Ok(body) => body,
            Err(mut response) => {
                no_cache(response.headers_mut());
                return response;
            }
        };
        let accepted = match kind.as_str() {
            "application/x-www-form-urlencoded" => {
                let form = String::from_utf8_lossy(&body);
                let array = form_value(&form, "d").unwrap_or_default();
                self.send(array.as_bytes(), name).await
            }
            "" | "text/plain" => self.send(&body, name).await,
            _ => Err(failure(&DecodeError::NoArray.to_string())),
        };
        let mut response = match accepted {
            Ok(()) => http::text(StatusCode::OK, "ok"),
            Err(response) => response,
        };
        no_cache(response.headers_mut());
        response
    }

    /// A request's body. What is wrong with it is said also where the session is not there, as the original does; but
    /// of those few are read at once, and they are short.
    async fn body(&self, request: Request, name: &SessionName) -> Result<HeldBody, Response> {
        let session = self.sessions().get(name).cloned();
        let places = session.as_ref().map_or(&self.strays, |session| &session.bodies);
        let _place = places
            .try_acquire()
            .map_err(|_| http::text(StatusCode::SERVICE_UNAVAILABLE, "too many requests of this session at once\n"))?;
        let is_admitted = session.as_ref().is_some_and(|session| session.is_admitted());
        let limit = self.settings.message_bytes * ENCODED_FACTOR;
        body_of(&self.settings.bodies, request, limit, is_admitted).await.map_err(|error| error.response())
    }

    /// Hands over the messages of one body, in order, as fast as the application takes them.
    async fn send(&self, body: &[u8], name: &SessionName) -> Result<(), Response> {
        let session = self.sessions().get(name).cloned();
        let limit = self.settings.message_bytes;
        let decoded = match decode_array(body) {
            _ if body.is_empty() => Err(failure(&DecodeError::NoArray.to_string())),
            Err(error) => Err(failure(&error.to_string())),
            Ok(messages) if messages.iter().any(|message| message.len() > limit) => {
                Err(BodyError::TooLarge(limit).response())
            }
            Ok(messages) => Ok(messages),
        };
        let padding = padding(body.len(), decoded.as_deref().unwrap_or_default());
        if let (Some(bytes), Some(session)) = (padding, &session) {
            session.hand_over(|endpoint| endpoint.count(bytes)).await;
        }
        let (messages, session) = (decoded?, session.ok_or_else(not_found)?);
        for message in messages {
            match session.hand_over(|endpoint| endpoint.receive(&message, &mut E::Ear::default())).await {
                WayIn::Open(()) => {}
                WayIn::Closing => return Ok(()),
                WayIn::Gone => return Err(not_found()),
            }
        }
        Ok(())
    }
}

/// The media type alone, in lower case.
fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let value = String::from_utf8_lossy(value);
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// How SockJS says what was wrong: 500, without a type.
pub(super) fn failure(text: &str) -> Response {
    let mut response = http::empty(StatusCode::INTERNAL_SERVER_ERROR);
    *response.body_mut() = http::full(Bytes::copy_from_slice(text.as_bytes()));
    no_cache(response.headers_mut());
    response
}
