//! Processes and what they use, by /proc.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The processor time that a process has used, its own and the system's for it.
pub fn cpu_time(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs").flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Resident memory in MB.
pub fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("kB") / 1024
}

/// The machine in a few words.
pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1)).unwrap_or("unknown");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} ({cores} cores), Linux {}", name.trim(), kernel.trim())
}

/// The open-easyrtc server of npm, as the end-to-end tests start it.
pub struct Node {
    pub address: SocketAddr,
    pub version: String,
    pub library: String,
    process: Child,
}

impl Node {
    pub fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
        let version = Command::new("node").arg("--version").output().expect("node is installed").stdout;
        let package = fs::read_to_string(folder.join("node_modules/open-easyrtc/package.json"))
            .expect("open-easyrtc is there: (cd tests/e2e && npm ci)");
        let package: serde_json::Value = serde_json::from_str(&package).expect("JSON");
        let mut process = Command::new("node")
            .args(["easyrtc/server.mjs", "."])
            .current_dir(folder)
            .env("NODE_ENV", "production")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is installed");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("its URL");
        let host = line.trim().strip_prefix("http://").and_then(|url| url.split('/').next()).expect("a URL");
        Self {
            address: host.parse().expect("an address"),
            version: String::from_utf8_lossy(&version).trim().to_owned(),
            library: package["version"].as_str().unwrap_or("?").to_owned(),
            process,
        }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
