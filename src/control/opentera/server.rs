//! What is asked of the OpenTera server, with the service's token.

use std::sync::{Arc, PoisonError};

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::OpenTera;
use super::identity::{Identity, IdentityError};
use super::rest::{Answer, Repeat};
use crate::http::request::encoded;
use crate::wire::manage::event_type;

/// Where log lines come from that the server need not be told: it said so itself, or is told by the reply.
pub(super) const TOLD: &str = module_path!();

const SESSIONS: &str = "/api/service/sessions";
const EVENTS: &str = "/api/service/sessions/events";

impl OpenTera {
    /// Reads anew who we are.
    pub(super) async fn read_identity(&self) -> Result<Arc<Identity>, IdentityError> {
        let identity = Arc::new(Identity::read(&self.redis, &self.settings.service_name).await?);
        let mut kept = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.replace(identity.clone());
        if before.is_some_and(|before| before.call_topics() != identity.call_topics()) {
            self.renamed.notify_one();
        }
        Ok(identity)
    }

    /// Makes a call with the service's token. The keys are new whenever the server starts, so when
    /// it says that it does not know us, the key is read again and the call made once more.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>, repeat: Repeat) -> Result<Answer, String> {
        let identity = self.identity().ok_or("the service does not know its token yet")?;
        let call = |token: String| {
            let method = method.clone();
            async move { self.rest.call(method, path, &token, body, repeat).await }
        };
        let answer = call(identity.token.clone()).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        match self.read_identity().await {
            Ok(identity) => call(identity.token.clone()).await,
            Err(error) => {
                tracing::warn!(%error, "the OpenTera server does not know our token, and there is no new one");
                Ok(answer)
            }
        }
    }

    /// Makes a session.
    pub(super) async fn create_session(&self, body: &Value) -> Result<Answer, String> {
        self.call(Method::POST, SESSIONS, Some(body), Repeat::Never).await
    }

    /// A session that the server has; `id` as the caller gave it.
    pub(super) async fn get_session(&self, id: &str) -> Result<Answer, String> {
        let path = format!("{SESSIONS}?id_session={}&with_events=True", encoded(id));
        self.call(Method::GET, &path, None, Repeat::Harmless).await
    }

    /// Updates a session: the session as the server then has it, or nothing if it did not.
    pub(super) async fn update_session(&self, id: i64, body: &Value) -> Option<Value> {
        let problem = match self.call(Method::POST, SESSIONS, Some(body), Repeat::Harmless).await {
            Ok(answer) => match answer.last() {
                Some(session) => return Some(session),
                None => answer.status.to_string(),
            },
            Err(problem) => problem,
        };
        tracing::warn!(session = id, problem, "the OpenTera server does not update a session");
        None
    }

    /// Notes an event in a session's history: the event as the server keeps it, or nothing if it
    /// does not. The time is that of here, without a zone, as the original sends it.
    pub(super) async fn note(&self, id: i64, kind: i64, text: Option<String>) -> Option<Value> {
        let context = self.identity().map(|identity| identity.service_key.clone()).unwrap_or_default();
        let mut event = json!({
            "id_session_event": 0,
            "id_session": id,
            "id_session_event_type": kind,
            "session_event_datetime": jiff::ZonedDateTime::now().strftime("%Y-%m-%d %H:%M:%S.%6f").to_string(),
            "session_event_context": context,
        });
        if let Some(text) = text {
            event["session_event_text"] = Value::String(text);
        }
        let body = json!({ "session_event": event });
        let problem = match self.call(Method::POST, EVENTS, Some(&body), Repeat::Never).await {
            Ok(answer) => match answer.last() {
                Some(event) => return Some(event),
                None => answer.status.to_string(),
            },
            Err(problem) => problem,
        };
        tracing::warn!(session = id, event = name(kind), problem, "the OpenTera server does not note an event");
        None
    }

    /// What the server knows of a participant; `{}` if nothing.
    pub async fn participant_info(&self, uuid: &str) -> Value {
        let path = format!("/api/service/participants?participant_uuid={}", encoded(uuid));
        let answer = self.call(Method::GET, &path, None, Repeat::Harmless).await;
        answer.ok().and_then(|answer| answer.json()).unwrap_or_else(|| json!({}))
    }
}

fn name(kind: i64) -> &'static str {
    match kind {
        event_type::START => "start",
        event_type::STOP => "stop",
        event_type::JOIN => "join",
        event_type::LEAVE => "leave",
        _ => "refusal",
    }
}
