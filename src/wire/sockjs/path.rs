//! The addresses below a service's prefix.

/// The longest callback name.
const CALLBACK_CHARACTERS: usize = 32;

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// Says that a service is here.
    Greeting,
    /// What the service can do.
    Info,
    /// The helper page of the iframe transports.
    Iframe,
    /// WebSocket without framing.
    RawWebSocket,
    /// WebSocket with framing. Its session id means nothing.
    WebSocket,
    /// Of a session.
    Session(&'a str, Polled),
}

/// The transports that a session is polled by, and its ways in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// `xhr`
    Xhr,
    /// `xhr_streaming`
    XhrStreaming,
    /// `eventsource`
    EventSource,
    /// `htmlfile`
    HtmlFile,
    /// `jsonp`
    Jsonp,
    /// `xhr_send`
    XhrSend,
    /// `jsonp_send`
    JsonpSend,
}

impl<'a> Route<'a> {
    /// What follows the prefix, undecoded. `None`: no such address.
    pub fn parse(path: &'a str) -> Option<Self> {
        if path.is_empty() || path == "/" {
            return Some(Self::Greeting);
        }
        let path = path.strip_prefix('/')?;
        let mut parts = path.strip_suffix('/').unwrap_or(path).split('/');
        let route = match (parts.next()?, parts.next(), parts.next()) {
            ("info", None, _) => Self::Info,
            ("websocket", None, _) => Self::RawWebSocket,
            (page, None, _) if is_iframe(page) => Self::Iframe,
            (server, Some(session), Some(transport)) if is_part(server) && is_part(session) => match transport {
                "websocket" => Self::WebSocket,
                "xhr" => Self::Session(session, Polled::Xhr),
                "xhr_streaming" => Self::Session(session, Polled::XhrStreaming),
                "eventsource" => Self::Session(session, Polled::EventSource),
                "htmlfile" => Self::Session(session, Polled::HtmlFile),
                "jsonp" => Self::Session(session, Polled::Jsonp),
                "xhr_send" => Self::Session(session, Polled::XhrSend),
                "jsonp_send" => Self::Session(session, Polled::JsonpSend),
                _ => return None,
            },
            _ => return None,
        };
        parts.next().is_none().then_some(route)
    }
}

fn is_part(text: &str) -> bool {
    !text.is_empty() && !text.contains('.')
}

fn is_iframe(page: &str) -> bool {
    let version = page.strip_prefix("iframe").and_then(|rest| rest.strip_suffix(".html"));
    version.is_some_and(|version| {
        version.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'.' | b'_'))
    })
}

/// Why a callback is refused. `Display` is the body of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// None given.
    #[error("\"callback\" parameter required")]
    Missing,
    /// Not a name that may be written into a script.
    #[error("invalid \"callback\" parameter")]
    Invalid,
}

/// Checks the name of a function that will be called.
///
/// # Errors
/// A missing name, or one with other characters than `[a-zA-Z0-9-_.]`, or too long.
pub fn callback(name: Option<&str>) -> Result<&str, CallbackError> {
    let name = name.filter(|name| !name.is_empty()).ok_or(CallbackError::Missing)?;
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if fits && name.len() <= CALLBACK_CHARACTERS { Ok(name) } else { Err(CallbackError::Invalid) }
}
