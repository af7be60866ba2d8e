//! What the store keeps of a session, and how it changes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::session::keys::KeyRing;
use crate::wire::manage::{Invitee, Role, Session, SessionEvent, Start, event_type, status};

/// Who made these events, as OpenTera names its services.
const CONTEXT: &str = "VideoRehabService";

/// A session as the store keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The session, without what is about a run.
    pub session: Session,
    /// The run, while it runs.
    pub run: Option<Run>,
    /// With an OpenTera server: the session as the server's REST API gave it, its events brought
    /// up to date. `session` then holds its people and what else is needed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Box<Map<String, Value>>>,
}

/// What a running session has that a stopped one has not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// The port it is known by.
    pub port: u16,
    /// A version 4 uuid: the RoomId of keyless clients.
    pub session_key: String,
    /// The keys.
    pub keys: KeyRing,
    /// Seconds since 1970.
    pub started: i64,
    /// Whether the creator has been in the session: one who never came cannot leave.
    pub creator_came: bool,
    /// Whether the OpenTera server has said that the creator is gone.
    #[serde(default)]
    pub creator_gone: bool,
    /// Whether nothing serves it any more, though an OpenTera server has not been told of its end.
    #[serde(default)]
    pub unserved: bool,
}

/// Whose next session replaces this one: a kind and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(OwnerKind, i64);

/// The kinds of owner: the roles, and a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum OwnerKind {
    Person(Role),
    Service,
}

impl Record {
    /// A session that has never run.
    pub fn new(id: i64, start: &Start) -> Self {
        let now = Timestamp::now();
        let mut record = Self {
            session: Session {
                id_creator_device: None,
                id_creator_participant: None,
                id_creator_service: None,
                id_creator_user: None,
                id_session: id,
                id_session_type: None,
                session_comments: None,
                session_duration: 0,
                session_name: format!("Session [{}.{id}]", now.strftime("%Y")),
                session_parameters: Value::Null,
                session_start_datetime: written(now),
                session_status: status::IN_PROGRESS,
                session_uuid: uuid::Uuid::new_v4().to_string(),
                session_participants: Vec::new(),
                session_users: Vec::new(),
                session_devices: Vec::new(),
                session_events: Vec::new(),
                session_key: None,
                session_creator_uuid: None,
                session_url_users: None,
                session_url_participants: None,
                session_url_devices: None,
                session_invitees: None,
            },
            run: None,
            received: None,
        };
        record.take_over(start);
        record
    }

    /// What a start names replaces what was there; what it leaves out stays.
    pub fn take_over(&mut self, start: &Start) {
        let session = &mut self.session;
        for role in Role::ALL {
            if let Some(list) = start.lists.of(role) {
                *session.people(role) = list.to_vec();
            }
        }
        if start.id_session_type.is_some() {
            session.id_session_type = start.id_session_type;
        }
        if owner_of(
            start.id_creator_user,
            start.id_creator_participant,
            start.id_creator_device,
            start.id_creator_service,
        )
        .is_some()
        {
            session.id_creator_user = start.id_creator_user;
            session.id_creator_participant = start.id_creator_participant;
            session.id_creator_device = start.id_creator_device;
            session.id_creator_service = start.id_creator_service;
        }
        if !start.parameters.is_null() {
            session.session_parameters = start.parameters.clone();
        }
        let creator = start.creator_uuid.clone().or_else(|| start.lists.of(Role::User)?.first().cloned());
        if creator.is_some() {
            session.session_creator_uuid = creator;
        }
    }

    /// The session's owner, if it has one.
    pub fn owner(&self) -> Option<Owner> {
        let session = &self.session;
        owner_of(
            session.id_creator_user,
            session.id_creator_participant,
            session.id_creator_device,
            session.id_creator_service,
        )
    }

    /// Begins a run: a key for each role and each invitee; or, `shared`, one key for all.
    pub fn begin(&mut self, port: u16, shared: bool) -> &Run {
        let session_key = uuid::Uuid::new_v4().to_string();
        let keys = match shared {
            true => KeyRing::shared(&session_key),
            false => {
                let mut keys = KeyRing::new();
                for role in Role::ALL {
                    self.session.people(role).iter().for_each(|uuid| keys.invite(role, uuid));
                }
                keys
            }
        };
        self.session.session_status = status::IN_PROGRESS;
        let started = Timestamp::now().as_second();
        self.run.insert(Run {
            port,
            session_key,
            keys,
            started,
            creator_came: false,
            creator_gone: false,
            unserved: false,
        })
    }

    /// Adds somebody, with a key.
    pub fn let_in(&mut self, role: Role, uuid: &str) {
        self.session.people(role).push(uuid.to_owned());
        if let Some(run) = &mut self.run {
            run.keys.invite(role, uuid);
        }
    }

    /// Takes somebody's places, however many, and the key.
    pub fn take_out(&mut self, role: Role, uuid: &str) {
        self.session.people(role).retain(|member| member != uuid);
        if let Some(run) = &mut self.run {
            run.keys.revoke(role, uuid);
        }
    }

    /// Ends a run.
    pub fn end(&mut self) {
        if let Some(run) = self.run.take() {
            self.session.session_duration += (Timestamp::now().as_second() - run.started).max(0);
        }
        self.session.session_status = status::COMPLETED;
        self.event(event_type::STOP, None);
    }

    /// Notes an event.
    pub fn event(&mut self, event_type: i64, text: Option<String>) {
        let events = &mut self.session.session_events;
        // Sessions are many and their events few.
        events.reserve_exact(1);
        events.push(SessionEvent {
            id_session: self.session.id_session,
            id_session_event: events.len() as i64 + 1,
            id_session_event_type: event_type,
            session_event_context: CONTEXT.to_owned(),
            session_event_datetime: written(Timestamp::now()),
            session_event_text: text,
        });
    }

    /// The session as replies show it. `base` is what its URLs begin with; `invitees`: whether their
    /// personal URLs are shown too.
    pub fn shown(&self, base: &str, invitees: bool) -> Session {
        let mut session = self.session.clone();
        let Some(run) = &self.run else { return session };
        let of_role = |role| Some(run.url(base, role, None));
        session.session_key = Some(run.session_key.clone());
        session.session_url_users = of_role(Role::User);
        session.session_url_participants = of_role(Role::Participant);
        session.session_url_devices = of_role(Role::Device);
        if invitees {
            session.session_invitees = Some(run.invitees(base));
        }
        session
    }
}

impl Run {
    /// The URL of a person, or of a role: also of a person who has no key of their own.
    pub fn url(&self, base: &str, role: Role, uuid: Option<&str>) -> String {
        let personal = uuid.and_then(|uuid| self.keys.personal(role, uuid));
        let key = personal.unwrap_or_else(|| self.keys.role(role));
        format!("{base}/webrtc/{}/{}?key={}", self.port, role.page(), key.reveal())
    }

    /// Everybody who has a key of their own, with the URL.
    pub fn invitees(&self, base: &str) -> Vec<Invitee> {
        let all = self.keys.invitees();
        all.map(|(role, uuid, _)| Invitee { uuid: uuid.to_owned(), role, url: self.url(base, role, Some(uuid)) })
            .collect()
    }
}

/// The first that is given; 0 is as good as none.
fn owner_of(user: Option<i64>, participant: Option<i64>, device: Option<i64>, service: Option<i64>) -> Option<Owner> {
    let kinds = [
        (OwnerKind::Person(Role::User), user),
        (OwnerKind::Person(Role::Participant), participant),
        (OwnerKind::Person(Role::Device), device),
        (OwnerKind::Service, service),
    ];
    kinds.into_iter().find_map(|(kind, value)| value.filter(|value| *value != 0).map(|value| Owner(kind, value)))
}

/// A time as OpenTera writes it.
fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::manage::Lists;

    fn start() -> Start {
        let lists = Lists {
            users: Some(vec!["ann".into(), "ann".into()]),
            participants: Some(vec!["bob".into()]),
            devices: None,
        };
        Start { id_creator_user: Some(0), id_creator_service: Some(6), lists, ..Start::default() }
    }

    #[test]
    fn a_run_gives_urls_and_keys_that_a_stop_takes() {
        let mut record = Record::new(3, &start());
        record.begin(8080, false);
        record.event(event_type::START, None);
        let shown = record.shown("http://a:1", true);
        let users = shown.session_url_users.unwrap();
        assert!(users.starts_with("http://a:1/webrtc/8080/users?key="), "{users}");
        let invitees = shown.session_invitees.unwrap();
        assert_eq!(
            invitees.iter().map(|one| (one.role, one.uuid.as_str())).collect::<Vec<_>>(),
            [(Role::User, "ann"), (Role::Participant, "bob")]
        );
        assert_eq!(shown.session_creator_uuid.as_deref(), Some("ann"));
        record.end();
        let shown = record.shown("http://a:1", true);
        assert_eq!((shown.session_key, shown.session_url_users, shown.session_invitees), (None, None, None));
        let types: Vec<i64> = shown.session_events.iter().map(|event| event.id_session_event_type).collect();
        assert_eq!((types, shown.session_status), (vec![event_type::START, event_type::STOP], status::COMPLETED));
    }

    #[test]
    fn a_resumed_session_keeps_what_is_not_named() {
        let mut record = Record::new(3, &start());
        let again = Start { id_session: 3, parameters: serde_json::json!({"a": 1}), ..Start::default() };
        record.take_over(&again);
        assert_eq!(record.session.session_participants, ["bob"]);
        assert_eq!(record.session.session_creator_uuid.as_deref(), Some("ann"));
        assert_eq!(record.owner(), Some(Owner(OwnerKind::Service, 6)));
        assert_eq!(record.session.session_parameters["a"], 1);
    }

    #[test]
    fn times_are_written_as_opentera_does() {
        let time = written(Timestamp::from_microsecond(1_795_358_094_254_272).unwrap());
        assert_eq!(time, "2026-11-22T14:34:54.254272+00:00");
    }
}
