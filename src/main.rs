//! The program: arguments, configuration, log, run until a signal, exit code.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use viderehab::cli::{Arguments, Command, doctor, import, load, serve, session, upgrade};
use viderehab::config::{self, Config};
use viderehab::control::opentera::log::Forward;
use viderehab::tls::Pair;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Import { file }) = &arguments.command {
        return import(file);
    }
    let config = match config::load(arguments.config.as_deref(), std::env::vars_os()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("viderehab: {error}");
            return ExitCode::from(2);
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    // More than this of the libraries would be whole packets and headers, with the keys in them.
    let is_fit =
        |metadata: &Metadata<'_>| *metadata.level() <= Level::INFO || metadata.target().starts_with("viderehab");
    tracing_subscriber::registry().with(filter).with(filter_fn(is_fit)).with(lines).with(Forward).init();
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads and a poller");
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(runtime, config, arguments.config.as_deref()),
        Command::Check => check(&config),
        Command::Upgrade => runtime.block_on(upgrade::run(&config)),
        Command::Doctor => runtime.block_on(doctor::run(&config)),
        Command::Load(load) => runtime.block_on(load::run(&config, load)),
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
