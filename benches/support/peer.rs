//! What viderehab is measured beside: servers in processes of their own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A server's process. Dropping it ends the process.
pub struct Peer {
    process: Child,
    /// The first line that it printed: where it is.
    pub place: String,
}

impl Peer {
    /// Starts a program and waits for its first line.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_owned();
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = started.unwrap_or_else(|error| panic!("{}: {error}", name.display()));
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "{} says where it is", name.display());
        Self { process, place: line.trim().to_owned() }
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A file of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The version of a package that is installed in a folder.
pub fn version(folder: &Path, package: &str) -> String {
    let file = folder.join("node_modules").join(package).join("package.json");
    let text = std::fs::read_to_string(file)
        .unwrap_or_else(|_| panic!("{package} is not there: (cd {} && npm ci)", folder.display()));
    let package: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    package["version"].as_str().unwrap_or("?").to_owned()
}
