//! What is the same up to what is new at each run: times, keys, ports, durations.

use std::collections::HashMap;

use serde_json::Value;

use super::super::outcome::differ;

/// How far a time may lie from now, in seconds.
const NOW: f64 = 60.0;

/// What the recorded names of things that are new at each run stand for, both ways.
#[derive(Default)]
pub struct Names {
    actual: HashMap<String, String>,
    recorded: HashMap<String, String>,
}

impl Names {
    /// Whether a recorded name may stand for an actual one: always the same.
    fn agree(&mut self, recorded: &str, actual: &str) -> bool {
        let one = self.actual.entry(recorded.to_owned()).or_insert_with(|| actual.to_owned());
        let other = self.recorded.entry(actual.to_owned()).or_insert_with(|| recorded.to_owned());
        one == actual && other == recorded
    }

    /// Ports come in the recorded order, too.
    fn ports_agree(&mut self, recorded: &str, actual: &str) -> bool {
        let (Ok(port), Ok(ours)) = (recorded.parse::<i32>(), actual.parse::<i32>()) else { return false };
        let key = |port: i32| format!("port {port}");
        let shifted = self.actual.iter().filter_map(|(recorded, actual)| {
            let number = |name: &str| name.strip_prefix("port ")?.parse::<i32>().ok();
            Some(number(recorded)? - number(actual)?)
        });
        let fits = shifted.collect::<Vec<_>>().iter().all(|shift| *shift == port - ours);
        fits && self.agree(&key(port), &key(ours))
    }
}

/// Compares a topic: that of a media process has the session key in it.
pub fn topic(expected: &str, actual: &str, names: &mut Names) -> bool {
    match (expected.strip_prefix("webrtc."), actual.strip_prefix("webrtc.")) {
        (Some(expected), Some(actual)) => names.agree(expected, actual),
        _ => expected == actual,
    }
}

/// Compares two values; the error says where they differ.
pub fn same(expected: &Value, actual: &Value, names: &mut Names) -> Result<(), String> {
    value("", expected, actual, names)
}

fn value(at: &str, expected: &Value, actual: &Value, names: &mut Names) -> Result<(), String> {
    let name = at.rsplit('.').next().unwrap_or_default();
    let wrong = || Err(format!("{at}: {}", differ(&expected.to_string(), &actual.to_string())));
    match (expected, actual) {
        (Value::Object(one), Value::Object(other)) => {
            // An extra of ours in replies.
            let extra = other.keys().find(|name| !one.contains_key(*name) && *name != "session_invitees");
            if let Some(extra) = extra {
                return Err(format!("{at}: unexpected member {extra}"));
            }
            one.iter().try_for_each(|(name, expected)| {
                let actual = other.get(name).ok_or_else(|| format!("{at}: no member {name}"))?;
                value(&format!("{at}.{name}"), expected, actual, names)
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => one
            .iter()
            .zip(other)
            .enumerate()
            .try_for_each(|(index, (expected, actual))| value(&format!("{at}[{index}]"), expected, actual, names)),
        (Value::String(one), Value::String(other)) if text(name, one, other, names) => Ok(()),
        (Value::Number(_), Value::Number(other)) if matches!(name, "time" | "timestamp") => {
            let now = jiff::Timestamp::now().as_second() as f64;
            if other.as_f64().is_some_and(|time| (time - now).abs() < NOW) { Ok(()) } else { wrong() }
        }
        // A replay is quicker than people were.
        (Value::Number(one), Value::Number(other)) if name == "session_duration" => {
            let fits = other.as_i64().is_some_and(|actual| (0..=one.as_i64().unwrap_or(0)).contains(&actual));
            if fits { Ok(()) } else { wrong() }
        }
        (one, other) if one == other => Ok(()),
        _ => wrong(),
    }
}

fn text(name: &str, expected: &str, actual: &str, names: &mut Names) -> bool {
    match name {
        "session_key" => names.agree(expected, actual),
        // It quotes an answer, whose white space is the stand-in's.
        "error_text" => expected.replace(' ', "") == actual.replace(' ', ""),
        // Free, but there.
        "message" => !actual.is_empty(),
        "session_event_datetime" if !expected.contains('T') => {
            let shape = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
            shape(expected) == shape(actual)
        }
        _ if name.starts_with("session_url") => address(expected, actual, names),
        _ => expected == actual,
    }
}

/// A session's URL: the port as the pool gives them, any key where one is expected.
fn address(expected: &str, actual: &str, names: &mut Names) -> bool {
    let parts = |url: &str| {
        let (before, rest) = url.split_once("/webrtc/")?;
        let (port, rest) = rest.split_once('/')?;
        let (page, key) = rest.split_once("?key=")?;
        Some([before, port, page, key].map(str::to_owned))
    };
    match (parts(expected), parts(actual)) {
        (Some([before, port, page, _]), Some([our_before, our_port, our_page, key])) => {
            before == our_before && page == our_page && key.len() >= 22 && names.ports_agree(&port, &our_port)
        }
        _ => expected == actual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ports_keep_their_order_and_keys_their_place() {
        let mut names = Names::default();
        let url = |port: u16, key: &str| json!({"session_url": format!("https://h:1/webrtc/{port}/users?key={key}")});
        let key = "0123456789012345678901";
        assert_eq!(same(&url(8080, "x"), &url(9000, key), &mut names), Ok(()));
        assert_eq!(same(&url(8081, "x"), &url(9001, key), &mut names), Ok(()));
        assert!(same(&url(8080, "x"), &url(9001, key), &mut names).is_err());
        assert!(same(&url(8082, "x"), &url(9004, key), &mut names).is_err());
        assert!(same(&url(8080, "x"), &url(9000, "short"), &mut names).is_err());
        let named = |key: &str| json!({ "session_key": key });
        assert_eq!(same(&named("a"), &named("b"), &mut names), Ok(()));
        assert!(same(&named("a"), &named("c"), &mut names).is_err());
    }

    #[test]
    fn times_are_of_now_and_the_rest_is_as_it_is() {
        let mut names = Names::default();
        assert!(same(&json!({"time": 1.0}), &json!({"time": 1.0}), &mut names).is_err());
        assert!(same(&json!({"a": 1}), &json!({"a": 1, "b": 1}), &mut names).is_err());
        assert!(same(&json!([1, 2]), &json!([2, 1]), &mut names).is_err());
    }
}
