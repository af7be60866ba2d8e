//! The command line.

mod client;
pub mod doctor;
pub mod import;
pub mod load;
pub mod serve;
pub mod session;
pub mod upgrade;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// A signaling server for tele-rehabilitation.
#[derive(Debug, Parser)]
#[command(name = "viderehab", version, about)]
pub struct Arguments {
    /// The configuration file; without one, built-in defaults equal to the shipped config.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do; to serve, if nothing is said
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server in the foreground until SIGINT or SIGTERM
    Serve,
    /// Validate the configuration and print what is in force, secrets masked
    Check,
    /// Look for what keeps a server with this configuration from working, and say how to mend it
    Doctor,
    /// Print the config.toml that says what a VideoRehabService.json says
    Import {
        /// The configuration of OpenTera's VideoRehab service
        file: PathBuf,
    },
    /// Have a running server go on as this binary: its sockets stay open, and no call ends
    Upgrade,
    /// Drive load at a running server, in sessions that it starts and stops, and print figures
    Load(load::Load),
    /// Command a running server
    #[command(subcommand)]
    Session(session::SessionCommand),
}
