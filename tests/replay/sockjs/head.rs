//! Comparing status and headers of an answer.

use serde_json::Value;

use crate::replay::http::Head;
use crate::replay::placeholders::Names;

/// Headers that recordings leave out: they belong to the connection or to the moment.
const LEFT_OUT: [&str; 3] = ["connection", "date", "keep-alive"];
/// Headers that say where the body ends.
const FRAMING: [&str; 2] = ["transfer-encoding", "content-length"];

/// Compares an answer's head with the payload of its recorded entry. No header may be missing and
/// none may be there besides: "no Expires", "no Content-Type" are part of the protocol.
pub fn compare(recorded: &Value, method: &str, head: &Head, names: &mut Names) -> Result<(), String> {
    let status = recorded["status"].as_u64().unwrap_or(0);
    if status != u64::from(head.status) {
        return Err(format!("expected status {status}, got {}", head.status));
    }
    let nothing = serde_json::Map::new();
    let headers = recorded["headers"].as_object().unwrap_or(&nothing);
    framing(headers, method, head)?;
    let compared = |name: &&str| !LEFT_OUT.contains(name) && !FRAMING.contains(name);
    for (name, value) in headers.iter().filter(|(name, _)| compared(&name.as_str())) {
        let came = head.header(name).ok_or_else(|| format!("no header {name}"))?;
        let value = value.as_str().unwrap_or_default();
        names.agree(value, &came).map_err(|differ| format!("header {name}: {differ}"))?;
    }
    match head.headers.iter().map(|(name, _)| name.as_str()).filter(compared).find(|name| !headers.contains_key(*name))
    {
        Some(name) => Err(format!("unexpected header {name}: {}", head.header(name).unwrap_or_default())),
        None => Ok(()),
    }
}

/// A chunked body may be one of known length; the number itself shows in the body.
fn framing(headers: &serde_json::Map<String, Value>, method: &str, head: &Head) -> Result<(), String> {
    let [chunked, length] = FRAMING.map(|name| head.header(name).is_some());
    let [chunks_recorded, length_recorded] = FRAMING.map(|name| headers.contains_key(name));
    let fits = match (chunks_recorded, length_recorded) {
        (true, _) => chunked || length,
        (false, true) => length,
        // An answer to HEAD may say how long the body would be.
        (false, false) => method == "HEAD" || !(chunked || length),
    };
    if fits { Ok(()) } else { Err(format!("wrong headers about the body's length: {:?}", head.headers)) }
}
