//! The program run as the doctor, and what it said.

use std::fs;
use std::process::Command;

use viderehab::config::Config;

use crate::machine::Directory;
use crate::server::TOKEN;

/// What the doctor said.
pub struct Report {
    pub code: Option<i32>,
    pub text: String,
}

impl Report {
    /// The finding that begins so and goes on with these words, with its fix.
    #[track_caller]
    pub fn says(&self, begin: &str, words: &str) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        let at = lines.iter().position(|line| line.starts_with(begin) && line.contains(words));
        let at = at.unwrap_or_else(|| panic!("no finding {begin} … {words} in\n{}", self.text));
        let fix = lines.get(at + 1).and_then(|line| line.strip_prefix("    fix: ")).unwrap_or_default();
        assert_eq!(fix.is_empty(), begin.starts_with("ok"), "{}", self.text);
        fix.to_owned()
    }

    #[track_caller]
    pub fn is_without_errors(&self) {
        assert!(self.code == Some(0) && !self.text.contains("\nerror"), "{}", self.text);
    }
}

/// Runs the program with this configuration, after what a shell is to do first. That may put other
/// programs before the command, `set -- program "$@"`.
pub async fn doctor_after(first: &str, config: &Config) -> Report {
    let directory = Directory::new();
    let file = directory.0.join("config.toml");
    fs::write(&file, toml::to_string(config).unwrap()).unwrap();
    let script = format!("set -- \"$0\" doctor --config \"$1\"\n{first}\nexec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_viderehab")]).arg(&file).env("RUST_LOG", "off");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in text.lines() {
        let begin = ["ok  ", "warning  ", "error  ", "    fix: "].into_iter().find(|begin| line.starts_with(begin));
        assert!(begin.is_some(), "{line}");
    }
    assert!(!text.contains(TOKEN) && !text.contains("a secret of"), "{text}");
    let errors = text.lines().filter(|line| line.starts_with("error  ")).count();
    assert_eq!(output.status.code(), Some(i32::from(errors > 0)), "{text}");
    Report { code: output.status.code(), text }
}

pub async fn doctor(config: &Config) -> Report {
    doctor_after("ulimit -n 4096", config).await
}
