//! `viderehab doctor`: each finding, with the fault made on purpose.

#[path = "support/altering_proxy.rs"]
mod altering_proxy;
#[path = "support/machine.rs"]
mod machine;
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

#[path = "doctor/data.rs"]
mod data;
#[path = "doctor/endless.rs"]
mod endless;
#[path = "doctor/opentera.rs"]
mod opentera;
#[path = "doctor/ports.rs"]
mod ports;
#[path = "doctor/proxy.rs"]
mod proxy;
#[path = "doctor/redis.rs"]
mod redis;
#[path = "doctor/report.rs"]
mod report;
#[path = "doctor/tls.rs"]
mod tls;
#[path = "doctor/turn.rs"]
mod turn;

use std::fs;
use std::process::Command;

use machine::Directory;
use report::{doctor, doctor_after};
use server::config;

#[tokio::test]
async fn a_server_that_may_be_started_has_no_errors() {
    let report = doctor(&config()).await;
    report.is_without_errors();
    report.says("ok  server.listen: ", "is free");
    report.says("ok  open files: ", "4096 are allowed");
    report.says("ok  server.data_dir: ", "in memory");
    report.says("ok  server.tls: ", "this machine alone");
    report.says("ok  proxy: ", "there is none to ask");
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
async fn too_few_descriptors_are_seen() {
    let report = doctor_after("ulimit -n 140", &config()).await;
    assert!(report.says("error  open files: ", "140 are allowed").contains("LimitNOFILE=1716"), "{}", report.text);
    let report = doctor_after("ulimit -n 200", &config()).await;
    report.says("warning  open files: ", "200 are allowed");
}

#[tokio::test]
async fn for_sessions_without_a_bound_no_number_of_descriptors_is_enough() {
    let mut settings = config();
    settings.limits.peers = 0;
    assert!(doctor(&settings).await.says("warning  open files: ", "limits.peers = 0").contains("limits.peers"));
}

/// As with `| head -1`.
#[test]
fn a_reader_who_has_had_enough_does_no_harm() {
    let directory = Directory::new();
    let file = directory.0.join("config.toml");
    fs::write(&file, toml::to_string(&config()).unwrap()).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut program = Command::new(env!("CARGO_BIN_EXE_viderehab"));
    let output = program.arg("doctor").arg("--config").arg(file).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
