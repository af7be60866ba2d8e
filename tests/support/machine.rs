//! What a test needs of the machine: a directory, and to know what it may do there.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of a test, gone when dropped.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("viderehab-directory-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The system cleans up what is left.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether this machine lets a test make its fault, as a shell's line finds out.
pub fn can(what: &str, line: &str) -> bool {
    has(what, Command::new("sh").args(["-c", line]).output().unwrap().status.success())
}

/// Likewise, as is known already. If not, the tests' log says what is lacking, captured or not.
pub fn has(what: &str, has: bool) -> bool {
    if !has {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        std::io::stderr().write_all(format!("skipped: {name} needs {what}\n").as_bytes()).unwrap();
    }
    has
}

/// What a shell is to do first so that the program has none of root's rights to these, as
/// capabilities(7) names them. Who is not root has none of them anyway.
pub fn without(rights: &[&str]) -> String {
    let rights = rights.iter().map(|right| format!("-{right}")).collect::<Vec<_>>().join(",");
    format!("[ \"$(id -u)\" != 0 ] || set -- setpriv --bounding-set={rights} \"$@\"")
}

/// This machine's address in a network, if it is in one; nothing is sent.
pub fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let is_routed = socket.connect("192.0.2.1:9").is_ok();
    let address = is_routed.then(|| socket.local_addr().unwrap().ip()).filter(|ip| !ip.is_loopback());
    has("an address of its own in a network", address.is_some());
    address
}
