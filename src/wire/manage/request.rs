//! The argument: `{"session_manage": {"action": …, …}}`. Members that are not known are ignored:
//! the OpenTera server passes on the whole body of its own call.

use serde_json::{Map, Value};

use super::Role;

/// What is asked of the session manager.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Make a session, or resume one.
    Start(Box<Start>),
    /// End a session.
    Stop {
        /// Which.
        id_session: i64,
    },
    /// Let more people in.
    Invite {
        /// To which session.
        id_session: i64,
        /// Whom.
        lists: Lists,
    },
    /// Put people out.
    Remove {
        /// Of which session.
        id_session: i64,
        /// Whom.
        lists: Lists,
    },
    /// Somebody answers an invitation.
    InviteReply {
        /// To which session.
        id_session: i64,
        /// The answer.
        reply: InviteReply,
    },
}

/// The arguments of `start`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Start {
    /// 0: make a new one.
    pub id_session: i64,
    /// The session type.
    pub id_session_type: Option<i64>,
    /// The owner's kind and value: of two present the first in OpenTera's order counts.
    pub id_creator_user: Option<i64>,
    /// As above.
    pub id_creator_participant: Option<i64>,
    /// As above.
    pub id_creator_device: Option<i64>,
    /// As above.
    pub id_creator_service: Option<i64>,
    /// Who started it, standalone; else the first of the users.
    pub creator_uuid: Option<String>,
    /// The people.
    pub lists: Lists,
    /// The session's parameters, any JSON; null if absent.
    pub parameters: Value,
}

/// Lists of people; `None` where the caller left one out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    /// `session_users`
    pub users: Option<Vec<String>>,
    /// `session_participants`
    pub participants: Option<Vec<String>>,
    /// `session_devices`
    pub devices: Option<Vec<String>>,
}

impl Lists {
    /// The list of a role.
    pub fn of(&self, role: Role) -> Option<&[String]> {
        match role {
            Role::User => self.users.as_deref(),
            Role::Participant => self.participants.as_deref(),
            Role::Device => self.devices.as_deref(),
        }
    }
}

/// The arguments of `invite_reply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteReply {
    /// 1 accepts, every other number refuses.
    pub code: i64,
    /// What they say; empty if nothing.
    pub message: String,
    /// Who replies.
    pub who: Vec<(Role, String)>,
}

/// What is wrong with an argument, naming the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManageError {
    /// The text is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field is of the wrong type.
    #[error("{0} must be {1}")]
    Wrong(&'static str, &'static str),
}

/// Reads the argument.
///
/// # Errors
/// The first field that is missing or wrong.
pub fn parse(text: &[u8]) -> Result<Action, ManageError> {
    let whole: Value = serde_json::from_slice(text).map_err(|error| ManageError::NotJson(error.to_string()))?;
    let arguments = whole.get("session_manage").ok_or(ManageError::Missing("session_manage"))?;
    let arguments = Arguments(arguments.as_object().ok_or(ManageError::Wrong("session_manage", "an object"))?);
    let id_session = || arguments.integer("id_session")?.ok_or(ManageError::Missing("id_session"));
    match arguments.text("action")?.ok_or(ManageError::Missing("action"))? {
        "start" => Ok(Action::Start(Box::new(arguments.start(id_session()?)?))),
        "stop" => Ok(Action::Stop { id_session: id_session()? }),
        "invite" => Ok(Action::Invite { id_session: id_session()?, lists: arguments.lists()? }),
        "remove" => Ok(Action::Remove { id_session: id_session()?, lists: arguments.lists()? }),
        "invite_reply" => Ok(Action::InviteReply { id_session: id_session()?, reply: arguments.reply()? }),
        _ => Err(ManageError::Wrong("action", "start, stop, invite, remove or invite_reply")),
    }
}

struct Arguments<'a>(&'a Map<String, Value>);

impl<'a> Arguments<'a> {
    /// A member; null is as if it were absent.
    fn member(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn integer(&self, name: &'static str) -> Result<Option<i64>, ManageError> {
        let Some(value) = self.member(name) else { return Ok(None) };
        value.as_i64().map(Some).ok_or(ManageError::Wrong(name, "an integer"))
    }

    fn text(&self, name: &'static str) -> Result<Option<&'a str>, ManageError> {
        let Some(value) = self.member(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or(ManageError::Wrong(name, "a text"))
    }

    fn list(&self, name: &'static str) -> Result<Option<Vec<String>>, ManageError> {
        let Some(value) = self.member(name) else { return Ok(None) };
        let wrong = ManageError::Wrong(name, "an array of texts");
        let Some(array) = value.as_array() else { return Err(wrong) };
        let texts: Option<Vec<String>> = array.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        texts.map(Some).ok_or(wrong)
    }

    fn lists(&self) -> Result<Lists, ManageError> {
        Ok(Lists {
            users: self.list(Role::User.list_field())?,
            participants: self.list(Role::Participant.list_field())?,
            devices: self.list(Role::Device.list_field())?,
        })
    }

    fn start(&self, id_session: i64) -> Result<Start, ManageError> {
        if id_session < 0 {
            return Err(ManageError::Wrong("id_session", "0 or the id of a session"));
        }
        Ok(Start {
            id_session,
            id_session_type: self.integer("id_session_type")?,
            id_creator_user: self.integer("id_creator_user")?,
            id_creator_participant: self.integer("id_creator_participant")?,
            id_creator_device: self.integer("id_creator_device")?,
            id_creator_service: self.integer("id_creator_service")?,
            creator_uuid: self.text("creator_uuid")?.map(str::to_owned),
            lists: self.lists()?,
            parameters: self.member("parameters").cloned().unwrap_or(Value::Null),
        })
    }

    fn reply(&self) -> Result<InviteReply, ManageError> {
        let parameters = self.member("parameters").ok_or(ManageError::Missing("parameters"))?;
        let parameters = Arguments(parameters.as_object().ok_or(ManageError::Wrong("parameters", "an object"))?);
        let code = parameters.integer("reply_code")?.ok_or(ManageError::Missing("reply_code"))?;
        let message = parameters.text("reply_msg")?.unwrap_or_default().to_owned();
        let mut who = Vec::new();
        for role in Role::ALL {
            who.extend(parameters.text(role.uuid_field())?.map(|uuid| (role, uuid.to_owned())));
        }
        Ok(InviteReply { code, message, who })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(arguments: Value) -> Result<Action, String> {
        parse(json!({"session_manage": arguments}).to_string().as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_action_is_read() {
        let Ok(Action::Start(start)) = read(
            json!({"action": "start", "id_session": 0, "id_creator_user": 2, "session_users": ["a"], "unknown": {}}),
        ) else {
            panic!("a start")
        };
        assert_eq!((start.id_creator_user, start.lists.of(Role::User)), (Some(2), Some(&["a".to_owned()][..])));
        assert_eq!(start.lists.of(Role::Device), None);
        assert_eq!(read(json!({"action": "stop", "id_session": 7})), Ok(Action::Stop { id_session: 7 }));
        assert!(matches!(
            read(json!({"action": "invite", "id_session": 7, "session_devices": null})),
            Ok(Action::Invite { .. })
        ));
        assert!(matches!(read(json!({"action": "remove", "id_session": 7})), Ok(Action::Remove { .. })));
        let reply = read(
            json!({"action": "invite_reply", "id_session": 7, "parameters": {"reply_code": 2, "participant_uuid": "p"}}),
        );
        let who = vec![(Role::Participant, "p".to_owned())];
        assert_eq!(
            reply,
            Ok(Action::InviteReply { id_session: 7, reply: InviteReply { code: 2, message: String::new(), who } })
        );
    }

    /// Read without care, the last digit changes with each reading.
    #[test]
    fn numbers_in_parameters_stay_as_they_are() {
        let written = r#"{"x":27000000000000000000000000000270407545}"#;
        let argument = format!(r#"{{"session_manage":{{"action":"start","id_session":0,"parameters":{written}}}}}"#);
        let Ok(Action::Start(start)) = parse(argument.as_bytes()) else { panic!("a start") };
        let again: Value = serde_json::from_str(&start.parameters.to_string()).unwrap();
        assert_eq!((&again, again["x"].as_f64()), (&start.parameters, Some(27000000000000000000000000000270407545.0)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (arguments, named) in [
            (json!([]), "session_manage"),
            (json!({}), "action"),
            (json!({"action": "dance"}), "action"),
            (json!({"action": 5}), "action"),
            (json!({"action": "stop"}), "id_session"),
            (json!({"action": "stop", "id_session": "7"}), "id_session"),
            (json!({"action": "stop", "id_session": 7.5}), "id_session"),
            (json!({"action": "start", "id_session": -1}), "id_session"),
            (json!({"action": "start", "id_session": 0, "session_users": "a"}), "session_users"),
            (json!({"action": "start", "id_session": 0, "session_devices": [1]}), "session_devices"),
            (json!({"action": "start", "id_session": 0, "creator_uuid": {}}), "creator_uuid"),
            (json!({"action": "invite_reply", "id_session": 1}), "parameters"),
            (json!({"action": "invite_reply", "id_session": 1, "parameters": "x"}), "parameters"),
            (json!({"action": "invite_reply", "id_session": 1, "parameters": {}}), "reply_code"),
            (json!({"action": "invite_reply", "id_session": 1, "parameters": {"reply_code": "accept"}}), "reply_code"),
            (
                json!({"action": "invite_reply", "id_session": 1, "parameters": {"reply_code": 1, "reply_msg": 5}}),
                "reply_msg",
            ),
        ] {
            let error = read(arguments).expect_err(named);
            assert!(error.starts_with(named), "{error} should begin with {named}");
        }
        assert!(matches!(parse(b"{"), Err(ManageError::NotJson(_))));
        assert_eq!(parse(b"5"), Err(ManageError::Missing("session_manage")));
    }
}
