//! The store's file, in every state that a disk can leave it in: the program says what is wrong with which file, and
//! loses nothing of it; and a disk that fills up under it ends no call.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod binary;
#[path = "support/bystanders.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod bystanders;
#[path = "support/remote.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod remote;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use binary::Binary;
use bystanders::Bystanders;
use hyper::Method;
use redb::ReadableTable;
use remote::Remote;
use serde_json::{Value, json};
use server::{open, send};

const PROGRAM: &str = env!("CARGO_BIN_EXE_viderehab");

/// A directory of data that goes with the test.
struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("viderehab-store-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn start(&self, program: &Path) -> Result<Binary, String> {
        Binary::start(program, "", &[("VIDEREHAB_SERVER__DATA_DIR", &self.0.display().to_string())])
    }

    /// The one file that is the store.
    fn file(&self) -> PathBuf {
        let mut files = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        files.find(|file| file.extension().is_some_and(|extension| extension == "redb")).expect("a store")
    }

    /// A program of a few lines of shell.
    fn script(&self, lines: &str) -> PathBuf {
        let file = self.0.join("program");
        fs::write(&file, format!("#!/bin/sh\n{lines}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        file
    }

    /// A store with a session in it.
    async fn with_a_session(&self) -> i64 {
        let binary = self.start(Path::new(PROGRAM)).unwrap();
        let id = Remote::of(&binary).session().await.id();
        binary.signal("TERM");
        drop(binary);
        id
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program does not start on this file, says why, and leaves the file as it is but for the
/// mark that the database puts into the header of one that it tried to repair.
fn is_refused(data: &Data, what: &str) {
    is_refused_by(Path::new(PROGRAM), data, what);
}

fn is_refused_by(program: &Path, data: &Data, what: &str) {
    const HEADER: usize = 64;
    let file = data.file();
    let beyond_the_header = || fs::read(&file).ok().map(|bytes| bytes.get(HEADER..).map(<[u8]>::to_vec));
    let before = beyond_the_header();
    let said = data.start(program).err().unwrap_or_else(|| panic!("{what}: it started"));
    assert!(said.contains(&file.display().to_string()), "{what}: it names the file: {said}");
    assert!(!said.contains("panicked"), "{what}: {said}");
    assert!(beyond_the_header() == before, "{what}: the file is as it was");
}

#[tokio::test]
async fn a_truncated_store() {
    let data = Data::new("truncated");
    data.with_a_session().await;
    let whole = fs::read(data.file()).unwrap();
    for length in [whole.len() / 2, 4096, 100] {
        fs::write(data.file(), &whole[..length]).unwrap();
        is_refused(&data, &format!("{length} of {} bytes", whole.len()));
    }
    fs::write(data.file(), whole).unwrap();
    let binary = data.start(Path::new(PROGRAM)).expect("whole again, it is read again");
    assert!(Remote::of(&binary).metric("viderehab_sessions").await == 1);
}

#[tokio::test]
async fn a_foreign_or_a_spoiled_store() {
    let data = Data::new("foreign");
    data.with_a_session().await;
    let whole = fs::read(data.file()).unwrap();
    fs::write(data.file(), b"SQLite format 3\0and so on, for a while").unwrap();
    is_refused(&data, "another program's file");
    let mut newer = whole.clone();
    // The version of the file's format stands behind its magic number.
    newer[64..128].fill(0xff);
    fs::write(data.file(), &newer).unwrap();
    is_refused(&data, "a format of another time");
    fs::remove_file(data.file()).unwrap();
    fs::create_dir(data.0.join("viderehab.redb")).unwrap();
    is_refused(&data, "a directory");
}

/// A record of an earlier version lacks what came later; one that nobody wrote is told by the file and the session.
#[tokio::test]
async fn an_older_and_a_spoiled_record() {
    let data = Data::new("record");
    let id = data.with_a_session().await;
    let change = |change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let transaction = redb::Database::open(data.file()).unwrap().begin_write().unwrap();
        let mut table = transaction.open_table(redb::TableDefinition::<i64, &[u8]>::new("sessions")).unwrap();
        let record = table.get(id).unwrap().expect("the session's").value().to_vec();
        table.insert(id, change(record).as_slice()).unwrap();
        drop(table);
        transaction.commit().unwrap();
    };
    change(&|record| {
        let mut record: Value = serde_json::from_slice(&record).unwrap();
        let run = record["run"].as_object_mut().expect("it runs");
        for later in ["creator_gone", "unserved"] {
            assert!(run.remove(later).is_some(), "{later}");
        }
        serde_json::to_vec(&record).unwrap()
    });
    let binary = data.start(Path::new(PROGRAM)).expect("what it lacks has a meaning");
    assert_eq!(Remote::of(&binary).metric("viderehab_sessions").await, 1);
    binary.signal("TERM");
    drop(binary);
    change(&|record| record[..record.len() / 2].to_vec());
    let said = data.start(Path::new(PROGRAM)).err().expect("it is not read");
    let named = format!("server.data_dir: {}: the record of session {id} cannot be read", data.file().display());
    assert!(said.contains(&named) && !said.contains("panicked"), "{said}");
}

/// What an operator made beforehand is closed to others, since keys are in it.
#[tokio::test]
async fn secrets_are_for_their_owner_alone() {
    let data = Data::new("private");
    data.with_a_session().await;
    let files = [data.file(), data.0.join("admin_token")];
    fs::write(&files[1], "").unwrap();
    for file in &files {
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let _binary = data.start(Path::new(PROGRAM)).unwrap();
    for file in &files {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

/// Root may write what is read-only, unless that right is taken from it.
#[tokio::test]
async fn a_read_only_store() {
    let data = Data::new("read-only");
    data.with_a_session().await;
    fs::set_permissions(data.file(), fs::Permissions::from_mode(0o400)).unwrap();
    let subject = "[ \"$(id -u)\" != 0 ] || set -- setpriv --bounding-set=-dac_override \"$@\"\n";
    let program = data.script(&format!("set -- '{PROGRAM}' \"$@\"\n{subject}exec \"$@\"\n"));
    is_refused_by(&program, &data, "read-only");
    fs::set_permissions(data.file(), fs::Permissions::from_mode(0o600)).unwrap();
    let binary = data.start(&program).unwrap();
    assert_eq!(Remote::of(&binary).metric("viderehab_sessions").await, 1);
}

#[tokio::test]
async fn an_empty_store_is_a_new_one() {
    let data = Data::new("empty");
    data.with_a_session().await;
    fs::write(data.file(), b"").unwrap();
    let binary = data.start(Path::new(PROGRAM)).unwrap();
    assert_eq!(Remote::of(&binary).metric("viderehab_sessions").await, 0);
}

#[tokio::test]
async fn a_store_that_is_in_use() {
    let data = Data::new("in-use");
    let binary = data.start(Path::new(PROGRAM)).unwrap();
    let mut bystanders = Bystanders::meet(&Remote::of(&binary).session().await).await;
    let said = data.start(Path::new(PROGRAM)).err().expect("one program a store");
    assert!(said.contains(&data.file().display().to_string()), "{said}");
    bystanders.go_on().await;
}

/// Files may not grow beyond a bound, which is how a full disk looks to a program.
#[tokio::test]
async fn a_full_disk() {
    let data = Data::new("full");
    data.with_a_session().await;
    // Blocks of 512 bytes; a little more than there is.
    let blocks = fs::metadata(data.file()).unwrap().len() / 512 + 64;
    let bounded = data.script(&format!("trap '' XFSZ\nulimit -f {blocks}\nexec '{PROGRAM}' \"$@\"\n"));
    let binary = data.start(&bounded).unwrap();
    let remote = Remote::of(&binary);
    let session = remote.session().await;
    let mut bystanders = Bystanders::meet(&remote.session().await).await;
    let mut refused = 0;
    for number in 0..40 {
        let start = json!({"session_manage": {
            "action": "start", "id_session": 0, "creator_uuid": format!("C{number}"),
            "parameters": {"text": "x".repeat(400_000)}, "session_users": [format!("C{number}")]
        }});
        let answer = remote.call(&start).await;
        match answer.status.as_u16() {
            200 => {}
            status => {
                refused += 1;
                assert!((500..600).contains(&status), "{status} {}", answer.text());
                assert!(answer.text().contains("store"), "{}", answer.text());
            }
        }
        bystanders.go_on().await;
        if refused > 2 {
            break;
        }
    }
    assert!(refused > 2, "the disk never was full");
    // Whoever is put out stays out, written down or not.
    let remove = json!({"session_manage": {
        "action": "remove", "id_session": session.id(), "session_participants": ["bob"]
    }});
    let _ = remote.call(&remove).await;
    assert!(open(session.address(), &format!("/ws?key={}", session.key("bob"))).await.is_err());
    assert!(open(session.address(), &format!("/ws?key={}", session.key("ann"))).await.is_ok());
    let healthy = send(remote.address, Method::GET, "/healthz", &[], String::new()).await;
    assert_eq!(healthy.status, 200);
    bystanders.go_on().await;
}
