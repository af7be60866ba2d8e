//! Hosts the service that the tests of the Socket.IO transport speak to, for clients of other kinds:
//! `cargo run --example socketio_service -- [--port N] [--pause MS] [--ping MS]`. A line on stdin with
//! `open` is answered by how many connections there are; the end of stdin ends it.

use std::io::BufRead;
use std::time::Duration;

use viderehab::transport::socketio::Settings;

#[path = "../tests/support/socketio_service.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod socketio_service;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(arguments.get(at + 1)?.parse::<u64>().expect("a number"))
    };
    let port = u16::try_from(number("--port").unwrap_or(0)).expect("a port");
    let mut settings = Settings::default();
    if let Some(ping) = number("--ping") {
        (settings.ping_interval, settings.ping_timeout) = (Duration::from_millis(ping), Duration::from_millis(ping));
    }
    let hosted = socketio_service::host(port, settings, Duration::from_millis(number("--pause").unwrap_or(0))).await;
    println!("listening on {}", hosted.host());
    tokio::task::spawn_blocking(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if line == "open" {
                println!("open {} {}", hosted.service.connections(), hosted.open());
            }
        }
    })
    .await
    .expect("reading does not panic");
}
