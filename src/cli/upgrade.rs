//! `viderehab upgrade`: a running server goes on as this binary.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::control::upgrade::{Answer, Hello, Request, ask};

/// How long the change may take: the drain, and the start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Has the server of this configuration become this binary, and waits until it serves.
pub async fn run(config: &Config) -> ExitCode {
    match upgrade(&config.server.data_dir).await {
        Ok(hello) => {
            println!("viderehab {} serves now, as process {}", hello.version, hello.process);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("viderehab: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn upgrade(data_dir: &str) -> Result<Hello, String> {
    if data_dir.is_empty() {
        return Err("server.data_dir is empty: without a store, sessions do not outlive an upgrade".to_owned());
    }
    let unreachable = |error| format!("no server with server.data_dir = {data_dir:?} answers: {error}");
    let before: Hello = ask(data_dir, &Request::Hello).await.map_err(unreachable)?;
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let answer: Answer = ask(data_dir, &Request::Upgrade(binary)).await.map_err(unreachable)?;
    answer?;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match ask::<Hello>(data_dir, &Request::Hello).await {
            Ok(Hello { failure: Some(failure), .. }) => return Err(format!("the old binary goes on: {failure}")),
            Ok(now) if now.upgrades != before.upgrades => return Ok(now),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    Err("the server does not answer any more; see its log".to_owned())
}
