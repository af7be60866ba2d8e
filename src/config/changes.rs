//! What two configurations differ in.

use toml::{Table, Value};

use super::Config;

impl Config {
    /// The names of the keys that are not as they were, `section.key`.
    pub fn changes(&self, other: &Config) -> Vec<String> {
        let table = |config: &Config| Table::try_from(config).expect("a configuration is TOML");
        let mut names = Vec::new();
        compare("", &table(self), &table(other), &mut names);
        names
    }
}

fn compare(section: &str, one: &Table, other: &Table, names: &mut Vec<String>) {
    let only_other = other.keys().filter(|key| !one.contains_key(*key));
    for key in one.keys().chain(only_other) {
        let name = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
        match (one.get(key), other.get(key)) {
            (Some(Value::Table(one)), Some(Value::Table(other))) => compare(&name, one, other, names),
            (one, other) if one != other => names.push(name),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named() {
        let (one, mut other) = (Config::default(), Config::default());
        assert_eq!(one.changes(&other), Vec::<String>::new());
        other.webrtc.max_sessions += 1;
        other.server.admin_token = "x".to_owned();
        other.opentera = Some(crate::config::OpenTera::default());
        let mut names = one.changes(&other);
        names.sort();
        assert_eq!(names, ["opentera", "server.admin_token", "webrtc.max_sessions"]);
    }
}
