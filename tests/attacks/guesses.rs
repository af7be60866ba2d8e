//! Ids that are guessed: what opens a session, and what reaches somebody in it.

use hyper::Method;
use serde_json::json;

use super::easyrtc_clients::{enter, text};
use super::scene::Scene;
use super::server::{open, packet, send};

/// Guessable ids (CVE-2017-16031). Whatever opens something, or reaches somebody, is letters and digits of the system's random source.
#[tokio::test]
async fn ids_that_are_guessed() {
    let mut scene = Scene::begin("[limits]\npeers = 0\n").await;
    let (mut keys, mut tokens, mut sids, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..40 {
        let session = scene.remote.session().await;
        keys.extend(["ann", "bob"].map(|who| session.key(who)));
        keys.extend(["users", "participants", "devices"].map(|role| session.role_key(role)));
        for _ in 0..2 {
            let mut peer = session.open(&session.role_key("users")).await;
            peer.say(json!({"Header": {"Event": "resume"}, "Payload": {}}).to_string()).await;
            tokens.push(peer.hear().await["Payload"]["token"].as_str().unwrap().to_owned());
        }
        for _ in 0..2 {
            let path = format!("/websocket/{}/?EIO=3&transport=polling", session.address().port());
            let path = format!("{path}&key={}", session.role_key("users"));
            let greeting = send(session.address(), Method::GET, &path, &[], String::new()).await.text();
            sids.push(greeting.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned());
        }
        for _ in 0..4 {
            names.push(enter(&session, &session.role_key("users")).await.1);
        }
        scene.bystanders.go_on().await;
        scene.remote.stop(session.id()).await;
    }
    for (what, length, mut all) in
        [("keys", 22, keys), ("resume tokens", 22, tokens), ("sids", 20, sids), ("easyrtcids", 16, names)]
    {
        let count = all.len();
        assert!(
            all.iter().all(|one| one.len() == length && one.bytes().all(|byte| byte.is_ascii_alphanumeric())),
            "{what}"
        );
        let letters: Vec<u8> = all.iter().flat_map(|one| one.bytes()).collect();
        // Twenty-five of each of 62 at least: far more or less of one is no chance.
        let expected = letters.len() / 62;
        for letter in (b'0'..=b'9').chain(b'a'..=b'z').chain(b'A'..=b'Z') {
            let found = letters.iter().filter(|other| **other == letter).count();
            assert!((expected / 4..expected * 3).contains(&found), "{what}: {found} times {}", char::from(letter));
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "{what}: no two are the same");
        let alike =
            |one: &str, other: &str| one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
        assert!(all.windows(2).all(|pair| alike(&pair[0], &pair[1]) < 6), "{what}: no two begin alike");
    }
    // A peer's number is no secret, and opens nothing: it is in no address and in no packet that is obeyed.
    scene.end(&["viderehab_disconnects_total{reason=\"gone\"}"]).await;
}

/// What differs from an id by one letter or digit, and what looks like it.
fn neighbours(id: &str) -> Vec<String> {
    let mut all: Vec<String> = (0..id.len())
        .filter(|at| id.as_bytes()[*at] != b'-')
        .map(|at| {
            let other = if &id[at..=at] == "7" { "8" } else { "7" };
            format!("{}{other}{}", &id[..at], &id[at + 1..])
        })
        .collect();
    all.extend([id.to_uppercase(), id.to_lowercase(), id.replace('-', "")]);
    all.extend([format!("{id} "), format!("{id}0"), id[1..].to_owned(), id[..id.len() - 1].to_owned()]);
    all.extend(["*", "null", "__proto__", "0", "00000000-0000-4000-8000-000000000000"].map(str::to_owned));
    all.retain(|other| other != id);
    all
}

/// Who has no key gets in by the session's name alone, and by nothing that is nearly it.
#[tokio::test]
async fn session_keys_that_are_guessed() {
    let mut scene = Scene::begin("").await;
    let (own, other) = (scene.session.session_key(), scene.remote.session().await.session_key());
    let mut ann = scene.session.open(&scene.key).await;
    ann.join("A", "main").await;
    let mut guesses = neighbours(&own);
    guesses.extend([other, scene.session.id().to_string(), scene.key.clone()]);
    for guess in &guesses {
        let connect = packet("connect", "B", guess, json!("{}"));
        let mut nobody = open(scene.address, "/echo/websocket").await.expect("it may still name the session");
        nobody.say(connect.as_str()).await;
        assert_eq!(nobody.closed().await, 4003, "{guess}");
        let mut nobody = open(scene.address, "/echo/0/guesses/websocket").await.expect("likewise");
        assert_eq!(text(&mut nobody).await.as_deref(), Some("o"));
        nobody.say(json!([connect]).to_string()).await;
        assert_eq!(text(&mut nobody).await.as_deref(), Some("c[4003,\"not admitted\"]"), "{guess}");
    }
    scene.bystanders.go_on().await;
    ann.hears_nothing().await;
    let mut bob = open(scene.address, "/echo/websocket").await.unwrap();
    bob.say(packet("connect", "B", &own, json!("{}"))).await;
    assert_eq!(ann.heard().await, "connect B false", "who knows it is let in");
    scene.end(&["viderehab_disconnects_total{reason=\"not_admitted\"}"]).await;
}

/// An EasyRTC client reaches those whose easyrtcid it knows, of its own session.
#[tokio::test]
async fn easyrtcids_that_are_guessed() {
    let mut scene = Scene::begin("[limits]\npackets_per_second = 0\n").await;
    let elsewhere = scene.remote.session().await;
    let (mut ann, _) = enter(&scene.session, &scene.session.key("ann")).await;
    let (mut bob, bobs) = enter(&scene.session, &scene.session.key("bob")).await;
    let (mut stranger, strangers) = enter(&elsewhere, &elsewhere.key("ann")).await;
    let mut guesses = neighbours(&bobs);
    guesses.push(strangers);
    let mut number = 0;
    let mut say = async |event: &str, kind: &str, target: &str, words: &str| {
        number += 1;
        let message = json!({"msgType": kind, "targetEasyrtcid": target, "msgData": words});
        ann.say(format!("42{number}[\"{event}\",{message}]")).await;
        loop {
            // Between the answers are news of the room.
            let heard = text(&mut ann).await.expect("it is not ended");
            if let Some(answer) = heard.strip_prefix(&format!("43{number}")) {
                return answer.to_owned();
            }
        }
    };
    for guess in &guesses {
        for (event, kind) in [("easyrtcMsg", "x"), ("easyrtcCmd", "offer")] {
            let answer = say(event, kind, guess, "to a guess").await;
            assert!(answer.contains("\"msgType\":\"error\""), "{event} to {guess}: {answer}");
        }
        scene.bystanders.go_on().await;
    }
    let answer = say("easyrtcMsg", "x", &bobs, "to him").await;
    assert!(!answer.contains("error"), "{answer}");
    loop {
        let heard = text(&mut bob).await.expect("it is not ended");
        assert!(!heard.contains("to a guess"), "{heard}");
        if heard.contains("to him") {
            break;
        }
    }
    stranger.hears_nothing().await;
    scene.end(&["viderehab_packets_total{verdict=\"refused\"}"]).await;
}
