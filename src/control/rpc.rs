//! OpenTera's RPC over HTTP: the same arguments and replies as over Redis.

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http::{self, Request, Response};
use crate::manager::{ActionError, Manager};
use crate::wire::manage;

/// The longest body of a call: lists of people and parameters, far below.
const BODY_BYTES: usize = 1024 * 1024;

/// Answers a call; `method` is the part of the path after `/rpc/`. The caller has been authorised.
pub async fn call(manager: &Manager, request: Request, method: &str) -> Response {
    if !matches!(method, "session_manage" | "participant_info" | "session_type_config") {
        return error(StatusCode::NOT_FOUND, "no such RPC method");
    }
    if request.method() != Method::POST {
        return http::method_not_allowed("POST");
    }
    let body = match http::read_body(request.into_body(), BODY_BYTES).await {
        Ok(body) => body,
        Err(error) => return error.response(),
    };
    match method {
        "session_manage" => session_manage(manager, &body).await,
        "participant_info" => with_field(&body, "participant_uuid", Value::is_string, "a text", &json!({})),
        _ => with_field(&body, "id_session_type", Value::is_i64, "an integer", &session_type_config()),
    }
}

async fn session_manage(manager: &Manager, body: &Bytes) -> Response {
    let action = match manage::parse(body) {
        Ok(action) => action,
        Err(wrong) => return error(StatusCode::BAD_REQUEST, &wrong.to_string()),
    };
    match manager.manage(action).await {
        Ok(reply) => http::json(StatusCode::OK, &reply),
        Err(failure) => error(status(&failure), &failure.to_string()),
    }
}

fn status(failure: &ActionError) -> StatusCode {
    match failure {
        ActionError::NothingToStop | ActionError::NoSession => StatusCode::NOT_FOUND,
        ActionError::CreatorRefused => StatusCode::CONFLICT,
        ActionError::NoPort | ActionError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        ActionError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The methods whose answer, standalone, depends on nothing but that the argument is there.
fn with_field(body: &Bytes, name: &str, fits: fn(&Value) -> bool, kind: &str, answer: &Value) -> Response {
    let Ok(argument) = serde_json::from_slice::<Value>(body) else {
        return error(StatusCode::BAD_REQUEST, "the body is not JSON");
    };
    match argument.get(name) {
        Some(value) if fits(value) => http::json(StatusCode::OK, answer),
        Some(_) => error(StatusCode::BAD_REQUEST, &format!("{name} must be {kind}")),
        None => error(StatusCode::BAD_REQUEST, &format!("{name} is missing")),
    }
}

/// What OpenTera's form for a session of this type shows.
fn session_type_config() -> Value {
    json!({
        "objecttype": "session_type_config",
        "sections": [{
            "id": "general",
            "label": "General configuration",
            "_order": 1,
            "items": [{"id": "session_recordable", "label": "Allow session recording", "type": "boolean", "_order": 1}],
        }],
    })
}

/// An error as the RPC has it.
pub fn error(status: StatusCode, text: &str) -> Response {
    http::json(status, &json!({"status": "error", "error_text": text}))
}
