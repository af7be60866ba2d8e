//! The configuration: its file, the environment, and what is made of OpenTera's file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toml::Table;
use viderehab_fuzz::config::{Config, load};
use viderehab_fuzz::import;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(config) = toml::from_str::<Config>(text) {
        let written = toml::to_string(&config).expect("TOML");
        assert!(toml::from_str::<Config>(&written).expect("the same") == config);
        let token = &config.server.admin_token;
        if token.len() > 16 && !text.replacen(token.as_str(), "", 1).contains(token.as_str()) {
            assert!(!format!("{config:?}").contains(token.as_str()), "a secret is shown");
        }
    }
    let variables = text.lines().filter_map(|line| line.split_once('='));
    let variables: Vec<_> = variables.map(|(name, value)| (format!("VIDEREHAB_{name}").into(), value.into())).collect();
    if let Err(error) = load(None, variables.into_iter()) {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(toml) = import::convert("file", text) {
        imported(&toml);
    }
});

/// The values are the file's, but the keys are ours: nothing in it writes a line of its own.
fn imported(toml: &str) {
    let table: Table = toml::from_str(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
    let keys = |path: &[&str]| {
        let table = path.iter().fold(&table, |table, name| table[*name].as_table().expect("a section"));
        let mut keys: Vec<_> = table.keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys.join(" ")
    };
    assert_eq!(keys(&[]), "opentera server webrtc");
    assert_eq!(keys(&["server"]), "listen");
    assert_eq!(keys(&["webrtc"]), "bind external_port hostname ice_servers local_base_port max_sessions");
    assert_eq!(keys(&["opentera"]), "backend redis service_name");
    assert_eq!(keys(&["opentera", "backend"]), "ca_file hostname port verify");
    assert_eq!(keys(&["opentera", "redis"]), "db hostname password port username");
}
