//! `viderehab doctor`: each finding, with the fault made on purpose.

#[path = "support/pem.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod pem;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;
#[path = "support/tera.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod tera;
#[path = "support/turnserver.rs"]
mod turnserver;

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pem::Authority;
use server::{TOKEN, config, start};
use tera::{Redis, Rest, with_opentera};
use turnserver::TurnServer;
use viderehab::config::{Config, IceServer, Turn};

/// What the doctor said.
struct Report {
    code: Option<i32>,
    text: String,
}

impl Report {
    /// The finding that begins so and goes on with these words, with its fix.
    #[track_caller]
    fn says(&self, begin: &str, words: &str) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        let at = lines.iter().position(|line| line.starts_with(begin) && line.contains(words));
        let at = at.unwrap_or_else(|| panic!("no finding {begin} … {words} in\n{}", self.text));
        let fix = lines.get(at + 1).and_then(|line| line.strip_prefix("    fix: ")).unwrap_or_default();
        assert_eq!(fix.is_empty(), begin.starts_with("ok"), "{}", self.text);
        fix.to_owned()
    }

    #[track_caller]
    fn is_without_errors(&self) {
        assert!(self.code == Some(0) && !self.text.contains("\nerror"), "{}", self.text);
    }
}

/// A directory of a test, gone when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("viderehab-doctor-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The system cleans up what is left.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the program with this configuration, after what a shell is to do first.
async fn doctor_after(first: &str, config: &Config) -> Report {
    let directory = Directory::new();
    let file = directory.0.join("config.toml");
    fs::write(&file, toml::to_string(config).unwrap()).unwrap();
    let script = format!("{first}\nexec \"$0\" doctor --config \"$1\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_viderehab")]).arg(&file).env("RUST_LOG", "off");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in text.lines() {
        let begin = ["ok  ", "warning  ", "error  ", "    fix: "].into_iter().find(|begin| line.starts_with(begin));
        assert!(begin.is_some(), "{line}");
    }
    assert!(!text.contains(TOKEN) && !text.contains("a secret of"), "{text}");
    let errors = text.lines().filter(|line| line.starts_with("error  ")).count();
    assert_eq!(output.status.code(), Some(i32::from(errors > 0)), "{text}");
    Report { code: output.status.code(), text }
}

async fn doctor(config: &Config) -> Report {
    doctor_after("ulimit -n 4096", config).await
}

#[tokio::test]
async fn a_server_that_may_be_started_has_no_errors() {
    let report = doctor(&config()).await;
    report.is_without_errors();
    report.says("ok  server.listen: ", "is free");
    report.says("ok  open files: ", "4096 are allowed");
    report.says("ok  server.data_dir: ", "in memory");
    report.says("ok  server.tls: ", "this machine alone");
    let fix = report.says("warning  webrtc.ice_servers: ", "no STUN or TURN server");
    assert!(fix.contains("[webrtc.turn]"));
}

#[test]
fn a_configuration_that_cannot_be_read_is_told_apart() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_viderehab"));
    let output = program.arg("doctor").env("VIDEREHAB_WEBRTC__MAX_SESSIONS", "0").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("webrtc.max_sessions"));
}

#[tokio::test]
async fn a_running_server_is_asked() {
    let mut settings = config();
    let server = start(settings.clone()).await;
    server.session().await;
    settings.server.listen = server.address;
    let report = doctor(&settings).await;
    report.is_without_errors();
    report.says("ok  server.listen: ", "is ready");
    assert!(report.text.contains(", 1 serve sessions"), "{}", report.text);

    // With another token it is not known whose the session's port is.
    settings.server.admin_token = "another token than the server's".to_owned();
    doctor(&settings).await.says("warning  webrtc.local_base_port: ", "held by something else");
    server.app.stop().await;
}

#[tokio::test]
async fn an_address_that_another_program_holds_is_named() {
    let mut settings = config();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    settings.server.listen = other.local_addr().unwrap();
    // It answers, but not as we do.
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        while let Ok((mut stream, _)) = other.accept() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let report = doctor(&settings).await;
    let fix = report.says("error  server.listen: ", "held by another program");
    assert!(fix.contains(&settings.server.listen.port().to_string()), "{fix}");

    // An address of nobody's (RFC 5737).
    settings.server.listen = "192.0.2.1:4070".parse().unwrap();
    settings.webrtc.bind = "192.0.2.1".parse().unwrap();
    let report = doctor(&settings).await;
    assert!(report.says("error  server.listen: ", "192.0.2.1:4070").contains("ip address"));
    assert!(report.says("error  webrtc.local_base_port: ", "192.0.2.1").contains("webrtc.bind"));
}

#[tokio::test]
async fn ports_of_the_pool_that_others_hold_are_named() {
    let mut settings = config();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    settings.webrtc.local_base_port = port;
    settings.webrtc.max_sessions = 1;
    let fix = doctor(&settings).await.says("error  webrtc.local_base_port: ", &format!("else: {port}"));
    assert!(fix.contains("webrtc.local_base_port"));
    settings.webrtc.local_base_port = port - 40;
    settings.webrtc.max_sessions = 80;
    doctor(&settings).await.says("warning  webrtc.local_base_port: ", "held by something else");
}

#[tokio::test]
async fn too_few_descriptors_are_seen() {
    let report = doctor_after("ulimit -n 140", &config()).await;
    assert!(report.says("error  open files: ", "140 are allowed").contains("LimitNOFILE=1716"), "{}", report.text);
    let report = doctor_after("ulimit -n 200", &config()).await;
    report.says("warning  open files: ", "200 are allowed");
}

#[tokio::test]
async fn a_data_directory_is_looked_at() {
    let mut settings = config();
    let directory = Directory::new();
    settings.server.data_dir = directory.0.join("new/data").display().to_string();
    doctor(&settings).await.says("ok  server.data_dir: ", "is not there yet");
    assert!(!directory.0.join("new").exists(), "the doctor changes nothing");

    settings.server.data_dir = directory.0.display().to_string();
    let file = directory.0.join("admin_token");
    fs::write(&file, "0123456789abcdef").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let report = doctor(&settings).await;
    report.says("ok  server.data_dir: ", "can be written");
    report.says("ok  disk: ", "MiB are free");
    report.says(&format!("ok  {}: ", file.display()), "mode 0600");
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1, "the doctor leaves nothing behind");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let fix = doctor(&settings).await.says(&format!("error  {}: ", file.display()), "mode 0640");
    assert!(fix.starts_with(&format!("chmod 600 {}", file.display())));

    // Nobody, root neither, can write here, and there is no room.
    settings.server.data_dir = "/proc/viderehab".to_owned();
    let report = doctor(&settings).await;
    assert!(report.says("error  server.data_dir: ", "cannot be written").contains("chown"));
    report.says("error  disk: ", "0 MiB");
}

#[tokio::test]
async fn a_certificate_is_looked_at() {
    let mut settings = config();
    let authority = Authority::new();
    let files = authority.files();
    settings.server.tls = Some(files.clone());
    doctor(&settings).await.says("error  server.tls.cert: ", &files.cert);

    authority.issue();
    fs::remove_file(&files.key).unwrap();
    doctor(&settings).await.says("error  server.tls.key: ", &files.key);
    authority.issue();
    let report = doctor(&settings).await;
    report.is_without_errors();
    report.says("ok  server.tls.key: ", "mode 0600");
    report.says("ok  server.tls.key: ", "is the key of");
    report.says("ok  server.tls.cert: ", "names 127.0.0.1");
    report.says("ok  server.tls.cert: ", "is good until");

    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(doctor(&settings).await.says("error  server.tls.key: ", "mode 0644").starts_with("chmod o= "));
    authority.issue();
    settings.webrtc.hostname = "clinic.example".to_owned();
    doctor(&settings).await.says("error  server.tls.cert: ", "is not for clinic.example");
    settings.server.public_url = "https://127.0.0.1:1/".to_owned();
    doctor(&settings).await.says("ok  server.tls.cert: ", "names 127.0.0.1");

    let today = (SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400) as i64;
    for (from, until, level, words) in [
        (-10, -1, "error", "has ended on"),
        (1, 90, "error", "is good from"),
        (-10, 29, "warning", "more days"),
        (-10, 32, "ok", "more days"),
    ] {
        authority.issue_as(|about| {
            // The library's own type of moments, taken from a date that it makes.
            let epoch = rcgen::date_time_ymd(1970, 1, 1);
            let days = |days: i64| Duration::from_secs((today + days) as u64 * 86_400);
            (about.not_before, about.not_after) = (epoch + days(from), epoch + days(until));
        });
        doctor(&settings).await.says(&format!("{level}  server.tls.cert: "), words);
    }

    let other = Authority::new();
    other.issue();
    fs::copy(other.files().key, &files.key).unwrap();
    doctor(&settings).await.says("error  server.tls.key: ", "is not the key of");
    fs::write(&files.key, "no key").unwrap();
    doctor(&settings).await.says("error  server.tls.key: ", "holds no private key");
}

#[tokio::test]
async fn without_tls_a_public_host_is_warned_of() {
    let mut settings = config();
    settings.webrtc.hostname = "clinic.invalid".to_owned();
    let fix = doctor(&settings).await.says("warning  server.tls: ", "http://clinic.invalid");
    assert!(fix.contains("server.public_url"));
}

fn stun(url: String) -> IceServer {
    IceServer { urls: vec![url], username: String::new(), credential: String::new() }
}

#[tokio::test]
async fn a_turn_server_is_asked_for_a_relay() {
    let turn = TurnServer::start("a secret of the north");
    let mut settings = config();
    let (udp, tcp) = (format!("turn:127.0.0.1:{}", turn.port), format!("turn:127.0.0.1:{}?transport=tcp", turn.port));
    settings.webrtc.ice_servers = vec![stun(format!("stun:127.0.0.1:{}", turn.port))];
    settings.webrtc.turn =
        Some(Turn { urls: vec![udp.clone(), tcp.clone()], secret: "a secret of the north".to_owned(), ttl_secs: 60 });
    let report = doctor(&settings).await;
    report.is_without_errors();
    report.says(&format!("ok  stun:127.0.0.1:{}: ", turn.port), "answers");
    for url in [&udp, &tcp] {
        report.says(&format!("ok  {url}: "), "answers");
        report.says(&format!("ok  {url}: "), "gives a relay");
    }

    settings.webrtc.turn.as_mut().unwrap().secret = "a secret of the south".to_owned();
    let report = doctor(&settings).await;
    for url in [&udp, &tcp] {
        report.says(&format!("ok  {url}: "), "answers");
        assert!(report.says(&format!("error  {url}: "), "401").contains("static-auth-secret"));
    }
    settings.webrtc.turn = None;
    settings.webrtc.ice_servers = vec![stun(udp.clone())];
    doctor(&settings).await.says(&format!("error  {udp}: "), "no credentials");
}

#[tokio::test]
async fn a_stun_server_that_is_not_there_is_named() {
    let mut settings = config();
    // One port is closed, one is open and silent, one answers nonsense; the name is nobody's.
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nonsense = TcpListener::bind("127.0.0.1:0").unwrap();
    let babbler = nonsense.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::Write;
        while let Ok((mut stream, _)) = nonsense.accept() {
            let _ = stream.write_all(&[b'x'; 100_000]);
        }
    });
    let urls = [
        (format!("stun:{closed}"), "refused"),
        (format!("stun:{}", silent.local_addr().unwrap()), "does not answer"),
        (format!("stun:{babbler}?transport=tcp"), ""),
        ("stun:nobody.invalid".to_owned(), "nobody.invalid"),
        ("http://stun.example".to_owned(), "is no address"),
    ];
    settings.webrtc.ice_servers = urls.iter().map(|(url, _)| stun(url.clone())).collect();
    let report = doctor(&settings).await;
    for (url, words) in urls {
        report.says(&format!("error  {url}: "), words);
    }
}

/// What an OpenTera server writes into Redis when it starts.
async fn server_starts(redis: &Redis) {
    redis.server_starts("key1").await;
    for kind in ["User", "Participant", "Device", "ParticipantStatic", "DeviceStatic"] {
        redis.ask::<()>(&["SET", &format!("{kind}TokenAPIKey"), "key2"]).await;
    }
}

#[tokio::test]
async fn redis_is_looked_at() {
    let (mut redis, rest) = (Redis::start().await, Rest::start().await);
    let mut settings = with_opentera(config(), &redis, &rest);
    let report = doctor(&settings).await;
    report.says("ok  opentera.redis: ", "lets us in");
    assert!(report.says("error  service.VideoRehabService: ", "no key").contains("opentera.service_name"));

    redis.server_starts("key1").await;
    let report = doctor(&settings).await;
    report.is_without_errors();
    report.says("ok  service.VideoRehabService: ", "is there");
    report.says("warning  keys of tokens: ", "UserTokenAPIKey");
    server_starts(&redis).await;
    doctor(&settings).await.says("ok  keys of tokens: ", "all are there");

    settings.server.listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fix = doctor(&settings).await.says("warning  service.VideoRehabService: ", "names port 4070");
    assert!(fix.contains("set server.listen to port 4070"));
    redis.ask::<()>(&["SET", "service.VideoRehabService", "junk"]).await;
    doctor(&settings).await.says("error  service.VideoRehabService: ", "cannot be read");

    redis.ask::<()>(&["CONFIG", "SET", "requirepass", "a secret of the east"]).await;
    let fix = doctor(&settings).await.says("error  opentera.redis: ", "NOAUTH");
    assert!(fix.contains("password"));
    settings.opentera.as_mut().unwrap().redis.password = "a secret of the west".to_owned();
    doctor(&settings).await.says("error  opentera.redis: ", "");
    settings.opentera.as_mut().unwrap().redis.password = "a secret of the east".to_owned();
    doctor(&settings).await.says("ok  opentera.redis: ", "lets us in");

    redis.kill();
    let report = doctor(&settings).await;
    report.says("error  opentera.redis: ", "refused");
    report.says("warning  opentera.backend: ", "without Redis");
}

#[tokio::test]
async fn the_opentera_server_is_looked_at() {
    let (redis, rest) = (Redis::start().await, Rest::start().await);
    server_starts(&redis).await;
    rest.require("key1");
    let mut settings = with_opentera(config(), &redis, &rest);
    let report = doctor(&settings).await;
    report.is_without_errors();
    report.says("ok  opentera.backend.ca_file: ", "is believed");
    report.says("ok  opentera.backend: ", "takes the service's token");

    redis.ask::<()>(&["SET", "ServiceTokenAPIKey", "another server's"]).await;
    assert!(doctor(&settings).await.says("error  opentera.backend: ", "401").contains("this very server"));
    server_starts(&redis).await;
    rest.fault("GET /api/service/sessions?id_session=0", tera::Fault::Status(502));
    doctor(&settings).await.says("error  opentera.backend: ", "502");

    let other = Authority::new();
    settings.opentera.as_mut().unwrap().backend.ca_file = other.file().display().to_string();
    assert!(
        doctor(&settings).await.says("error  opentera.backend: ", "certificate").contains("opentera.backend.ca_file")
    );
    settings.opentera.as_mut().unwrap().backend.ca_file = {
        fs::write(other.directory.join("empty.pem"), "nothing").unwrap();
        other.directory.join("empty.pem").display().to_string()
    };
    doctor(&settings).await.says("error  opentera.backend.ca_file: ", "holds no certificate");
    settings.opentera.as_mut().unwrap().backend.verify = false;
    assert!(doctor(&settings).await.says("warning  opentera.backend.verify: ", "is false").contains("verify = true"));

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    settings.opentera.as_mut().unwrap().backend.port = closed;
    doctor(&settings).await.says("error  opentera.backend: ", "refused");
}
