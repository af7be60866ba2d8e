//! `viderehab session …`: commands a running server over its HTTP RPC.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Client;
use crate::config::Config;

/// What to do with a session.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Start a session and print it with everybody's links
    Start {
        /// Resume the session of this id instead of making one
        #[arg(long, default_value_t = 0)]
        id: i64,
        /// Who is to come
        #[command(flatten)]
        people: People,
    },
    /// Stop a session
    Stop {
        /// Its id
        id: i64,
    },
    /// Let more people in and print everybody's links
    Invite {
        /// The session's id
        id: i64,
        /// Who is to come
        #[command(flatten)]
        people: People,
    },
    /// Put people out
    Remove {
        /// The session's id
        id: i64,
        /// Who is to go
        #[command(flatten)]
        people: People,
    },
    /// Print the running sessions and who is connected
    List,
}

/// Lists of people: uuids, or any text.
#[derive(Debug, Args)]
pub struct People {
    /// A user; may be given several times
    #[arg(long = "user", value_name = "UUID")]
    users: Vec<String>,
    /// A participant; may be given several times
    #[arg(long = "participant", value_name = "UUID")]
    participants: Vec<String>,
    /// A device; may be given several times
    #[arg(long = "device", value_name = "UUID")]
    devices: Vec<String>,
}

impl People {
    fn arguments(&self, action: &str, id: i64) -> Value {
        let mut arguments = json!({"action": action, "id_session": id});
        for (name, list) in [
            ("session_users", &self.users),
            ("session_participants", &self.participants),
            ("session_devices", &self.devices),
        ] {
            if !list.is_empty() {
                arguments[name] = json!(list);
            }
        }
        arguments
    }
}

/// Sends the command to the server that the configuration names, prints the answer; the exit code
/// says whether it was done.
pub async fn run(config: &Config, command: SessionCommand) -> ExitCode {
    match answer(config, &command).await {
        Ok((fine, answer)) => {
            println!("{answer:#}");
            if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => {
            eprintln!("viderehab: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn answer(config: &Config, command: &SessionCommand) -> Result<(bool, Value), String> {
    let client = Client::with_known_token(config)?;
    let arguments = match command {
        SessionCommand::Start { id, people } => people.arguments("start", *id),
        SessionCommand::Stop { id } => json!({"action": "stop", "id_session": id}),
        SessionCommand::Invite { id, people } => people.arguments("invite", *id),
        SessionCommand::Remove { id, people } => people.arguments("remove", *id),
        SessionCommand::List => return client.get("/api/sessions").await,
    };
    client.post("/rpc/session_manage", &json!({"session_manage": arguments})).await
}
