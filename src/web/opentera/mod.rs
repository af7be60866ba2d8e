//! The service's pages, which the OpenTera server's users and participants open, at `/rehab/…` and,
//! since its proxy strips that prefix, at the root.

mod visitor;

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue,
};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::assets::{self, Guard};
use crate::control::opentera::OpenTera;
use crate::control::opentera::rest::{Answer, Repeat};
use crate::http::request::query;
use crate::http::{self, Request, Response};
use crate::wire::manage::Role;
use visitor::{Kind, Visitor, header};

/// Where a page takes its configuration from.
const PLACEHOLDER: &str = "<!--config-->";

/// What the waiting room says unless it is told otherwise.
const PATIENCE: &str = "Your session will start soon. Thank you for your patience!";

const HTML: &str = "text/html; charset=utf-8";

/// Answers a request; `path` begins with a slash and has no `/rehab`.
pub(super) async fn answer(opentera: &Arc<OpenTera>, request: &Request, path: &str, peer: IpAddr) -> Response {
    if let Some(file) = path.strip_prefix("/assets/").or_else(|| path.strip_prefix("/static/")) {
        return match http::is_read(request.method()) {
            true => assets::file(file, request.headers()),
            false => http::method_not_allowed("GET, HEAD"),
        };
    }
    let mut response = routed(&Pages { opentera, request, peer }, path).await;
    let headers = response.headers_mut();
    for name in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS] {
        headers.insert(name, HeaderValue::from_static("*"));
    }
    response
}

async fn routed(pages: &Pages<'_>, path: &str) -> Response {
    let known = matches!(
        path,
        "/" | "/doc"
            | "/participant"
            | "/participant_localview"
            | "/participant_endpoint"
            | "/participant_error"
            | "/user_session_lobby"
            | "/user_error"
    );
    if !known {
        return http::typed(StatusCode::NOT_FOUND, HTML, "<!doctype html><title>404 Not Found</title><p>Not found");
    }
    if !http::is_read(pages.request.method()) {
        let mut response = http::method_not_allowed("GET, HEAD");
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(HTML));
        return response;
    }
    let page = match path {
        "/" | "/doc" => Ok(pages.page("index.html", Map::new())),
        "/participant_error" => Ok(pages.error_page("error")),
        "/participant" => pages.participant().await,
        "/participant_localview" => pages.localview().await,
        "/participant_endpoint" => pages.endpoint().await,
        "/user_session_lobby" => pages.lobby().await,
        _ => pages.user_error().await,
    };
    page.unwrap_or_else(|other| other)
}

/// A request for a page.
struct Pages<'a> {
    opentera: &'a Arc<OpenTera>,
    request: &'a Request,
    peer: IpAddr,
}

/// A page; or what is shown in its place.
type Page = Result<Response, Response>;

impl Pages<'_> {
    /// The participant's dashboard.
    async fn participant(&self) -> Page {
        let (participant, mut values) = self.participant_only().await?;
        values.insert("participantName".to_owned(), self.participant_name(&participant).await);
        Ok(self.page("participant.html", values))
    }

    /// The waiting room.
    async fn localview(&self) -> Page {
        let (_, mut values) = self.participant_only().await?;
        values.insert("message".to_owned(), self.query_or("message", PATIENCE));
        values.insert("messageType".to_owned(), self.query_or("message_type", "info"));
        Ok(self.page("localview.html", values))
    }

    /// The good-bye page.
    async fn endpoint(&self) -> Page {
        let (participant, mut values) = self.participant_only().await?;
        values.insert("participantName".to_owned(), self.participant_name(&participant).await);
        Ok(self.page("endpoint.html", values))
    }

    /// The lobby of a session, for users.
    async fn lobby(&self) -> Page {
        let visitor = self.visitor(Kind::Dynamic).await?;
        let error = |text: &str| self.page("error.html", Map::from_iter([("error".to_owned(), json!(text))]));
        if visitor.role != Role::User {
            return Err(error("Only users can access this page. Sorry."));
        }
        let uuid = query(self.request.uri(), "session_uuid").filter(|uuid| !uuid.is_empty());
        let uuid = uuid.ok_or_else(|| error("An existing session needs to be specified."))?;
        let path = format!("/api/user/sessions?session_uuid={}", crate::http::request::encoded(&uuid));
        let answer = self.ask(&path, &visitor).await;
        let answer = answer.map_err(|problem| error(&format!("Can't query session information: Error {problem}")))?;
        if answer.status != StatusCode::OK {
            return Err(error(&format!("Can't query session information: Error {}", answer.status.as_u16())));
        }
        let session = answer.last().ok_or_else(|| error("Unknown session"))?;
        let path = format!("/api/user/users?user_uuid={}", crate::http::request::encoded(&visitor.uuid));
        let user = self.ask(&path, &visitor).await.ok().and_then(|answer| answer.last());
        let name = user.as_ref().and_then(|user| user.get("user_name")).cloned().unwrap_or_default();
        let values = [
            ("session".to_owned(), session),
            ("token".to_owned(), json!(visitor.token)),
            ("userUuid".to_owned(), json!(visitor.uuid)),
            ("userName".to_owned(), name),
        ];
        Ok(self.page("lobby.html", Map::from_iter(values)))
    }

    /// The error page for users.
    async fn user_error(&self) -> Page {
        let visitor = self.visitor(Kind::Dynamic).await?;
        if visitor.role != Role::User {
            return Err(http::typed(StatusCode::FORBIDDEN, HTML, "Unauthorized"));
        }
        Ok(self.error_page("error"))
    }

    /// A participant, by a token that does not end, and what all the participants' pages are told.
    async fn participant_only(&self) -> Result<(Visitor, Map<String, Value>), Response> {
        let visitor = self.visitor(Kind::Static).await?;
        if visitor.role != Role::Participant {
            let text = json!("Only participants can access this page. Sorry.");
            return Err(self.page("error.html", Map::from_iter([("error".to_owned(), text)])));
        }
        let values = [
            ("participantUuid".to_owned(), json!(visitor.uuid)),
            ("token".to_owned(), json!(visitor.token)),
            ("source".to_owned(), self.query_or("source", "")),
        ];
        Ok((visitor, Map::from_iter(values)))
    }

    /// Whoever asks, or the refusal, which is noted in OpenTera's log.
    async fn visitor(&self, kind: Kind) -> Result<Visitor, Response> {
        match visitor::visitor(self.opentera.redis(), self.request, kind).await {
            Ok(Some(visitor)) => Ok(visitor),
            Ok(None) => {
                let (headers, uuid) = (self.request.headers(), self.opentera.service_uuid());
                let refused = visitor::refused(headers, self.peer.to_string(), uuid, self.request.uri().path());
                self.opentera.log_refused(refused);
                Err(http::typed(StatusCode::FORBIDDEN, HTML, "Forbidden"))
            }
            Err(error) => {
                tracing::warn!(%error, "a page cannot be shown: Redis is away");
                let text = json!("The service is not connected to its server. Please try again later.");
                let mut page = self.page("error.html", Map::from_iter([("error".to_owned(), text)]));
                *page.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                Err(page)
            }
        }
    }

    async fn participant_name(&self, participant: &Visitor) -> Value {
        let known = self.ask("/api/participant/participants", participant).await.ok();
        let name = known.and_then(|answer| answer.json()?.get("participant_name").cloned());
        name.filter(Value::is_string).unwrap_or_else(|| json!("Anonymous"))
    }

    /// Asks the server with the visitor's own token.
    async fn ask(&self, path: &str, visitor: &Visitor) -> Result<Answer, String> {
        self.opentera.rest().call(Method::GET, path, &visitor.token, None, Repeat::Harmless).await
    }

    fn query_or(&self, name: &str, otherwise: &str) -> Value {
        json!(query(self.request.uri(), name).unwrap_or(otherwise.into()))
    }

    fn error_page(&self, name: &str) -> Response {
        let text = self.query_or(name, "Unknown error");
        self.page("error.html", Map::from_iter([("error".to_owned(), text)]))
    }

    /// A page with its values, and where browsers reach the server: as its proxy says, else as the
    /// configuration does.
    fn page(&self, name: &str, mut values: Map<String, Value>) -> Response {
        let (headers, backend) = (self.request.headers(), &self.opentera.settings().backend);
        let host = header(headers, "x-externalserver").unwrap_or(&backend.hostname);
        let port = header(headers, "x-externalport").map_or_else(|| backend.port.to_string(), str::to_owned);
        values.insert("backendHostname".to_owned(), json!(host));
        values.insert("backendPort".to_owned(), json!(port));
        let element = assets::config_element(&Value::Object(values));
        assets::page(StatusCode::OK, &format!("opentera/{name}"), &[(PLACEHOLDER, &element)], Guard::OpenTera)
    }
}
