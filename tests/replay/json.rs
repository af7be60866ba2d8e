//! Comparing JSON as values: order of members, white space, escapes and the writing of numbers do
//! not matter.

use serde_json::{Number, Value};

use super::outcome::differ;
use super::placeholders::Names;

/// Reads a recorded text as JSON; a placeholder may stand where a value would.
pub fn read(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| {
        let quoted = text.replace(":<", ":\"<").replace(">,", ">\",").replace(">}", ">\"}");
        serde_json::from_str(&quoted).ok()
    })
}

/// Compares two values. Texts of the expected one may be placeholders.
pub fn same(expected: &Value, actual: &Value, names: &mut Names) -> Result<(), String> {
    compare(expected, actual, names)
        .map_err(|place| format!("{} ({place})", differ(&expected.to_string(), &actual.to_string())))
}

fn compare(expected: &Value, actual: &Value, names: &mut Names) -> Result<(), String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            if let Some(name) = actual.keys().find(|name| !expected.contains_key(*name)) {
                return Err(format!("unexpected member {name}"));
            }
            for (name, expected) in expected {
                let actual = actual.get(name).ok_or_else(|| format!("no member {name}"))?;
                compare(expected, actual, names).map_err(|place| format!("{name}: {place}"))?;
            }
            Ok(())
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            expected.iter().zip(actual).try_for_each(|(expected, actual)| compare(expected, actual, names))
        }
        (Value::Number(expected), Value::Number(actual)) if equal(expected, actual) => Ok(()),
        (Value::String(expected), Value::String(actual)) => names.agree(expected, actual),
        (Value::String(expected), actual) if Names::alone(expected).is_some() => {
            names.accept(Names::alone(expected).unwrap_or_default(), &actual.to_string())
        }
        (expected, actual) if expected == actual => Ok(()),
        (expected, actual) => Err(format!("{expected} is not {actual}")),
    }
}

/// 1e3 is 1000: only what both are as numbers counts.
fn equal(one: &Number, other: &Number) -> bool {
    one == other || one.as_f64() == other.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(expected: &str, actual: &str) -> Result<(), String> {
        same(&read(expected).expect("JSON"), &read(actual).expect("JSON"), &mut Names::default())
    }

    #[test]
    fn writing_does_not_matter() {
        assert_eq!(agree(r#"{"a":[1,2.5,1000],"b":"é"}"#, r#"{ "b": "\u00e9", "a": [1, 2.50, 1e3] }"#), Ok(()));
    }

    #[test]
    fn values_matter() {
        for (expected, actual) in [
            ("1", "\"1\""),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            ("{}", "{\"a\":1}"),
            ("{\"a\":1}", "{}"),
            ("null", "0"),
        ] {
            assert!(agree(expected, actual).is_err(), "{expected} and {actual}");
        }
    }

    #[test]
    fn a_placeholder_may_stand_for_a_number() {
        assert_eq!(agree(r#"{"entropy":<ENTROPY>}"#, r#"{"entropy":7}"#), Ok(()));
        assert!(agree(r#"{"entropy":<ENTROPY>}"#, r#"{"entropy":-7}"#).is_err());
    }
}
