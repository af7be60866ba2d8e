//! Spoiled copies of a scenario: the replay of each must fail.

use serde_json::{Value, json};

use super::scenario::{Entry, Scenario};

/// Spoils a scenario, if it has what is spoiled.
type Spoil = fn(&mut Scenario) -> Option<()>;

/// The scenario spoiled in each way that it can be.
pub fn variants(scenario: &Scenario) -> Vec<Scenario> {
    let ways: [(&str, Spoil); 7] = [
        ("another reply", reply),
        ("another event", event),
        ("another topic", topic),
        ("another body", body),
        ("two exchanged", exchanged),
        ("one less", one_less),
        ("one more", one_more),
    ];
    let spoiled = ways.into_iter().filter_map(|(name, spoil)| {
        let mut copy = scenario.clone();
        copy.name = format!("{} with {name}", copy.name);
        spoil(&mut copy).map(|()| copy)
    });
    spoiled.collect()
}

/// The last entry that fits.
fn last(scenario: &mut Scenario, fits: fn(&Entry) -> bool) -> Option<(&mut Vec<Entry>, usize)> {
    let replayed = scenario.steps.iter().rposition(|step| step.timeline.iter().any(fits))?;
    let timeline = &mut scenario.steps[replayed].timeline;
    let at = timeline.iter().rposition(fits)?;
    Some((timeline, at))
}

fn published(entry: &Entry) -> bool {
    entry.by_service() && entry.kind == "publish" && entry.payload_text.is_none()
}

fn reply(scenario: &mut Scenario) -> Option<()> {
    let (timeline, at) = last(scenario, |entry| entry.kind == "rpc_reply")?;
    let mut value: Value = serde_json::from_str(timeline[at].payload_text.as_ref()?).ok()?;
    value["return_value"] = match &value["return_value"] {
        Value::Object(members) => {
            let mut members = members.clone();
            members.insert("more".to_owned(), json!(1));
            Value::Object(members)
        }
        _ => json!({}),
    };
    timeline[at].payload_text = Some(value.to_string());
    Some(())
}

fn event(scenario: &mut Scenario) -> Option<()> {
    let (timeline, at) = last(scenario, published)?;
    let list = if timeline[at].decoded.get("events").is_some() { "events" } else { "data" };
    timeline[at].decoded[list][0]["session_uuid"] = json!("another");
    Some(())
}

fn topic(scenario: &mut Scenario) -> Option<()> {
    let (timeline, at) = last(scenario, published)?;
    timeline[at].topic.push('x');
    Some(())
}

fn body(scenario: &mut Scenario) -> Option<()> {
    let (timeline, at) = last(scenario, |entry| entry.kind == "rest" && entry.body.is_object())?;
    timeline[at].body.as_object_mut()?.values_mut().next()?["id_session"] = json!(-7);
    Some(())
}

fn exchanged(scenario: &mut Scenario) -> Option<()> {
    let timeline = scenario.steps.iter_mut().map(|step| &mut step.timeline);
    let mut found = timeline.filter_map(|timeline| {
        let at = timeline
            .windows(2)
            .position(|two| published(&two[0]) && published(&two[1]) && two[0].topic != two[1].topic)?;
        Some((timeline, at))
    });
    let (timeline, at) = found.next()?;
    timeline.swap(at, at + 1);
    Some(())
}

fn one_less(scenario: &mut Scenario) -> Option<()> {
    let (timeline, at) = last(scenario, |entry| published(entry) || entry.kind == "rpc_reply")?;
    timeline.remove(at);
    Some(())
}

fn one_more(scenario: &mut Scenario) -> Option<()> {
    let (timeline, at) = last(scenario, |entry| published(entry) || entry.kind == "rpc_reply")?;
    let again = timeline[at].clone();
    timeline.insert(at, again);
    Some(())
}
