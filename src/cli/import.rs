//! `viderehab import VideoRehabService.json`: the configuration of OpenTera's VideoRehab service as
//! a `config.toml`.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value};

/// Why a configuration cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{0}: {1}")]
    Unreadable(String, std::io::Error),
    /// The file is no JSON object.
    #[error("{0}: {1}")]
    NotJson(String, String),
    /// A member that must be there is not, or is of the wrong type.
    #[error("{0} is missing or not {1}")]
    Member(String, &'static str),
}

/// Reads the file and writes the equivalent `config.toml`.
///
/// # Errors
/// See [`ImportError`].
pub fn import(path: &Path) -> Result<String, ImportError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ImportError::Unreadable(name.clone(), error))?;
    convert(&name, &text)
}

/// Likewise, of the text of a file that is called `name`.
///
/// # Errors
/// See [`ImportError`].
pub fn convert(name: &str, text: &str) -> Result<String, ImportError> {
    let not_json = |reason: String| ImportError::NotJson(name.to_owned(), reason);
    let whole: Value = serde_json::from_str(text).map_err(|error| not_json(error.to_string()))?;
    converted(whole.as_object().ok_or_else(|| not_json("not an object".to_owned()))?)
}

/// A section of the JSON file.
struct Section<'a> {
    name: &'static str,
    members: &'a Map<String, Value>,
}

impl<'a> Section<'a> {
    fn of(whole: &'a Map<String, Value>, name: &'static str) -> Result<Self, ImportError> {
        let members = whole.get(name).and_then(Value::as_object);
        Ok(Self { name, members: members.ok_or_else(|| ImportError::Member(name.to_owned(), "an object"))? })
    }

    fn plain(&self, member: &str) -> Result<&'a str, ImportError> {
        let text = self.members.get(member).and_then(Value::as_str);
        text.ok_or_else(|| ImportError::Member(format!("{}.{member}", self.name), "a text"))
    }

    /// A text, as TOML writes it.
    fn text(&self, member: &str) -> Result<String, ImportError> {
        Ok(toml::Value::String(self.plain(member)?.to_owned()).to_string())
    }

    /// A text that is only told of, in a comment.
    fn told(&self, member: &str) -> Result<String, ImportError> {
        Ok(one_line(&Value::from(self.plain(member)?).to_string()))
    }

    fn number(&self, member: &str) -> Result<u64, ImportError> {
        let number = self.members.get(member).and_then(Value::as_u64);
        number.ok_or_else(|| ImportError::Member(format!("{}.{member}", self.name), "a number"))
    }

    fn number_or(&self, member: &str, otherwise: u64) -> Result<u64, ImportError> {
        if self.members.contains_key(member) { self.number(member) } else { Ok(otherwise) }
    }
}

/// What can stand in a comment and not end it.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// What each section may hold.
const KNOWN: [(&str, &[&str]); 4] = [
    ("Service", &["name", "hostname", "port", "debug_mode"]),
    ("Backend", &["hostname", "port"]),
    ("Redis", &["hostname", "port", "db", "username", "password"]),
    (
        "WebRTC",
        &["hostname", "external_port", "local_base_port", "max_sessions", "working_directory", "executable", "script"],
    ),
];

fn converted(whole: &Map<String, Value>) -> Result<String, ImportError> {
    let (service, backend) = (Section::of(whole, "Service")?, Section::of(whole, "Backend")?);
    let (redis, webrtc) = (Section::of(whole, "Redis")?, Section::of(whole, "WebRTC")?);
    let toml = format!(
        r##"# Made from the configuration of OpenTera's VideoRehab service.

[server]
listen = "0.0.0.0:{listen}"   # Service.port, on all interfaces as before; 127.0.0.1 is enough behind a proxy on this machine
# Service.hostname = {service_hostname}: no longer applies; the server's record of the service was used in its place
# Service.debug_mode = {debug}: no longer applies; the environment's RUST_LOG=debug tells more

[webrtc]
hostname = {hostname}
external_port = {external_port}
local_base_port = {local_base_port}
max_sessions = {max_sessions}
bind = "0.0.0.0"              # as the old engine did; 127.0.0.1 is enough behind a proxy on this machine
# working_directory = {working_directory}   # our own pages are built in; with this, its static/ and protected/ are served instead
# executable = {executable}   # no longer applies: the engine is built in. With these three,
# script = {script}   # each session is served by a process of the old engine instead.
# The old engine told browsers of these unless its directory had an ice_servers.json: put that list here if there is one.
ice_servers = [{{urls = ["stun:stun.l.google.com:19302"]}}, {{urls = ["stun:stun.sipgate.net"]}}]

[opentera]
service_name = {service_name}

[opentera.backend]
hostname = {backend_hostname}
port = {backend_port}
ca_file = ""                  # the CA (or the certificate itself) that the server's certificate is checked by
verify = false                # as before, when any certificate was believed; name the CA above and make this true

[opentera.redis]
hostname = {redis_hostname}
port = {redis_port}
db = {db}
username = {username}
password = {password}
"##,
        listen = service.number("port")?,
        service_hostname = service.told("hostname")?,
        debug = one_line(&service.members.get("debug_mode").unwrap_or(&Value::Bool(false)).to_string()),
        hostname = webrtc.text("hostname")?,
        external_port = webrtc.number_or("external_port", 0)?,
        local_base_port = webrtc.number_or("local_base_port", 8080)?,
        max_sessions = webrtc.number_or("max_sessions", 50)?,
        working_directory = webrtc.told("working_directory")?,
        executable = webrtc.told("executable")?,
        script = webrtc.told("script")?,
        service_name = service.text("name")?,
        backend_hostname = backend.text("hostname")?,
        backend_port = backend.number("port")?,
        redis_hostname = redis.text("hostname")?,
        redis_port = redis.number("port")?,
        db = redis.number("db")?,
        username = redis.text("username")?,
        password = redis.text("password")?,
    );
    Ok(toml + &unknown(whole))
}

/// A comment for each member that has no meaning here.
fn unknown(whole: &Map<String, Value>) -> String {
    let mut comments = String::new();
    for (section, value) in whole {
        let known = KNOWN.iter().find(|(name, _)| name == section).map_or(&[][..], |(_, members)| *members);
        let members = value.as_object().into_iter().flatten();
        for (member, value) in members.filter(|(member, _)| !known.contains(&member.as_str())) {
            let told = one_line(&format!("# {section}.{member} = {value}: has no meaning here"));
            // Writing to a String does not fail.
            let _ = write!(comments, "\n{told}");
        }
    }
    if comments.is_empty() { comments } else { comments + "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use serde_json::json;

    fn shipped() -> Value {
        json!({
            "Service": {"name": "VideoRehabService", "hostname": "127.0.0.1", "port": 4070, "debug_mode": true},
            "Backend": {"hostname": "tera.example", "port": 40075},
            "Redis": {"hostname": "127.0.0.1", "port": 6379, "db": 3, "username": "", "password": "a\"b\n"},
            "WebRTC": {
                "hostname": "clinic.example", "external_port": 443, "local_base_port": 9080, "max_sessions": 7,
                "working_directory": "../../../easyrtc", "executable": "node", "script": "server.js", "colour": "red\n",
            },
        })
    }

    #[test]
    fn what_is_written_is_a_configuration_that_says_the_same() {
        let toml = converted(shipped().as_object().unwrap()).unwrap();
        let config: Config = toml::from_str(&toml).unwrap();
        let opentera = config.opentera.as_ref().unwrap();
        assert_eq!(config.server.listen.to_string(), "0.0.0.0:4070");
        assert_eq!(config.public_base(1), "https://clinic.example:443");
        assert_eq!((config.webrtc.local_base_port, config.webrtc.max_sessions), (9080, 7));
        assert_eq!(config.webrtc.ice_servers.len(), 2);
        assert!(config.webrtc.executable.is_empty() && config.webrtc.working_directory.is_empty());
        assert_eq!((opentera.backend.hostname.as_str(), opentera.backend.verify), ("tera.example", false));
        assert_eq!((opentera.redis.db, opentera.redis.password.as_str()), (3, "a\"b\n"));
        assert!(toml.contains(r#"# WebRTC.colour = "red\n": has no meaning here"#), "{toml}");
    }

    /// TOML writes a text of several lines in several lines.
    #[test]
    fn nothing_writes_a_line_of_its_own() {
        let mut whole = shipped();
        whole["Service"]["hostname"] = json!("x\n[server]\u{7f}");
        whole["Service"]["debug_mode"] = json!("\u{7f}");
        for member in ["working_directory", "executable", "script", "a\nb = 1"] {
            whole["WebRTC"][member] = json!("a\"\nlisten = 1\r");
        }
        whole["c\nd"] = json!({"e\nf": 1});
        let toml = converted(whole.as_object().unwrap()).unwrap();
        let config: Config = toml::from_str(&toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
        assert_eq!(config.server.listen.to_string(), "0.0.0.0:4070");
    }

    #[test]
    fn a_member_that_is_missing_is_named() {
        for (section, member) in [("Service", "port"), ("Redis", "password"), ("WebRTC", "script")] {
            let mut whole = shipped();
            whole[section].as_object_mut().unwrap().remove(member);
            let error = converted(whole.as_object().unwrap()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{section}.{member} ")), "{error}");
        }
        let mut whole = shipped();
        whole.as_object_mut().unwrap().remove("Backend");
        assert!(converted(whole.as_object().unwrap()).unwrap_err().to_string().starts_with("Backend "));
    }
}
