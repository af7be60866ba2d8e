//! Plays a scenario: says what the service heard, and waits for all that it did, in order.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::compare::{self, Names};
use super::scenario::{Entry, Scenario, Step};
use super::site::{Done, Site};

/// How long the service may take for each thing it does.
const SOON: Duration = Duration::from_secs(4);

/// How long it must do nothing more at a step's end.
const QUIET: Duration = Duration::from_millis(200);

/// Plays a scenario against a program.
pub async fn play(scenario: &Scenario, program: &Path) -> Result<(), String> {
    let mut site = Site::start(scenario, program).await?;
    let skip = scenario.treatment().map_or(&[][..], |treatment| treatment.skip);
    let mut names = Names::default();
    for step in scenario.steps.iter().filter(|step| !skip.contains(&step.step.as_str())) {
        played(step, &mut site, &mut names).await.map_err(|problem| format!("step {:?}: {problem}", step.step))?;
    }
    Ok(())
}

async fn played(step: &Step, site: &mut Site, names: &mut Names) -> Result<(), String> {
    site.answer(step.timeline.iter());
    for entry in &step.timeline {
        if entry.to_service() {
            site.say(entry).await;
        } else if entry.kind == "rest" && entry.by_service() {
            let call = next(&mut site.calls).await.ok_or_else(|| format!("no {} {}", entry.method, entry.path))?;
            rest(entry, &json!([call.method, call.path, call.body]), &call.authorization, names)?;
        } else if entry.by_service() {
            let done =
                next(&mut site.redis_done).await.ok_or_else(|| format!("no {} to {}", entry.kind, entry.topic))?;
            redis(entry, &done, names)?;
        }
    }
    tokio::time::sleep(QUIET).await;
    if let Ok(call) = site.calls.try_recv() {
        return Err(format!("unexpected {} {}", call.method, call.path));
    }
    if let Ok(Done { kind, topic, content }) = site.redis_done.try_recv() {
        return Err(format!("unexpected {kind} to {topic}: {content}"));
    }
    Ok(())
}

async fn next<T>(done: &mut UnboundedReceiver<T>) -> Option<T> {
    tokio::time::timeout(SOON, done.recv()).await.ok().flatten()
}

fn rest(entry: &Entry, call: &Value, authorization: &str, names: &mut Names) -> Result<(), String> {
    let expected = json!([entry.method, entry.path, entry.body]);
    compare::same(&expected, call, names)?;
    match authorization.strip_prefix("OpenTera ") {
        Some(token) if token.split('.').count() == 3 => Ok(()),
        _ => Err(format!("{} {} has no service token", entry.method, entry.path)),
    }
}

fn redis(entry: &Entry, Done { kind, topic, content }: &Done, names: &mut Names) -> Result<(), String> {
    let expected = if entry.kind == "rpush" { "rpush" } else { "publish" };
    if *kind != expected || !compare::topic(&entry.topic, topic, names) {
        return Err(format!("{expected} to {} was expected, not {kind} to {topic}: {content}", entry.topic));
    }
    let recorded = match &entry.payload_text {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        None => entry.decoded.clone(),
    };
    compare::same(&recorded, content, names).map_err(|problem| format!("{topic}: {problem}"))
}
