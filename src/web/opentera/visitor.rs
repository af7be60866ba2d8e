//! Who asks for a page: the token, whom it is of, and what the browser says of itself.

use ::redis::Cmd;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, USER_AGENT};

use crate::control::opentera::redis::Redis;
use crate::control::opentera::token::{self, Claims};
use crate::http::Request;
use crate::http::request::{cookie, query};
use crate::wire::manage::Role;
use crate::wire::opentera::messages::LoginEvent;

/// The cookie in which a token may come.
const COOKIE: &str = "OpenTera";

/// Which tokens a page takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Those that end: of users, devices, participants who logged in.
    Dynamic,
    /// Those that do not: of devices and participants.
    Static,
}

/// Somebody whose token is good.
pub(super) struct Visitor {
    pub(super) role: Role,
    pub(super) uuid: String,
    pub(super) token: String,
}

/// A kind of token: whose, the keys it may be signed with, and where those are that were logged out.
struct Signed {
    role: Role,
    keys: &'static str,
    disabled: Option<&'static str>,
    lasting: bool,
}

const DYNAMIC: [Signed; 3] = [
    Signed { role: Role::User, keys: "UserTokenAPIKey", disabled: Some("user_disabled_tokens"), lasting: false },
    Signed { role: Role::Device, keys: "DeviceTokenAPIKey", disabled: None, lasting: true },
    Signed {
        role: Role::Participant,
        keys: "ParticipantTokenAPIKey",
        disabled: Some("participant_disabled_tokens"),
        lasting: false,
    },
];

const STATIC: [Signed; 2] = [
    Signed { role: Role::Device, keys: "DeviceStaticTokenAPIKey", disabled: None, lasting: true },
    Signed { role: Role::Participant, keys: "ParticipantStaticTokenAPIKey", disabled: None, lasting: true },
];

/// The token of a request: from the header, the query or the cookie, in this order. A header of
/// another scheme is as if there were none; one of a single word is no token at all.
fn presented(request: &Request) -> Option<String> {
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
        if scheme == COOKIE {
            return Some(token.trim().to_owned());
        }
    }
    let token = query(request.uri(), "token").map(|token| token.into_owned());
    token.or_else(|| cookie(request.headers(), COOKIE).map(str::to_owned))
}

/// Who asks, if the token is good for this kind of page. The keys are read each time, since the
/// server makes new ones whenever it starts.
///
/// # Errors
/// Redis is away.
pub(super) async fn visitor(
    redis: &Redis,
    request: &Request,
    kind: Kind,
) -> Result<Option<Visitor>, redis::RedisError> {
    let Some(token) = presented(request) else { return Ok(None) };
    let signed = match kind {
        Kind::Dynamic => DYNAMIC.as_slice(),
        Kind::Static => STATIC.as_slice(),
    };
    for signed in signed {
        let key: Option<Vec<u8>> = redis.ask(&Cmd::get(signed.keys)).await?;
        let claims = key.and_then(|key| token::read(&token, &key, signed.lasting));
        let Some(uuid) = claims.and_then(|claims| uuid_of(claims, signed.role)) else { continue };
        if let Some(set) = signed.disabled
            && redis.ask(&Cmd::sismember(set, &token)).await?
        {
            continue;
        }
        return Ok(Some(Visitor { role: signed.role, uuid, token }));
    }
    Ok(None)
}

fn uuid_of(claims: Claims, role: Role) -> Option<String> {
    match role {
        Role::User => claims.user_uuid,
        Role::Participant => claims.participant_uuid,
        Role::Device => claims.device_uuid,
    }
}

/// A header whose name is written with hyphens or, as OpenTera's nginx sends some, underscores.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let spelled = |name: &HeaderName| name.as_str().replace('_', "-");
    let found = headers.iter().find(|(header, _)| spelled(header).eq_ignore_ascii_case(name));
    found.and_then(|(_, value)| value.to_str().ok()).filter(|value| !value.is_empty())
}

/// What the log says of a visitor who was refused, but for the time; what they sent as a token is
/// not in it. `endpoint`: the route, used where no proxy names its prefix.
pub(super) fn refused(headers: &HeaderMap, address: String, service_uuid: String, endpoint: &str) -> LoginEvent {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let (client_name, client_version) = browser(agent);
    let text = |name: &str, otherwise: String| header(headers, name).map_or(otherwise, str::to_owned);
    LoginEvent {
        login_type: 1,
        login_status: 6,
        client_name: text("x-client-name", client_name),
        client_version: text("x-client-version", client_version),
        client_ip: address,
        os_name: text("x-os-name", system(agent).to_owned()),
        os_version: text("x-os-version", String::new()),
        service_uuid,
        server_endpoint: text("x-script-name", endpoint.to_owned()),
        ..LoginEvent::default()
    }
}

/// The browser's name and version. Most name others too, so the order matters.
fn browser(agent: &str) -> (String, String) {
    let known = [("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Version/", "Safari")];
    let found = known.into_iter().find_map(|(mark, name)| Some((name.to_owned(), agent.split_once(mark)?.1)));
    let (name, version) = found.unwrap_or_else(|| {
        let (name, version) = agent.split_once('/').unwrap_or((agent, ""));
        let words = name.split('-').map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
        });
        (words.collect::<Vec<_>>().join(" "), version)
    });
    let version = version.split([' ', ';', ')']).next().unwrap_or_default();
    (name, version.split('.').take(2).collect::<Vec<_>>().join("."))
}

fn system(agent: &str) -> &'static str {
    let known = [
        ("Android", "Android"),
        ("iPhone", "iOS"),
        ("iPad", "iOS"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac OS X"),
        ("Linux", "Linux"),
    ];
    known.into_iter().find(|(mark, _)| agent.contains(mark)).map_or("Other", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart() {
        let named = |agent: &str| {
            let (name, version) = browser(agent);
            (name + " " + &version, system(agent))
        };
        for (agent, name, system) in [
            ("python-requests/2.34.1", "Python Requests 2.34", "Other"),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
                "Chrome 140.0",
                "Linux",
            ),
            ("Mozilla/5.0 (Windows NT 10.0; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox 130.0", "Windows"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 (KHTML) Version/18.1 Safari/604",
                "Safari 18.1",
                "iOS",
            ),
            ("", " ", "Other"),
        ] {
            assert_eq!(named(agent), (name.to_owned(), system), "{agent}");
        }
    }

    #[test]
    fn underscores_are_as_good_as_hyphens() {
        let headers = HeaderMap::from_iter([("x_externalserver".parse().unwrap(), "a.example".parse().unwrap())]);
        assert_eq!(header(&headers, "x-externalserver"), Some("a.example"));
        assert_eq!(header(&headers, "x-externalport"), None);
    }
}
