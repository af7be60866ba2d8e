//! Reading the configuration from file and environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, OpenTera, Tls, Turn, validate};

/// What every environment variable that overrides a key begins with.
const PREFIX: &str = "VIDEREHAB_";

/// Why there is no configuration. Each names the file or the key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is no TOML, has an unknown key or a value of the wrong type.
    #[error("{}: {error}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What was wrong, with line and key.
        error: toml::de::Error,
    },
    /// A variable of the environment names no key, or its value does not fit the key.
    #[error("{variable}: {problem}")]
    Environment {
        /// The variable's name.
        variable: String,
        /// What was wrong.
        problem: String,
    },
    /// A value that makes no sense.
    #[error("{key}: {problem}")]
    Value {
        /// `section.key`.
        key: &'static str,
        /// What was wrong.
        problem: String,
    },
}

/// Reads the file, if one is named (else the built-in defaults), then what the environment says.
///
/// # Errors
/// The first thing that is wrong, see [`ConfigError`].
pub fn load(
    path: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    let mut config = match path {
        None => Config::default(),
        Some(path) => {
            let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
            let text = std::fs::read_to_string(path).map_err(unreadable)?;
            toml::from_str(&text).map_err(|error| ConfigError::Invalid { path: path.to_owned(), error })?
        }
    };
    // What other programs' variables hold is theirs; it need not even be text.
    let ours = environment.filter(|(variable, _)| variable.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    for (variable, value) in ours {
        let changed = match (variable.to_str(), value.to_str()) {
            (Some(variable), Some(value)) => overridden(&config, variable, value),
            _ => Err("is not UTF-8".to_owned()),
        };
        config = changed.map_err(|problem| {
            let variable = variable.to_string_lossy().into_owned();
            ConfigError::Environment { variable, problem }
        })?;
    }
    validate::validate(&config)?;
    Ok(config)
}

fn overridden(config: &Config, variable: &str, value: &str) -> Result<Config, String> {
    let name = variable[PREFIX.len()..].to_lowercase();
    let (sections, key) = name.rsplit_once("__").ok_or("is not of the form VIDEREHAB_SECTION__KEY")?;
    let sections: Vec<&str> = sections.split("__").collect();
    let no_key = || format!("there is no key {}", name.replace("__", "."));
    let value = match kind(&sections, key).ok_or_else(no_key)? {
        Value::String(_) => Value::String(value.to_owned()),
        _ => parsed(value).ok_or_else(|| format!("`{value}` is no value for {}", name.replace("__", ".")))?,
    };
    let mut table = Table::try_from(config).map_err(|error| error.to_string())?;
    let mut section = &mut table;
    for name in sections {
        let inner = section.entry(name).or_insert_with(|| Value::Table(Table::new()));
        section = inner.as_table_mut().ok_or_else(no_key)?;
    }
    section.insert(key.to_owned(), value);
    table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

/// A value of the type that a key has. Every key is there, also those that may be absent.
fn kind(sections: &[&str], key: &str) -> Option<Value> {
    let mut whole = Config { opentera: Some(OpenTera::default()), ..Config::default() };
    whole.webrtc.room_key = Some(true);
    whole.webrtc.turn = Some(Turn::default());
    whole.server.tls = Some(Tls::default());
    let mut table = &Table::try_from(whole).expect("the defaults are TOML");
    for section in sections {
        table = table.get(*section)?.as_table()?;
    }
    table.get(key).filter(|value| !value.is_table()).cloned()
}

fn parsed(value: &str) -> Option<Value> {
    toml::from_str::<Table>(&format!("value = {value}")).ok()?.remove("value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("viderehab-config-{}-{number}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let environment = environment.iter().map(|(variable, value)| (variable.into(), value.into()));
        let loaded = load(Some(&path), environment).map_err(|error| error.to_string());
        std::fs::remove_file(path).unwrap();
        loaded
    }

    #[test]
    fn the_shipped_file_equals_the_defaults() {
        assert_eq!(from(include_str!("../../config.toml"), &[]).unwrap(), Config::default());
    }

    #[test]
    fn the_environment_overrides_by_the_type_of_the_key() {
        let environment = [
            ("VIDEREHAB_SERVER__LISTEN", "[::1]:9"),
            ("VIDEREHAB_SERVER__ADMIN_TOKEN", "0123456789abcdef0123456789abcdef"),
            ("VIDEREHAB_WEBRTC__MAX_SESSIONS", "7"),
            ("VIDEREHAB_WEBRTC__ROOM_KEY", "false"),
            ("VIDEREHAB_SERVER__ALLOWED_ORIGINS", r#"["https://a.example"]"#),
            ("OTHER", "x"),
        ];
        let config = from("[webrtc]\nmax_sessions = 3", &environment).unwrap();
        assert_eq!(config.server.listen.to_string(), "[::1]:9");
        assert_eq!(config.server.admin_token, "0123456789abcdef0123456789abcdef");
        assert_eq!((config.webrtc.max_sessions, config.webrtc.room_key), (7, Some(false)));
        assert_eq!(config.server.allowed_origins, ["https://a.example"]);
    }

    #[test]
    fn opentera_may_come_from_the_environment_alone() {
        let environment = [
            ("VIDEREHAB_OPENTERA__BACKEND__HOSTNAME", "tera"),
            ("VIDEREHAB_OPENTERA__REDIS__PORT", "6380"),
            ("VIDEREHAB_OPENTERA__BACKEND__VERIFY", "false"),
        ];
        let config = from("", &environment).unwrap();
        let opentera = config.opentera.as_ref().unwrap();
        assert_eq!((opentera.backend.hostname.as_str(), opentera.redis.port), ("tera", 6380));
        assert!(!opentera.backend.verify && !config.room_key());
        assert_eq!(config.public_base(4070), "https://127.0.0.1:4070");
        assert!(from("", &[]).unwrap().room_key());
    }

    #[test]
    fn with_tls_everybody_comes_by_https() {
        let environment = [("VIDEREHAB_SERVER__TLS__CERT", "c.pem"), ("VIDEREHAB_SERVER__TLS__KEY", "k.pem")];
        let config = from("", &environment).unwrap();
        assert_eq!(config.server.tls, Some(Tls { cert: "c.pem".to_owned(), key: "k.pem".to_owned() }));
        assert!(config.is_secure() && !Config::default().is_secure());
        assert_eq!(config.public_base(4070), "https://127.0.0.1:4070");
    }

    #[test]
    fn errors_name_the_key() {
        for (text, environment, named) in [
            ("[server]\nlisten = 5", &[][..], "listen"),
            ("[server]\nlisten = \"nowhere\"", &[], "listen"),
            ("[webrtc]\nmax_session = 5", &[], "max_session"),
            ("[webrtc]\nmax_sessions = 0", &[], "webrtc.max_sessions"),
            ("[webrtc]\nlocal_base_port = 65500\nmax_sessions = 50", &[], "webrtc.local_base_port"),
            ("[webrtc]\nlocal_base_port = 0\nmax_sessions = 0", &[], "webrtc.max_sessions"),
            ("[webrtc]\nscript = \"server.js\"", &[], "webrtc.script"),
            ("[opentera.redis]\nprot = 1", &[], "prot"),
            ("[opentera]\nservice_name = \"\"", &[], "opentera.service_name"),
            ("[opentera.backend]\nca_file = \"/nonexistent.pem\"", &[], "opentera.backend.ca_file"),
            ("", &[("VIDEREHAB_OPENTERA__REDIS", "x")], "opentera.redis"),
            ("[webrtc.turn]\nsecret = \"x\"", &[], "webrtc.turn.urls"),
            ("[webrtc.turn]\nurls = [\"turn:x\"]", &[], "webrtc.turn.secret"),
            ("[webrtc]\nworking_directory = \"/nonexistent\"", &[], "webrtc.working_directory"),
            ("[server]\npublic_url = \"clinic.example\"", &[], "server.public_url"),
            ("[server]\nadmin_token = \"short\"", &[], "server.admin_token"),
            ("[server.tls]\ncert = \"c.pem\"", &[], "server.tls.key"),
            ("", &[("VIDEREHAB_SERVER__TLS__KEY", "k.pem")], "server.tls.cert"),
            ("[server]\npublic_url = \"http://a\"\ntls = {cert = \"c\", key = \"k\"}", &[], "server.public_url"),
            ("[limits]\nmessage_bytes = 10", &[], "limits.message_bytes"),
            ("[sessions]\ncreator_grace_secs = 9223372036854775807", &[], "sessions.creator_grace_secs"),
            ("[sessions]\nresume_grace_secs = 31536001", &[], "sessions.resume_grace_secs"),
            ("[limits]\nhandshake_secs = 31536001", &[], "limits.handshake_secs"),
            ("[limits]\nkeyless_secs = 31536001", &[], "limits.keyless_secs"),
            ("[limits]\nheartbeat_secs = 31536001", &[], "limits.heartbeat_secs"),
            ("[webrtc.turn]\nurls = [\"t\"]\nsecret = \"x\"\nttl_secs = 31536001", &[], "webrtc.turn.ttl_secs"),
            ("", &[("VIDEREHAB_WEBRTC__MAX_SESSIONS", "many")], "VIDEREHAB_WEBRTC__MAX_SESSIONS"),
            ("", &[("VIDEREHAB_WEBRTC__COLOUR", "red")], "webrtc.colour"),
            ("", &[("VIDEREHAB_LISTEN", "x")], "VIDEREHAB_LISTEN"),
        ] {
            let error = from(text, environment).expect_err(named);
            assert!(error.contains(named), "{error}");
        }
        let missing = load(Some(Path::new("/nonexistent/config.toml")), std::iter::empty()).unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/config.toml"));
    }

    #[test]
    fn secrets_are_masked() {
        let mut config = Config::default();
        config.server.admin_token = "0123456789abcdef".to_owned();
        config.webrtc.ice_servers = vec![super::super::IceServer {
            urls: vec!["turn:turn.example".to_owned()],
            username: "user".to_owned(),
            credential: "hidden".to_owned(),
        }];
        let redis = super::super::Redis { password: "hushed".to_owned(), ..Default::default() };
        config.opentera = Some(OpenTera { redis, ..OpenTera::default() });
        let shown = format!("{config:?}");
        config.webrtc.turn = Some(Turn { secret: "quiet".to_owned(), ..Turn::default() });
        let shown = format!("{config:?}") + &shown;
        assert!(!shown.contains("hushed") && !shown.contains("quiet"));
        assert!(shown.contains("********") && shown.contains("turn:turn.example"));
        assert!(!shown.contains("0123456789abcdef") && !shown.contains("hidden"));
    }
}
