//! Imports point one way: main → app, cli → web → control → manager → session → {transport, room} →
//! wire; config, metrics, http, tls, tasks, seconds, private, random and assets are leaves that any layer may use. A small check over the source.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and what of the crate it may name.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("room", &["wire"]),
    ("transport", &["wire", "http", "tasks", "seconds", "random"]),
    ("session", &["transport", "room", "wire", "config", "metrics", "http", "assets", "tasks", "random"]),
    ("manager", &["session", "room", "wire", "config", "http", "tasks", "private"]),
    ("control", &["manager", "session", "wire", "config", "http", "tls", "tasks", "private"]),
    ("web", &["control", "manager", "session", "wire", "config", "http", "assets"]),
    ("app", &["web", "control", "manager", "session", "config", "metrics", "http", "tls", "tasks"]),
    ("cli", &["app", "control", "session", "wire", "config", "http", "tls"]),
    ("config", &[]),
    ("metrics", &["room"]),
    ("http", &["tls", "tasks"]),
    ("tasks", &["seconds"]),
    ("seconds", &[]),
    ("random", &[]),
    ("private", &[]),
    ("tls", &["config"]),
    ("assets", &["http"]),
];

/// What the pure core may not know: clocks, sockets, locks, chance, the runtime.
const IMPURE: &[&str] =
    &["tokio", "hyper", "std::time", "std::net", "Mutex", "RwLock", "rand::", "Instant", "SystemTime", "tracing"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

/// Each file of `src/` with the name of its module.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root).into_iter();
    let named = files.map(|path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        let module = first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).unwrap();
        (module, path, text)
    });
    named.filter(|(module, ..)| module != "main" && module != "lib").collect()
}

fn breaches(module: &str, text: &str) -> Vec<String> {
    let allowed =
        MAY_NAME.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("{module} is in no layer")).1;
    let named = text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| {
        line.match_indices("crate::").map(|(at, prefix)| {
            let rest = &line[at + prefix.len()..];
            rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())].to_owned()
        })
    });
    named.filter(|other| other != module && !other.is_empty() && !allowed.contains(&other.as_str())).collect()
}

#[test]
fn imports_point_one_way() {
    let all = modules();
    assert!(all.len() > 20, "the sources were found");
    for (module, path, text) in all {
        assert_eq!(breaches(&module, &text), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn the_core_is_pure() {
    for (module, path, text) in modules() {
        let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
        if is_test || (module != "wire" && module != "room") {
            continue;
        }
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let impure = IMPURE.iter().find(|word| line.contains(**word));
            assert!(impure.is_none(), "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn files_are_one_noun_long() {
    for (_, path, text) in modules() {
        assert!(text.lines().count() <= 400, "{} has outgrown its noun", path.display());
    }
}

#[test]
fn a_breach_is_seen() {
    assert_eq!(breaches("wire", "use crate::session::Session;"), ["session"]);
    assert_eq!(breaches("transport", "    crate::room::Rooms::new()"), ["room"]);
    assert!(breaches("room", "// crate::session is above us").is_empty());
}
