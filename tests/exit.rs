//! A signal ends the program whatever it is about.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "others start it otherwise")]
mod binary;
#[path = "support/machine.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod machine;
#[path = "support/pem.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod pem;
#[path = "support/remote.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod remote;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use binary::Binary;
use hyper::Method;
use machine::Directory;
use pem::Authority;
use remote::Remote;
use server::{open, send};

const PROGRAM: &str = env!("CARGO_BIN_EXE_viderehab");

const SOON: Duration = Duration::from_secs(10);

/// A disk that hangs, as a file that nobody writes to: whoever reads it waits.
#[tokio::test]
async fn it_ends_while_a_certificate_cannot_be_read() {
    let authority = Authority::new();
    authority.issue();
    let files = authority.files();
    let settings = [("VIDEREHAB_SERVER__TLS__CERT", &*files.cert), ("VIDEREHAB_SERVER__TLS__KEY", &*files.key)];
    let mut binary = Binary::start(Path::new(PROGRAM), "", &settings).unwrap();
    let pipe = files.cert.clone() + ".pipe";
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::rename(pipe, &files.cert).unwrap();
    let _held = until_somebody_reads(&files.cert);
    binary.signal("TERM");
    assert!(binary.ends_within(Duration::from_secs(2)));
}

/// The writer's end of a pipe, which there is as soon as somebody reads the other.
fn until_somebody_reads(pipe: &str) -> File {
    let until = Instant::now() + SOON;
    loop {
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        match File::options().write(true).custom_flags(nonblocking).open(pipe) {
            Ok(writer) => return writer,
            Err(error) => assert!(Instant::now() < until, "nobody reads it: {error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The service manager stops what an operator upgrades.
#[tokio::test]
async fn a_signal_during_an_upgrade_stops_it() {
    let directory = Directory::new();
    let data_dir = directory.0.display().to_string();
    let mut binary = Binary::start(Path::new(PROGRAM), "", &[("VIDEREHAB_SERVER__DATA_DIR", &data_dir)]).unwrap();
    let remote = Remote::of(&binary);
    let session = remote.session().await;
    // Who does not answer its close keeps the server from ending for a while.
    let stubborn = open(session.address(), &format!("/ws?key={}", session.key("ann"))).await.unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("upgrade").env("VIDEREHAB_SERVER__DATA_DIR", &data_dir);
    let mut upgrade = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + SOON;
    while send(remote.address, Method::GET, "/readyz", &[], String::new()).await.status == 200 {
        assert!(Instant::now() < until, "the upgrade does not begin");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    binary.signal("TERM");
    assert!(binary.ends_within(Duration::from_secs(8)), "it went on as the new binary");
    drop(stubborn);
    let _ = upgrade.kill();
    let _ = upgrade.wait();
}
