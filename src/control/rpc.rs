//! OpenTera's RPC over HTTP: the same arguments and replies as over Redis.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::opentera::{Failure, OpenTera};
use crate::http::{self, Request, Response};
use crate::manager::{ActionError, Manager};
use crate::wire::manage;

/// The longest body of a call: lists of people and parameters, far below.
const BODY_BYTES: usize = 1024 * 1024;

/// Answers a call; `method` is the part of the path after `/rpc/`. The caller has been authorised.
pub async fn call(manager: &Manager, opentera: Option<&Arc<OpenTera>>, request: Request, method: &str) -> Response {
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
    let (field, fits, kind): (_, fn(&Value) -> bool, _) = match method {
        "session_manage" => return session_manage(manager, opentera, &body).await,
        "participant_info" => ("participant_uuid", Value::is_string, "a text"),
        _ => ("id_session_type", Value::is_i64, "an integer"),
    };
    let value = match argument(&body, field, fits, kind) {
        Ok(value) => value,
        Err(wrong) => return error(StatusCode::BAD_REQUEST, &wrong),
    };
    let answer = match (method, opentera, value.as_str()) {
        ("session_type_config", ..) => session_type_config(),
        (_, Some(opentera), Some(uuid)) => opentera.participant_info(uuid).await,
        _ => json!({}),
    };
    http::json(StatusCode::OK, &answer)
}

async fn session_manage(manager: &Manager, opentera: Option<&Arc<OpenTera>>, body: &Bytes) -> Response {
    let action = match manage::parse(body) {
        Ok(action) => action,
        Err(wrong) => return error(StatusCode::BAD_REQUEST, &wrong.to_string()),
    };
    match opentera {
        Some(opentera) => match opentera.manage(action).await {
            Ok(reply) => http::json(StatusCode::OK, &reply),
            Err(failure) => error(status_of_failure(&failure), &failure.to_string()),
        },
        None => match manager.manage(action).await {
            Ok(reply) => http::json(StatusCode::OK, &reply),
            Err(failure) => error(status(&failure), &failure.to_string()),
        },
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

fn status_of_failure(failure: &Failure) -> StatusCode {
    match failure {
        Failure::NothingToStop | Failure::NoSession => StatusCode::NOT_FOUND,
        Failure::CreatorRefused => StatusCode::CONFLICT,
        Failure::NoPort | Failure::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Failure::StopNotNoted | Failure::Refused(_) => StatusCode::BAD_GATEWAY,
    }
}

/// A field of a call's argument; else what is wrong with it.
fn argument(body: &Bytes, name: &str, fits: fn(&Value) -> bool, kind: &str) -> Result<Value, String> {
    let argument = serde_json::from_slice::<Value>(body).map_err(|_| "the body is not JSON")?;
    match argument.get(name) {
        Some(value) if fits(value) => Ok(value.clone()),
        Some(_) => Err(format!("{name} must be {kind}")),
        None => Err(format!("{name} is missing")),
    }
}

/// What OpenTera's form for a session of this type shows.
pub(super) fn session_type_config() -> Value {
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
