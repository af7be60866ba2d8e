//! Spoiled recordings: each expects one thing that a right server does not do, so its replay has to
//! fail.

use serde_json::{Value, json};

use super::recording::{Act, Entry};
use super::treatments::{ERROR_PACKET, Prepared};

/// A way to spoil entries; none if it does not suit them.
type Spoil = fn(Vec<Entry>) -> Option<Vec<Entry>>;

/// All the ways to spoil a recording, after its treatment. Those that do not suit it are left out.
pub fn variants(whole: &Prepared) -> Vec<Prepared> {
    let ways: [(&str, Spoil); 8] = [
        ("another text", text),
        ("another order", order),
        ("one less", one_less),
        ("another status", status),
        ("another header", header),
        ("a header less", header_less),
        ("a header more", header_more),
        ("another close code", close_code),
    ];
    let mut variants = Vec::new();
    for (what, spoil) in ways {
        if let Some(entries) = spoil(whole.recording.entries.clone()) {
            variants.push(spoiled(whole, what, entries));
        }
    }
    variants
}

/// The recording with its last frame expected twice: the second never comes.
pub fn one_more(whole: &Prepared) -> Option<Prepared> {
    let mut entries = whole.recording.entries.clone();
    let last = entries.iter().rposition(|entry| required(entry) && entry.event() == "frame")?;
    entries.insert(last, entries[last].clone());
    Some(spoiled(whole, "one more", entries))
}

fn spoiled(whole: &Prepared, what: &str, entries: Vec<Entry>) -> Prepared {
    let mut spoiled = whole.clone();
    spoiled.recording.name.push_str(&format!(" with {what}"));
    spoiled.recording.entries = entries;
    spoiled
}

fn required(entry: &Entry) -> bool {
    entry.by_server() && !entry.optional
}

/// The last text, with its last letter or digit outside of tags and placeholders exchanged.
fn text(mut entries: Vec<Entry>) -> Option<Vec<Entry>> {
    let entry = entries.iter_mut().rfind(|entry| required(entry) && said(entry).is_some())?;
    if entry.event() == ERROR_PACKET {
        entry.act = Act::Frame("null".into());
        return Some(entries);
    }
    let text = said(entry)?;
    let mut depth = 0;
    let (place, letter) = text.char_indices().rev().find(|(_, letter)| {
        depth += i32::from(*letter == '>') - i32::from(*letter == '<');
        depth == 0 && letter.is_ascii_alphanumeric()
    })?;
    let other = if letter == 'z' { "y" } else { "z" };
    let text = format!("{}{other}{}", &text[..place], &text[place + 1..]);
    say(entry, text);
    Some(entries)
}

/// Two texts to one receiver exchanged; else a body that comes after its answer's end.
fn order(mut entries: Vec<Entry>) -> Option<Vec<Entry>> {
    let frames: Vec<usize> =
        (0..entries.len()).filter(|place| required(&entries[*place]) && entries[*place].event() == "frame").collect();
    for (index, first) in frames.iter().enumerate() {
        let later = frames[index + 1..].iter().find(|later| entries[**later].to == entries[*first].to);
        if let Some(later) = later.filter(|later| entries[**later].frame() != entries[*first].frame()) {
            let act = entries[*later].act.clone();
            entries[*later].act = std::mem::replace(&mut entries[*first].act, act);
            return Some(entries);
        }
    }
    let body = entries.iter().position(|entry| entry.event() == "http-body")?;
    let end = (body..entries.len()).find(|place| {
        entries[*place].event() == "http-end" && entries[*place].number("id") == entries[body].number("id")
    })?;
    entries.swap(body, end);
    Some(entries)
}

/// The last thing expected is not expected any more. Error packets may come anyway.
fn one_less(mut entries: Vec<Entry>) -> Option<Vec<Entry>> {
    let last = entries.iter().rposition(|entry| required(entry) && entry.event() != ERROR_PACKET)?;
    entries.remove(last);
    Some(entries)
}

fn status(mut entries: Vec<Entry>) -> Option<Vec<Entry>> {
    let payload = entries.iter_mut().find_map(|entry| payload(entry).filter(|payload| payload["status"].is_u64()))?;
    payload["status"] = json!(299);
    Some(entries)
}

fn header(mut entries: Vec<Entry>) -> Option<Vec<Entry>> {
    let headers = headers(&mut entries)?;
    let value = headers.values_mut().next()?;
    *value = json!(format!("{} and more", value.as_str()?));
    Some(entries)
}

fn header_less(mut entries: Vec<Entry>) -> Option<Vec<Entry>> {
    let headers = headers(&mut entries)?;
    let name = headers.keys().next()?.clone();
    headers.remove(&name);
    Some(entries)
}

fn header_more(mut entries: Vec<Entry>) -> Option<Vec<Entry>> {
    headers(&mut entries)?.insert("x-more".into(), json!("1"));
    Some(entries)
}

fn close_code(mut entries: Vec<Entry>) -> Option<Vec<Entry>> {
    let payload = entries.iter_mut().filter(|entry| entry.event() == "ws-close").find_map(payload)?;
    payload["code"] = json!(payload["code"].as_u64()? + 1);
    Some(entries)
}

/// The first recorded headers that are not about the body's length only.
fn headers(entries: &mut [Entry]) -> Option<&mut serde_json::Map<String, Value>> {
    let mut all = entries.iter_mut().filter_map(|entry| payload(entry)?.get_mut("headers")?.as_object_mut());
    all.find(|headers| headers.keys().next().is_some_and(|name| name != "transfer-encoding"))
}

fn payload(entry: &mut Entry) -> Option<&mut Value> {
    match &mut entry.act {
        Act::Event { payload, .. } if entry.from == "server" => Some(payload),
        _ => None,
    }
}

/// What an entry has the server say.
fn said(entry: &Entry) -> Option<&str> {
    match entry.event() {
        "frame" => Some(entry.frame()),
        "http-body" => Some(entry.text("text")),
        "http-response" if !entry.text("body").is_empty() => Some(entry.text("body")),
        ERROR_PACKET => Some(""),
        _ => None,
    }
}

fn say(entry: &mut Entry, text: String) {
    match &mut entry.act {
        Act::Frame(frame) => *frame = text,
        Act::Event { name, payload } if name == "http-body" => payload["text"] = json!(text),
        Act::Event { payload, .. } => payload["body"] = json!(text),
    }
}
