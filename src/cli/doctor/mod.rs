//! `viderehab doctor`: looks at what a server with this configuration needs, from outside of it, and
//! says how to mend what is wrong. It changes nothing; each check is a file of its own.

mod counted;
mod data;
mod finding;
mod limits;
mod ports;
mod proxy;
mod redis;
mod server;
mod stun;
mod tera;
mod tls;
mod turn;
mod validity;
mod way;

use std::io::Write;
use std::process::ExitCode;

pub use finding::{Finding, Level};

use crate::config::Config;
use server::Running;

/// Makes all checks and prints each finding as it comes; exit code 1 if one of them is an error.
pub async fn run(config: &Config) -> ExitCode {
    let mut report = Report::default();
    let running = Running::ask(config).await;
    report.add(ports::listen(config, &running).await);
    report.add(ports::pool(config, &running));
    report.add(limits::check(config));
    report.add(data::check(config));
    report.add(tls::check(config));
    report.add(proxy::check(config, &running).await);
    if let Some(opentera) = &config.opentera {
        let (findings, identity) = redis::check(config, opentera).await;
        report.add(findings);
        report.add(tera::check(&opentera.backend, identity.as_ref()).await);
    }
    report.add(turn::check(config).await);
    report.exit_code()
}

/// What was found, printed line by line.
#[derive(Default)]
struct Report {
    errors: usize,
}

impl Report {
    fn add(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            // Who reads may have had enough; the exit code counts all the same.
            let _ = writeln!(std::io::stdout(), "{finding}");
            self.errors += usize::from(finding.level == Level::Error);
        }
    }

    fn exit_code(&self) -> ExitCode {
        if self.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
