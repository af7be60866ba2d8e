//! The admin token: made at first start, kept beside the store, asked for by RPC, API and dashboard.

use std::io::{self, Read, Write};
use std::path::Path;

use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{HeaderMap, Method};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use subtle::ConstantTimeEq;

use crate::config::Config;
use crate::http::origin::{Origin, Origins};
use crate::http::request::cookie;
use crate::private;
use crate::session::keys::Key;

/// The dashboard's cookie.
pub const COOKIE: &str = "viderehab_admin";

/// The file in `data_dir`.
const FILE: &str = "admin_token";

/// Checks who may command.
pub struct Admin {
    token: String,
    /// The origins whose pages may use the cookie: ours alone.
    own: Origins,
}

impl Admin {
    /// Takes the token from the configuration, else from `data_dir`, else makes one and keeps it there.
    ///
    /// # Errors
    /// A file that cannot be read or written, named in the error.
    pub fn load(config: &Config, own: Origins) -> io::Result<Self> {
        let directory = &config.server.data_dir;
        let token = if !config.server.admin_token.is_empty() {
            config.server.admin_token.clone()
        } else if directory.is_empty() {
            Key::random().reveal().to_owned()
        } else {
            let path = Path::new(directory).join(FILE);
            kept(&path).map_err(|error| {
                io::Error::new(error.kind(), format!("server.data_dir: {}: {error}", path.display()))
            })?
        };
        Ok(Self { token, own })
    }

    /// The token as it stands in a URL or a cookie.
    pub fn encoded(&self) -> String {
        utf8_percent_encode(&self.token, NON_ALPHANUMERIC).to_string()
    }

    /// Whether this is the token.
    pub fn is_token(&self, presented: &str) -> bool {
        self.token.as_bytes().ct_eq(presented.as_bytes()).into()
    }

    /// Whether a request carries the token, or the cookie from a page of ours. A request that
    /// changes something must say by its Origin that it comes from one.
    pub fn allows(&self, method: &Method, headers: &HeaderMap) -> bool {
        if let Some(header) = headers.get(AUTHORIZATION) {
            return self.is_bearer(header);
        }
        let ours = match self.own.judge(headers) {
            Origin::Allowed(_) => true,
            Origin::Absent => method.is_safe(),
            Origin::Foreign => false,
        };
        ours && self.has_cookie(headers)
    }

    /// Whether a request carries another token than ours.
    pub fn is_wrong(&self, headers: &HeaderMap) -> bool {
        match headers.get(AUTHORIZATION) {
            Some(header) => !self.is_bearer(header),
            None => cookie(headers, COOKIE).is_some_and(|value| !value.is_empty()) && !self.has_cookie(headers),
        }
    }

    fn is_bearer(&self, header: &HeaderValue) -> bool {
        let token = header.to_str().ok().and_then(|header| header.strip_prefix("Bearer "));
        token.is_some_and(|token| self.is_token(token.trim()))
    }

    /// Whether a request carries the dashboard's cookie.
    pub fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let decoded = cookie(headers, COOKIE).map(|value| percent_decode_str(value).decode_utf8_lossy());
        decoded.is_some_and(|token| self.is_token(&token))
    }
}

/// The token of the server that this configuration describes, if it can be known without one.
pub fn known_token(config: &Config) -> Option<String> {
    let server = &config.server;
    if !server.admin_token.is_empty() {
        return Some(server.admin_token.clone());
    }
    let kept = std::fs::read_to_string(Path::new(&server.data_dir).join(FILE)).ok()?;
    Some(kept.trim().to_owned()).filter(|token| !token.is_empty())
}

/// The kept token; a fresh one on first use, readable by its owner alone.
fn kept(path: &Path) -> io::Result<String> {
    let mut file = private::open(path)?;
    let mut token = String::new();
    file.read_to_string(&mut token)?;
    if token.trim().is_empty() {
        token = Key::random().reveal().to_owned();
        file.write_all(token.as_bytes())?;
        file.sync_all()?;
    }
    Ok(token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_token_is_kept_for_its_owner_alone() {
        let directory = std::env::temp_dir().join(format!("viderehab-admin-{}", std::process::id()));
        let mut config = Config::default();
        config.server.data_dir = directory.display().to_string();
        let first = Admin::load(&config, Origins::default()).unwrap().encoded();
        let again = Admin::load(&config, Origins::default()).unwrap();
        assert!(again.is_token(&first) && first.len() >= 22);
        let mode = std::fs::metadata(directory.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_cookie_works_from_our_own_pages_alone() {
        let mut config = Config::default();
        config.server.admin_token = "sixteen characters; or more".to_owned();
        let admin = Admin::load(&config, Origins::default()).unwrap();
        let ask = |method: Method, pairs: &[(&'static str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            admin.allows(&method, &HeaderMap::from_iter(pairs))
        };
        let carried = format!("{COOKIE}={}", admin.encoded());
        assert!(ask(Method::POST, &[("authorization", "Bearer sixteen characters; or more")]));
        assert!(!ask(Method::POST, &[("authorization", "Bearer wrong"), ("cookie", &carried)]));
        assert!(ask(Method::POST, &[("host", "a:1"), ("origin", "http://a:1"), ("cookie", &carried)]));
        assert!(!ask(Method::POST, &[("host", "a:1"), ("origin", "http://b:1"), ("cookie", &carried)]));
        assert!(!ask(Method::POST, &[("host", "a:1"), ("cookie", &carried)]));
        assert!(ask(Method::GET, &[("host", "a:1"), ("cookie", &carried)]));
        assert!(!ask(Method::GET, &[]));
    }
}
