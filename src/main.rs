//! The program: arguments, configuration, log, run until a signal, exit code.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use viderehab::app::App;
use viderehab::cli::{Arguments, Command, doctor, import, session};
use viderehab::config::{self, Config};
use viderehab::control::opentera::log::Forward;
use viderehab::tls::Pair;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Import { file }) = &arguments.command {
        return import(file);
    }
    let config = match config::load(arguments.config.as_deref(), std::env::vars()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("viderehab: {error}");
            return ExitCode::from(2);
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    tracing_subscriber::registry().with(filter).with(lines).with(Forward).init();
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads and a poller");
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => runtime.block_on(serve(config)),
        Command::Check => check(&config),
        Command::Doctor => runtime.block_on(doctor::run(&config)),
        Command::Session(command) => runtime.block_on(session::run(&config, command)),
        Command::Import { file } => import(&file),
    }
}

fn check(config: &Config) -> ExitCode {
    if let Some(Err(error)) = config.server.tls.as_ref().map(Pair::read) {
        eprintln!("viderehab: {error}");
        return ExitCode::from(2);
    }
    print!("{config:?}");
    ExitCode::SUCCESS
}

fn import(file: &Path) -> ExitCode {
    match import::import(file) {
        Ok(toml) => {
            print!("{toml}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("viderehab: {error}");
            ExitCode::from(2)
        }
    }
}

async fn serve(config: Config) -> ExitCode {
    let app = match App::start(config).await {
        Ok(app) => app,
        Err(error) => {
            eprintln!("viderehab: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Whoever started us may have closed our output; that is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "viderehab ready on {}\n{}", app.url(), app.dashboard_url());
    let signal = until_signal().await;
    tracing::info!(signal, "stopping");
    tokio::select! {
        () = app.stop() => {}
        second = until_signal() => tracing::warn!(signal = second, "stopping at once"),
    }
    ExitCode::SUCCESS
}

async fn until_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).expect("signal handlers can be installed");
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
