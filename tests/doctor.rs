//! `viderehab doctor`: each finding, with the fault made on purpose.

#[path = "support/altering_proxy.rs"]
mod altering_proxy;
#[path = "support/pem.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod pem;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;
#[path = "support/tera.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod tera;
#[path = "support/turnserver.rs"]
mod turnserver;

#[path = "doctor/opentera.rs"]
mod opentera;
#[path = "doctor/proxy.rs"]
mod proxy;
#[path = "doctor/report.rs"]
mod report;
#[path = "doctor/turn.rs"]
mod turn;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pem::Authority;
use report::{Directory, doctor, doctor_after};
use server::{config, start};

#[tokio::test]
async fn a_server_that_may_be_started_has_no_errors() {
    let report = doctor(&config()).await;
    report.is_without_errors();
    report.says("ok  server.listen: ", "is free");
    report.says("ok  open files: ", "4096 are allowed");
    report.says("ok  server.data_dir: ", "in memory");
    report.says("ok  server.tls: ", "this machine alone");
    let fix = report.says("warning  webrtc.ice_servers: ", "no STUN or TURN server");
    assert!(fix.contains("[webrtc.turn]"));
}

#[test]
fn a_configuration_that_cannot_be_read_is_told_apart() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_viderehab"));
    let output = program.arg("doctor").env("VIDEREHAB_WEBRTC__MAX_SESSIONS", "0").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("webrtc.max_sessions"));
}

#[tokio::test]
async fn a_running_server_is_asked() {
    let mut settings = config();
    let server = start(settings.clone()).await;
    server.session().await;
    settings.server.listen = server.address;
    let report = doctor(&settings).await;
    report.is_without_errors();
    report.says("ok  server.listen: ", "is ready");
    assert!(report.text.contains(", 1 serve sessions"), "{}", report.text);

    // With another token it is not known whose the session's port is.
    settings.server.admin_token = "another token than the server's".to_owned();
    doctor(&settings).await.says("warning  webrtc.local_base_port: ", "held by something else");
    server.app.stop().await;
}

#[tokio::test]
async fn an_address_that_another_program_holds_is_named() {
    let mut settings = config();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    settings.server.listen = other.local_addr().unwrap();
    // It answers, but not as we do.
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        while let Ok((mut stream, _)) = other.accept() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let report = doctor(&settings).await;
    let fix = report.says("error  server.listen: ", "held by another program");
    assert!(fix.contains(&settings.server.listen.port().to_string()), "{fix}");

    // An address of nobody's (RFC 5737).
    settings.server.listen = "192.0.2.1:4070".parse().unwrap();
    settings.webrtc.bind = "192.0.2.1".parse().unwrap();
    let report = doctor(&settings).await;
    assert!(report.says("error  server.listen: ", "192.0.2.1:4070").contains("ip address"));
    assert!(report.says("error  webrtc.local_base_port: ", "192.0.2.1").contains("webrtc.bind"));
}

#[tokio::test]
async fn ports_of_the_pool_that_others_hold_are_named() {
    let mut settings = config();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    settings.webrtc.local_base_port = port;
    settings.webrtc.max_sessions = 1;
    let fix = doctor(&settings).await.says("error  webrtc.local_base_port: ", &format!("else: {port}"));
    assert!(fix.contains("webrtc.local_base_port"));
    settings.webrtc.local_base_port = port - 40;
    settings.webrtc.max_sessions = 80;
    doctor(&settings).await.says("warning  webrtc.local_base_port: ", "held by something else");
}

#[tokio::test]
async fn too_few_descriptors_are_seen() {
    let report = doctor_after("ulimit -n 140", &config()).await;
    assert!(report.says("error  open files: ", "140 are allowed").contains("LimitNOFILE=1716"), "{}", report.text);
    let report = doctor_after("ulimit -n 200", &config()).await;
    report.says("warning  open files: ", "200 are allowed");
}

#[tokio::test]
async fn a_data_directory_is_looked_at() {
    let mut settings = config();
    let directory = Directory::new();
    settings.server.data_dir = directory.0.join("new/data").display().to_string();
    doctor(&settings).await.says("ok  server.data_dir: ", "is not there yet");
    assert!(!directory.0.join("new").exists(), "the doctor changes nothing");

    settings.server.data_dir = directory.0.display().to_string();
    let file = directory.0.join("admin_token");
    fs::write(&file, "0123456789abcdef").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let report = doctor(&settings).await;
    report.says("ok  server.data_dir: ", "can be written");
    report.says("ok  disk: ", "MiB are free");
    report.says(&format!("ok  {}: ", file.display()), "mode 0600");
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1, "the doctor leaves nothing behind");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let fix = doctor(&settings).await.says(&format!("error  {}: ", file.display()), "mode 0640");
    assert!(fix.starts_with(&format!("chmod 600 {}", file.display())));

    // Nobody, root neither, can write here, and there is no room.
    settings.server.data_dir = "/proc/viderehab".to_owned();
    let report = doctor(&settings).await;
    assert!(report.says("error  server.data_dir: ", "cannot be written").contains("chown"));
    report.says("error  disk: ", "0 MiB");
}

#[tokio::test]
async fn a_certificate_is_looked_at() {
    let mut settings = config();
    let authority = Authority::new();
    let files = authority.files();
    settings.server.tls = Some(files.clone());
    doctor(&settings).await.says("error  server.tls.cert: ", &files.cert);

    authority.issue();
    fs::remove_file(&files.key).unwrap();
    doctor(&settings).await.says("error  server.tls.key: ", &files.key);
    authority.issue();
    let report = doctor(&settings).await;
    report.is_without_errors();
    report.says("ok  server.tls.key: ", "mode 0600");
    report.says("ok  server.tls.key: ", "is the key of");
    report.says("ok  server.tls.cert: ", "names 127.0.0.1");
    report.says("ok  server.tls.cert: ", "is good until");

    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(doctor(&settings).await.says("error  server.tls.key: ", "mode 0644").starts_with("chmod o= "));
    authority.issue();
    settings.webrtc.hostname = "clinic.example".to_owned();
    doctor(&settings).await.says("error  server.tls.cert: ", "is not for clinic.example");
    settings.server.public_url = "https://127.0.0.1:1/".to_owned();
    doctor(&settings).await.says("ok  server.tls.cert: ", "names 127.0.0.1");

    let today = (SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400) as i64;
    for (from, until, level, words) in [
        (-10, -1, "error", "has ended on"),
        (1, 90, "error", "is good from"),
        (-10, 29, "warning", "more days"),
        (-10, 32, "ok", "more days"),
    ] {
        authority.issue_as(|about| {
            // The library's own type of moments, taken from a date that it makes.
            let epoch = rcgen::date_time_ymd(1970, 1, 1);
            let days = |days: i64| Duration::from_secs((today + days) as u64 * 86_400);
            (about.not_before, about.not_after) = (epoch + days(from), epoch + days(until));
        });
        doctor(&settings).await.says(&format!("{level}  server.tls.cert: "), words);
    }

    let other = Authority::new();
    other.issue();
    fs::copy(other.files().key, &files.key).unwrap();
    doctor(&settings).await.says("error  server.tls.key: ", "is not the key of");
    fs::write(&files.key, "no key").unwrap();
    doctor(&settings).await.says("error  server.tls.key: ", "holds no private key");
}

#[tokio::test]
async fn without_tls_a_public_host_is_warned_of() {
    let mut settings = config();
    settings.webrtc.hostname = "clinic.invalid".to_owned();
    let fix = doctor(&settings).await.says("warning  server.tls: ", "http://clinic.invalid");
    assert!(fix.contains("server.public_url"));
}
