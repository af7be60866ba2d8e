//! A call over Redis: the request, the reply, and the argument of `session_manage`, which is judged
//! here exactly as the original judged it: what it answered `null` is told from what it failed on.

use prost::Message;
use serde_json::{Map, Value, json};

use super::messages::{ArgValue, RpcMessage};
use crate::wire::manage::{Action, InviteReply, Lists, Role, Start};

/// A call that expects a reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The topic of the reply.
    pub reply_to: String,
    /// The caller's number for it.
    pub id: u64,
    /// The method's name.
    pub method: String,
    /// The one argument that every method takes.
    pub argument: Given,
}

/// The arguments of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// One text.
    Text(String),
    /// One of another type.
    Other,
    /// None, several, or one without a value.
    Wrong,
}

/// Reads a payload of one of the service's RPC topics. `None`: it is no call, or nobody waits for
/// the reply.
pub fn read_call(payload: &[u8]) -> Option<Call> {
    let message = RpcMessage::decode(payload).ok().filter(|message| !message.reply_to.is_empty())?;
    let mut args = message.args;
    let argument = match (args.pop(), args.is_empty()) {
        (Some(value), true) => match value.arg_value {
            Some(ArgValue::String(text)) => Given::Text(text),
            Some(_) => Given::Other,
            None => Given::Wrong,
        },
        _ => Given::Wrong,
    };
    Some(Call { reply_to: message.reply_to, id: message.id, method: message.method, argument })
}

/// The reply to a call that came in on `topic`; `None` says that it failed.
pub fn reply(call: &Call, topic: &str, value: Option<&Value>) -> Vec<u8> {
    let status = if value.is_some() { "OK" } else { "Error" };
    let reply = json!({
        "method": call.method, "id": call.id, "pattern": topic, "status": status,
        "return_value": value.unwrap_or(&Value::Null),
    });
    reply.to_string().into_bytes()
}

/// What the argument of `session_manage` asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// An action.
    Action(Action),
    /// A start whose `id_session` is no integer: the server is asked for a session of this id.
    StartOf(String, Box<Start>),
    /// Something the service knows nothing of: status OK and null.
    Nothing,
    /// Something it fails on: status Error and null.
    Failure,
}

/// An id that no session has: ids are compared by value with integers, so a text never matches.
const NO_SESSION: i64 = -1;

/// Judges the argument of `session_manage` (protocols/opentera.md 3.3, 5.1, 5.7).
pub fn session_manage(text: &str) -> Asked {
    let Ok(whole) = serde_json::from_str::<Value>(text) else { return Asked::Nothing };
    let Some(whole) = whole.as_object() else { return Asked::Failure };
    let Some(arguments) = whole.get("session_manage") else { return Asked::Nothing };
    let Some(arguments) = arguments.as_object() else { return Asked::Failure };
    let asked = match arguments.get("action") {
        None => None,
        Some(Value::String(action)) => match action.as_str() {
            "start" => start(arguments),
            "stop" => id_of(arguments).map(|id_session| Asked::Action(Action::Stop { id_session })),
            "invite" => lists_of(arguments, |id_session, lists| Action::Invite { id_session, lists }),
            "remove" => lists_of(arguments, |id_session, lists| Action::Remove { id_session, lists }),
            "invite_reply" => invite_reply(arguments),
            _ => Some(Asked::Nothing),
        },
        Some(_) => Some(Asked::Nothing),
    };
    asked.unwrap_or(Asked::Failure)
}

fn id_of(arguments: &Map<String, Value>) -> Option<i64> {
    Some(arguments.get("id_session")?.as_i64().unwrap_or(NO_SESSION))
}

fn start(arguments: &Map<String, Value>) -> Option<Asked> {
    arguments.get("id_service")?;
    let id = arguments.get("id_session")?;
    let integer = |name: &str| match arguments.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(value) => value.as_i64().map(Some),
    };
    let start = Box::new(Start {
        id_session: id.as_i64().unwrap_or(NO_SESSION),
        id_session_type: arguments.get("id_session_type")?.as_i64(),
        id_creator_user: integer("id_creator_user")?,
        id_creator_participant: integer("id_creator_participant")?,
        id_creator_device: integer("id_creator_device")?,
        id_creator_service: integer("id_creator_service")?,
        creator_uuid: None,
        lists: lists(arguments)?,
        parameters: arguments.get("parameters").cloned().unwrap_or(Value::Null),
    });
    Some(match id {
        Value::Number(number) if number.is_i64() => Asked::Action(Action::Start(start)),
        Value::Null => Asked::StartOf("None".to_owned(), start),
        Value::String(text) => Asked::StartOf(text.clone(), start),
        other => Asked::StartOf(other.to_string(), start),
    })
}

fn lists_of(arguments: &Map<String, Value>, action: fn(i64, Lists) -> Action) -> Option<Asked> {
    Some(Asked::Action(action(id_of(arguments)?, lists(arguments)?)))
}

fn lists(arguments: &Map<String, Value>) -> Option<Lists> {
    let list = |name: &str| {
        let Some(value) = arguments.get(name) else { return Some(None) };
        let texts = value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned));
        texts.collect::<Option<Vec<String>>>().map(Some)
    };
    Some(Lists {
        users: list(Role::User.list_field())?,
        participants: list(Role::Participant.list_field())?,
        devices: list(Role::Device.list_field())?,
    })
}

fn invite_reply(arguments: &Map<String, Value>) -> Option<Asked> {
    let id_session = id_of(arguments)?;
    let parameters = arguments.get("parameters")?.as_object()?;
    let code = match parameters.get("reply_code")? {
        Value::Bool(code) => i64::from(*code),
        code => code.as_i64()?,
    };
    let text = |name: &str| match parameters.get(name) {
        None => Some(None),
        Some(value) => value.as_str().map(|text| Some(text.to_owned())),
    };
    let message = text("reply_msg")?.unwrap_or_default();
    let mut who = Vec::new();
    for role in Role::ALL {
        who.extend(text(role.uuid_field())?.map(|uuid| (role, uuid)));
    }
    Some(Asked::Action(Action::InviteReply { id_session, reply: InviteReply { code, message, who } }))
}
