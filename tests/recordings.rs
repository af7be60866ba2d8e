//! The recordings of the originals, replayed against ours; and spoiled ones, whose replay must fail.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod binary;
mod replay;
#[path = "support/sockjs_services.rs"]
mod sockjs_services;

use std::fs;
use std::path::{Path, PathBuf};

use binary::Binary;
use replay::recording::{Act, Entry};
use replay::target::{Address, Manager, Way};
use replay::{Kind, Outcome, Prepared, Target, Verdict, alter, opentera, treatments};
use serde_json::json;

/// The largest recorded packet is of a megabyte; rates are not what recordings are about.
const LIMITS: &str = "[limits]\nmessage_bytes = 4000000\nlog_bytes = 16000000\npackets_per_second = 0\n\
                      bytes_per_second = 0\nconnections_per_address = 0\n";

fn directory(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(kind)
}

/// The program, and how a replay starts sessions with it.
fn videre(way: Way) -> (Binary, Target) {
    let binary = Binary::start(Path::new(env!("CARGO_BIN_EXE_viderehab")), LIMITS, &[]).expect("the program starts");
    let manager = Manager { url: binary.url.clone(), token: binary.token.clone(), way };
    (binary, Target::Sessions(manager))
}

fn all_pass(outcomes: Vec<Outcome>) {
    for outcome in &outcomes {
        println!("{outcome}");
    }
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.failed()).map(Outcome::to_string).collect();
    assert!(failed.is_empty(), "{} of {} failed\n{}", failed.len(), outcomes.len(), failed.join("\n"));
}

/// Spoiled forms of all recordings that are replayed and are not about time.
fn spoiled(kind: Kind, directory: &Path) -> Vec<Prepared> {
    let prepared = treatments::prepared(directory, kind).expect("the recordings are read");
    let usual: Vec<_> = prepared.iter().filter(|one| one.plan.skip.is_none() && !one.plan.timed).collect();
    let mut spoiled: Vec<_> = usual.iter().flat_map(|one| alter::variants(one)).collect();
    // One is enough: each waits until what never comes is overdue.
    spoiled.extend(usual.iter().find_map(|one| alter::one_more(one)));
    assert!(spoiled.len() > 90, "only {} recordings could be spoiled", spoiled.len());
    spoiled
}

fn all_fail(outcomes: Vec<Outcome>) {
    for outcome in &outcomes {
        match &outcome.verdict {
            Verdict::Failed(reason) => assert!(!reason.starts_with(replay::NO_PLACE), "{outcome}"),
            _ => panic!("nobody notices {}", outcome.name),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn videre_as_recorded() {
    let (_binary, target) = videre(Way::Port);
    all_pass(replay::run(&directory("videre"), Kind::Videre, target).await.expect("the recordings are read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn videre_as_recorded_through_the_front_door() {
    let (_binary, target) = videre(Way::FrontDoor);
    all_pass(replay::run(&directory("videre"), Kind::Videre, target).await.expect("the recordings are read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn videre_as_recorded_on_the_short_path() {
    let (_binary, target) = videre(Way::Ws);
    all_pass(replay::run(&directory("videre"), Kind::Videre, target).await.expect("the recordings are read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn videre_spoiled() {
    let (_binary, target) = videre(Way::Port);
    all_fail(replay::run_all(spoiled(Kind::Videre, &directory("videre")), Kind::Videre, target).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockjs_as_recorded() {
    let services = sockjs_services::start().await;
    let target = Target::Fixed(Address::plain(&services.host()));
    all_pass(replay::run(&directory("sockjs"), Kind::Sockjs, target).await.expect("the recordings are read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sockjs_spoiled() {
    let services = sockjs_services::start().await;
    let target = Target::Fixed(Address::plain(&services.host()));
    all_fail(replay::run_all(spoiled(Kind::Sockjs, &directory("sockjs")), Kind::Sockjs, target).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn opentera_as_recorded() {
    let program = Path::new(env!("CARGO_BIN_EXE_viderehab"));
    let outcomes = opentera::run(&directory("opentera"), program).await.expect("the recordings are read");
    assert!(outcomes.len() > 12, "only {} were replayed", outcomes.len());
    all_pass(outcomes);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn opentera_spoiled() {
    let mut scenarios = opentera::scenario::all(&directory("opentera")).expect("the recordings are read");
    let telling =
        ["connect_disconnect", "creator_device", "lifecycle_basic", "port_pool", "rest_failures", "rpc_errors"];
    scenarios.retain(|scenario| telling.contains(&scenario.name.as_str()));
    let spoiled: Vec<_> = scenarios.iter().flat_map(opentera::spoil::variants).collect();
    assert!(spoiled.len() > 35, "only {} recordings could be spoiled", spoiled.len());
    all_fail(opentera::run_all(spoiled, Path::new(env!("CARGO_BIN_EXE_viderehab"))).await);
}

/// Recording 30 is replayed with raised limits; with those that are shipped its packet ends the
/// connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_packet_over_the_default_limit_closes_with_1009() {
    let binary = Binary::start(Path::new(env!("CARGO_BIN_EXE_viderehab")), "", &[]).expect("the program starts");
    let manager = Manager { url: binary.url.clone(), token: binary.token.clone(), way: Way::Port };
    let mut large = treatments::prepared(&directory("videre"), Kind::Videre).expect("the recordings are read");
    large.retain(|one| one.recording.name == "30-large-payload");
    let entries = &mut large[0].recording.entries;
    let sent = entries.iter().position(|entry| entry.frame().contains("<REPEAT:")).expect("it has a large packet");
    entries.truncate(sent + 1);
    entries[sent].act = Act::Frame(entries[sent].frame().replace(":1000000>", ":262144>"));
    for (client, act) in [
        ("peer1", Act::Event { name: "ws-close".into(), payload: json!({"code": 1009}) }),
        (
            "peer2",
            Act::Frame(r#"{"Header":{"Event":"disconnect","UserId":"U1","RoomId":"room-a"},"Payload":""}"#.into()),
        ),
    ] {
        let server = Entry { from: "server".into(), to: Some(client.into()), act, ..entries[sent].clone() };
        entries.push(server);
    }
    all_pass(replay::run_all(large, Kind::Videre, Target::Sessions(manager)).await);
}

#[test]
fn treated_recordings_are_listed() {
    let listed = fs::read_to_string(directory("opentera").join("TREATED.md")).expect("the list is there");
    let rows = listed.lines().filter(|line| line.starts_with("| `"));
    let table = opentera::TREATMENTS.iter().map(|one| format!("| `{}` | {} |", one.name, one.reason));
    assert_eq!(rows.collect::<Vec<_>>(), table.collect::<Vec<_>>());
    for (kind, name) in [(Kind::Videre, "videre"), (Kind::Sockjs, "sockjs")] {
        let listed = fs::read_to_string(directory(name).join("TREATED.md")).expect("the list is there");
        let rows =
            listed.lines().filter(|line| line.starts_with("| `")).filter(|line| !line.contains(treatments::REFERENCE));
        let table = treatments::table(kind).iter().map(|one| format!("| `{}` | {} |", one.name, one.reason));
        assert_eq!(rows.collect::<Vec<_>>(), table.collect::<Vec<_>>());
        for treatment in treatments::table(kind) {
            let mut files = treatments::prepared(&directory(name), kind).expect("the recordings are read").into_iter();
            assert!(files.any(|one| one.recording.name.starts_with(treatment.name)), "no {}", treatment.name);
        }
    }
}
