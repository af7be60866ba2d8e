//! OpenTera's protobuf messages, package `opentera.protobuf`, proto3 (protocols/opentera.md 3 and 4).
//! Fields at their default are not on the wire. Enum fields are open: unknown numbers pass through.

use prost::{Message, Oneof};

/// A message in a wrapper, with its name.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// `type.googleapis.com/opentera.protobuf.<Message>`
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// A message that travels in an [`Any`].
pub trait Named: Message + Default {
    /// Its name in the package.
    const NAME: &'static str;
}

/// A session's invitation has been replied to.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct JoinSessionReplyEvent {
    #[prost(string, tag = "1")]
    pub session_uuid: String,
    #[prost(string, tag = "2")]
    pub user_uuid: String,
    #[prost(string, tag = "3")]
    pub participant_uuid: String,
    #[prost(string, tag = "4")]
    pub device_uuid: String,
    /// 0 unknown, 1 accepted, 2 denied, 3 busy, 4 timeout.
    #[prost(int32, tag = "5")]
    pub join_reply: i32,
    #[prost(string, tag = "6")]
    pub reply_msg: String,
}

/// A session is over.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct StopSessionEvent {
    #[prost(string, tag = "1")]
    pub session_uuid: String,
    #[prost(string, tag = "2")]
    pub service_uuid: String,
}

/// A user came, went or changed.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct UserEvent {
    #[prost(string, tag = "1")]
    pub user_uuid: String,
    /// 1 connected, 2 disconnected.
    #[prost(int32, tag = "2")]
    pub r#type: i32,
    #[prost(string, tag = "3")]
    pub user_fullname: String,
}

/// A participant came, went or changed.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct ParticipantEvent {
    #[prost(string, tag = "1")]
    pub participant_uuid: String,
    /// 1 connected, 2 disconnected.
    #[prost(int32, tag = "2")]
    pub r#type: i32,
    #[prost(string, tag = "3")]
    pub participant_name: String,
    #[prost(string, tag = "4")]
    pub participant_project_name: String,
    #[prost(string, tag = "5")]
    pub participant_site_name: String,
}

/// A device came, went or changed.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct DeviceEvent {
    #[prost(string, tag = "1")]
    pub device_uuid: String,
    /// 1 connected, 2 disconnected.
    #[prost(int32, tag = "2")]
    pub r#type: i32,
    #[prost(string, tag = "3")]
    pub device_name: String,
    #[prost(string, tag = "4")]
    pub device_status: String,
}

/// A line of a log.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct LogEvent {
    /// 1 fatal, 2 error, 3 critical, 4 warning, 5 info, 6 debug, 7 trace.
    #[prost(int32, tag = "1")]
    pub level: i32,
    /// Seconds since 1970.
    #[prost(double, tag = "2")]
    pub timestamp: f64,
    #[prost(string, tag = "3")]
    pub sender: String,
    #[prost(string, tag = "4")]
    pub message: String,
}

/// An invitation. The lists hold everybody in the session.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct JoinSessionEvent {
    #[prost(string, tag = "1")]
    pub session_url: String,
    #[prost(string, tag = "2")]
    pub session_creator_name: String,
    #[prost(string, tag = "3")]
    pub session_uuid: String,
    #[prost(string, repeated, tag = "4")]
    pub session_participants: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    pub session_users: Vec<String>,
    #[prost(string, repeated, tag = "6")]
    pub session_devices: Vec<String>,
    #[prost(string, tag = "7")]
    pub join_msg: String,
    #[prost(string, tag = "8")]
    pub session_parameters: String,
    #[prost(string, tag = "9")]
    pub service_uuid: String,
}

/// People have left a session.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct LeaveSessionEvent {
    #[prost(string, tag = "1")]
    pub session_uuid: String,
    #[prost(string, tag = "2")]
    pub service_uuid: String,
    #[prost(string, repeated, tag = "3")]
    pub leaving_participants: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    pub leaving_users: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    pub leaving_devices: Vec<String>,
}

/// Somebody was let in, or not.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct LoginEvent {
    #[prost(message, optional, tag = "1")]
    pub log_header: Option<LogEvent>,
    /// 1: by token.
    #[prost(int32, tag = "2")]
    pub login_type: i32,
    /// 6: the token is invalid.
    #[prost(int32, tag = "3")]
    pub login_status: i32,
    #[prost(string, tag = "4")]
    pub client_name: String,
    #[prost(string, tag = "5")]
    pub client_version: String,
    #[prost(string, tag = "6")]
    pub client_ip: String,
    #[prost(string, tag = "7")]
    pub os_name: String,
    #[prost(string, tag = "8")]
    pub os_version: String,
    #[prost(string, tag = "9")]
    pub user_uuid: String,
    #[prost(string, tag = "10")]
    pub participant_uuid: String,
    #[prost(string, tag = "11")]
    pub device_uuid: String,
    #[prost(string, tag = "12")]
    pub service_uuid: String,
    #[prost(string, tag = "13")]
    pub server_endpoint: String,
}

macro_rules! named {
    ($($name:ident)*) => {$(
        impl Named for $name {
            const NAME: &'static str = stringify!($name);
        }
    )*};
}

named! { JoinSessionReplyEvent StopSessionEvent UserEvent ParticipantEvent DeviceEvent LogEvent JoinSessionEvent LeaveSessionEvent LoginEvent }

/// What users, participants, devices and logs get: events under a topic.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct TeraEvent {
    #[prost(message, optional, tag = "1")]
    pub header: Option<EventHeader>,
    #[prost(message, repeated, tag = "2")]
    pub events: Vec<Any>,
}

/// The header of a [`TeraEvent`].
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct EventHeader {
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Seconds since 1970.
    #[prost(double, tag = "2")]
    pub time: f64,
    #[prost(string, tag = "3")]
    pub topic: String,
}

/// What modules of the server get.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct TeraModuleMessage {
    #[prost(message, optional, tag = "1")]
    pub head: Option<ModuleHeader>,
    #[prost(message, repeated, tag = "2")]
    pub data: Vec<Any>,
}

/// The header of a [`TeraModuleMessage`].
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct ModuleHeader {
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Seconds since 1970.
    #[prost(double, tag = "2")]
    pub time: f64,
    #[prost(uint32, tag = "3")]
    pub seq: u32,
    #[prost(string, tag = "4")]
    pub source: String,
    #[prost(string, tag = "5")]
    pub dest: String,
}

/// A call.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs, reason = "the fields are OpenTera's and say what they hold")]
pub struct RpcMessage {
    #[prost(string, tag = "1")]
    pub method: String,
    #[prost(string, tag = "2")]
    pub reply_to: String,
    #[prost(uint64, tag = "3")]
    pub id: u64,
    /// Seconds since 1970.
    #[prost(double, tag = "4")]
    pub timestamp: f64,
    #[prost(message, repeated, tag = "5")]
    pub args: Vec<Value>,
}

/// An argument of a call.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// `None`: the caller set no member, which is an error.
    #[prost(oneof = "ArgValue", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub arg_value: Option<ArgValue>,
}

/// A member at its default counts as set.
#[derive(Clone, PartialEq, Oneof)]
#[allow(missing_docs, reason = "the names are OpenTera's")]
pub enum ArgValue {
    #[prost(double, tag = "1")]
    Double(f64),
    #[prost(float, tag = "2")]
    Float(f32),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(uint64, tag = "4")]
    Uint(u64),
    #[prost(bool, tag = "5")]
    Bool(bool),
    #[prost(bytes = "vec", tag = "6")]
    Bytes(Vec<u8>),
    #[prost(string, tag = "7")]
    String(String),
}
