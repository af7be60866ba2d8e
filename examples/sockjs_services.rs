//! Hosts the four services of the SockJS protocol's test suite, for its own or other suites:
//! `cargo run --example sockjs_services -- [--port N] [--response-limit BYTES]`.

#[path = "../tests/support/sockjs_services.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod sockjs_services;

/// The byte limit that the protocol's suite expects.
const SUITE_BYTES: usize = 4096;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(arguments.get(at + 1)?.parse::<usize>().expect("a number"))
    };
    let port = u16::try_from(number("--port").unwrap_or(0)).expect("a port");
    let services = sockjs_services::host(port, number("--response-limit").unwrap_or(SUITE_BYTES)).await;
    println!("listening on {}", services.host());
    tokio::signal::ctrl_c().await.expect("signal handlers can be installed");
}
