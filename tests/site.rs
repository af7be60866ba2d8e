//! A site's own pages (`webrtc.working_directory`): large files, which need no key, and a disk that hangs.

#[path = "support/machine.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod machine;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, Instant};

use machine::Directory;
use server::{SOON, Server, Started, config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const FILE: &str = "film.bin";

const MIB: u64 = 1 << 20;

/// A server with a file of a length, no byte of which is on the disk.
async fn with_a_film(directory: &Directory, length: u64) -> (Server, Started) {
    let folder = directory.0.join("static");
    fs::create_dir_all(&folder).unwrap();
    File::create(folder.join(FILE)).unwrap().set_len(length).unwrap();
    let mut config = config();
    config.webrtc.working_directory = directory.0.display().to_string();
    let server = server::start(config).await;
    let session = server.session().await;
    (server, session)
}

/// Asks for it, and reads the answer's head.
async fn asking(session: &Started) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(session.address()).await.unwrap();
    stream.write_all(format!("GET /{FILE} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    let reading = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
    };
    timeout(SOON, reading).await.expect("a head in time");
    (stream, String::from_utf8(head).unwrap())
}

/// What the process has in memory, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_large_file_is_never_whole_in_memory() {
    let directory = Directory::new();
    let (server, session) = with_a_film(&directory, 128 * MIB).await;
    let before = resident();
    let mut readers = Vec::new();
    for _ in 0..4 {
        let (stream, head) = asking(&session).await;
        assert!(head.contains(&format!("content-length: {}\r\n", 128 * MIB)), "{head}");
        readers.push(stream);
    }
    let more = resident().saturating_sub(before);
    assert!(more < 32 * MIB, "{} MiB for readers who do not read", more / MIB);
    // It comes whole all the same.
    let mut reader = readers.pop().unwrap();
    let mut bytes = vec![0; MIB as usize];
    for _ in 0..128 {
        timeout(SOON, reader.read_exact(&mut bytes)).await.expect("bytes in time").unwrap();
    }
    drop((readers, reader));
    server.app.stop().await;
}

#[tokio::test]
async fn a_file_that_breaks_off_ends_the_connection() {
    let directory = Directory::new();
    let (server, session) = with_a_film(&directory, 64 * MIB).await;
    let (mut reader, _) = asking(&session).await;
    File::options().write(true).open(directory.0.join("static").join(FILE)).unwrap().set_len(0).unwrap();
    let mut rest = Vec::new();
    // It may be reset, too.
    let _ = timeout(SOON, reader.read_to_end(&mut rest)).await.expect("the connection ends");
    assert!((rest.len() as u64) < 64 * MIB);
    server.app.stop().await;
}

/// As a disk that hangs: whoever reads the pipe waits for its writer.
#[tokio::test]
async fn a_slow_disk_holds_up_the_start_alone() {
    let directory = Directory::new();
    let pipe = directory.0.join("ice_servers.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut config = config();
    config.webrtc.working_directory = directory.0.display().to_string();
    let server = server::start(config).await;
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        fs::write(pipe, "[]").unwrap();
    });
    let begin = Instant::now();
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(server.get("/healthz").await.status, 200);
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    };
    tokio::join!(server.session(), meanwhile);
    writer.join().unwrap();
    server.app.stop().await;
}
