//! The names in angle brackets that stand in recordings for what differs from run to run: ids, which
//! are the same whenever they come again, and times.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

/// What the placeholders of one replay stand for.
#[derive(Default)]
pub struct Names(HashMap<String, Value>);

impl Names {
    /// What a client sent, with the ids of this replay.
    pub fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill_text(text)),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, member)| (self.fill_text(name), self.fill(member))).collect()
            }
            other => other.clone(),
        }
    }

    /// Likewise in a text: only ids stand within; a placeholder for a time that a client sent is a text like others.
    pub fn fill_text(&self, text: &str) -> String {
        let ids = self.0.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
        ids.fold(text.to_owned(), |text, (name, id)| text.replace(name.as_str(), id))
    }

    /// Compares what was recorded with what came; key order and the writing of numbers do not matter.
    pub fn same(&mut self, expected: &Value, actual: &Value) -> Result<(), String> {
        let differ = || Err(format!("expected {expected}, got {actual}"));
        match (expected, actual) {
            (Value::Object(expected), Value::Object(actual)) => self.same_members(expected, actual),
            (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
                expected.iter().zip(actual).try_for_each(|(expected, actual)| self.same(expected, actual))
            }
            (Value::Number(expected), Value::Number(actual)) if same_number(expected, actual) => Ok(()),
            (Value::String(name), actual) if is_placeholder(name) => self.accept(name, actual),
            (Value::String(expected), Value::String(actual)) if self.fill_text(expected) == *actual => Ok(()),
            (expected, actual) if expected == actual => Ok(()),
            _ => differ(),
        }
    }

    fn same_members(&mut self, expected: &Map<String, Value>, actual: &Map<String, Value>) -> Result<(), String> {
        if let Some(unknown) = expected.keys().find(|name| is_placeholder(name) && !self.0.contains_key(*name)) {
            // The one that is new among those that came is the one that is new among the expected.
            let known: Vec<String> = expected.keys().map(|name| self.fill_text(name)).collect();
            let new = actual.keys().find(|name| !known.contains(name)).ok_or_else(|| format!("no {unknown}"))?;
            self.accept(unknown, &Value::String(new.clone()))?;
        }
        for (name, member) in expected {
            let name = self.fill_text(name);
            let got = actual.get(&name).ok_or_else(|| format!("no member {name}"))?;
            self.same(member, got).map_err(|wrong| format!("{name}: {wrong}"))?;
        }
        let surplus = actual.len() - expected.len();
        if surplus > 0 { Err(format!("{surplus} members too many")) } else { Ok(()) }
    }

    fn accept(&mut self, name: &str, actual: &Value) -> Result<(), String> {
        let is_time = !name.starts_with("<easyrtcid:");
        if is_time && !actual.is_u64() || !is_time && !actual.is_string() {
            return Err(format!("{actual} cannot be {name}"));
        }
        if matches!(name, "<serverTime>" | "<roomJoinTime>") {
            return Ok(());
        }
        match self.0.get(name) {
            Some(known) if known == actual => Ok(()),
            Some(known) => Err(format!("{name} was {known}, is {actual}")),
            None if !is_time && self.0.values().any(|other| other == actual) => {
                Err(format!("{actual} is {name} and another"))
            }
            None => {
                self.0.insert(name.to_owned(), actual.clone());
                Ok(())
            }
        }
    }
}

/// Whether a text is one placeholder and nothing else.
fn is_placeholder(text: &str) -> bool {
    let known = ["<easyrtcid:", "<roomJoinTime:", "<roomJoinTime>", "<serverTime>"];
    known.iter().any(|start| text.starts_with(start)) && text.find('>') == Some(text.len() - 1)
}

/// 1e3 is 1000: only what both are as numbers counts.
fn same_number(one: &Number, other: &Number) -> bool {
    one == other || one.as_f64() == other.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_is_the_same_whenever_it_comes() {
        let mut names = Names::default();
        let list = json!({"<easyrtcid:A>": {"easyrtcid": "<easyrtcid:A>", "roomJoinTime": "<roomJoinTime:A:r>"}});
        assert_eq!(names.same(&list, &json!({"x": {"easyrtcid": "x", "roomJoinTime": 7}})), Ok(()));
        assert!(names.same(&list, &json!({"x": {"easyrtcid": "x", "roomJoinTime": 8}})).is_err());
        assert!(names.same(&list, &json!({"y": {"easyrtcid": "y", "roomJoinTime": 7}})).is_err());
        assert!(names.same(&json!("<easyrtcid:B>"), &json!("x")).is_err(), "two clients of one id");
        assert_eq!(names.fill(&json!({"<easyrtcid:A>": ["<easyrtcid:A>_x"]})), json!({"x": ["x_x"]}));
        assert!(names.same(&json!({}), &json!({"a": 1})).is_err());
        assert!(names.same(&json!("<serverTime>"), &json!("7")).is_err());
    }
}
