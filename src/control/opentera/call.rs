//! A call is answered: over Redis or to whoever else asked.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Failure, OpenTera};
use crate::control::rpc::session_type_config;
use crate::wire::opentera::{Asked, Call, Given, read_call, reply, session_manage};

/// Who waits for the reply.
pub(super) enum ReplyTo {
    /// A caller on Redis, and the topic on which the call came in.
    Redis(Call, String),
    /// Another one.
    Caller(oneshot::Sender<Result<Value, Failure>>),
}

impl OpenTera {
    /// A payload on one of the service's topics.
    pub(super) fn called(self: &Arc<Self>, topic: &str, payload: &[u8]) {
        let Some(call) = read_call(payload) else { return };
        let method = call.method.clone();
        let argument = call.argument.clone();
        let to = ReplyTo::Redis(call, topic.to_owned());
        match (method.as_str(), argument) {
            ("session_manage", Given::Text(text)) => match session_manage(&text) {
                Asked::Action(action) => self.act(action, to),
                Asked::StartOf(id, start) => self.start_of(id, *start, to),
                Asked::Nothing => self.reply(to, Ok(Value::Null)),
                Asked::Failure => self.fail(&to),
            },
            ("session_type_config", Given::Text(_) | Given::Other) => self.reply(to, Ok(session_type_config())),
            ("participant_info", Given::Text(uuid)) => {
                let service = self.clone();
                self.tasks.spawn(async move {
                    let found = service.participant_info(&uuid).await;
                    service.reply(to, Ok(found));
                });
            }
            ("session_manage" | "session_type_config" | "participant_info", _) => self.fail(&to),
            // The original does not answer these, and the caller gives up by itself.
            _ => tracing::debug!(method, "a call of an unknown method"),
        }
    }

    /// Replies. What failed has the shape that the original gave it.
    pub(super) fn reply(&self, to: ReplyTo, result: Result<Value, Failure>) {
        match to {
            // A caller who has gone away needs no reply.
            ReplyTo::Caller(caller) => drop(caller.send(result)),
            ReplyTo::Redis(call, topic) => {
                let value = match result {
                    Ok(value) => value,
                    Err(Failure::NoSession) => Value::Null,
                    Err(failure) => error_value(&failure),
                };
                self.redis.publish(call.reply_to.clone(), reply(&call, &topic, Some(&value)));
            }
        }
    }

    /// Replies that the call failed.
    fn fail(&self, to: &ReplyTo) {
        if let ReplyTo::Redis(call, topic) = to {
            self.redis.publish(call.reply_to.clone(), reply(call, topic, None));
        }
    }
}

fn error_value(failure: &Failure) -> Value {
    json!({"status": "error", "error_text": failure.to_string()})
}
