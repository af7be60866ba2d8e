//! TLS in the server itself: what it carries, how its certificate changes, and who cannot hold it up.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod binary;
#[path = "support/pem.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod pem;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use binary::Binary;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use pem::Authority;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version};
use serde_json::{Value, json};
use server::{Peer, SOON, Server, TOKEN, config, packet, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::client_async;

/// How long the server may take to see that its certificate's files have changed.
const SEEN: Duration = Duration::from_secs(15);

/// How long it may take when it is told: it looks by itself every two seconds.
const TOLD: Duration = Duration::from_secs(1);

/// A server with a certificate of this CA.
async fn secure(authority: &Authority) -> Server {
    let mut settings = config();
    settings.server.tls = Some(authority.files());
    start(settings).await
}

/// A client that believes this CA alone.
fn client(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn connect(authority: &Authority, address: SocketAddr) -> TlsStream<TcpStream> {
    connect_as(client(authority, &[&version::TLS13]), address).await
}

async fn connect_as(client: TlsConnector, address: SocketAddr) -> TlsStream<TcpStream> {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connecting = async { client.connect(name, TcpStream::connect(address).await.unwrap()).await };
    tokio::time::timeout(SOON, connecting).await.expect("a handshake in time").expect("a certificate that is believed")
}

/// The certificate that the server shows.
fn shown(stream: &TlsStream<TcpStream>) -> &CertificateDer<'static> {
    &stream.get_ref().1.peer_certificates().unwrap()[0]
}

async fn ask(stream: TlsStream<TcpStream>, method: Method, path: &str, body: String) -> (StatusCode, HeaderMap, Bytes) {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
    let request = request.header("authorization", format!("Bearer {TOKEN}")).body(Full::new(Bytes::from(body)));
    let exchange = async {
        let (parts, body) = sender.send_request(request.unwrap()).await.unwrap().into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    };
    tokio::time::timeout(SOON, exchange).await.expect("an answer in time")
}

/// Starts a session over https; the reply's session.
async fn session(authority: &Authority, address: SocketAddr) -> Value {
    let arguments = json!({"action": "start", "id_session": 0, "session_users": ["ann"]});
    let body = json!({"session_manage": arguments}).to_string();
    let stream = connect(authority, address).await;
    let (status, _, body) = ask(stream, Method::POST, "/rpc/session_manage", body).await;
    assert_eq!(status, StatusCode::OK, "{body:?}");
    serde_json::from_slice::<Value>(&body).unwrap()["session"].clone()
}

/// A socket of the session through the front door, in its room.
async fn joined(authority: &Authority, address: SocketAddr, session: &Value, user: &str) -> Peer<TlsStream<TcpStream>> {
    let url = session["session_url_users"].as_str().unwrap();
    let (_, path) = url.split_once("/webrtc/").unwrap();
    let stream = connect(authority, address).await;
    let path = path.replace("/users?", "/ws?");
    let (socket, _) = client_async(format!("wss://{address}/webrtc/{path}"), stream).await.unwrap();
    let mut peer = Peer { socket };
    peer.join(user, "main").await;
    peer
}

#[tokio::test]
async fn https_carries_the_manager_and_is_what_urls_and_cookies_say() {
    let authority = Authority::new();
    authority.issue();
    let server = secure(&authority).await;
    assert!(server.app.url().starts_with("https://127.0.0.1:"), "{}", server.app.url());
    assert!(server.app.dashboard_url().starts_with(server.app.url()));
    for (offered, spoken) in [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let stream = connect_as(client(&authority, &[offered]), server.address).await;
        assert_eq!(stream.get_ref().1.protocol_version(), Some(spoken));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(ask(stream, Method::GET, "/readyz", String::new()).await.0, StatusCode::OK);
    }
    let session = session(&authority, server.address).await;
    let url = session["session_url_users"].as_str().unwrap();
    assert!(url.starts_with(&format!("https://127.0.0.1:{}/webrtc/", server.address.port())), "{url}");

    let dashboard = server.app.dashboard_url().split_once("/rehab").unwrap().1;
    for path in [&url[url.find("/webrtc/").unwrap()..], &format!("/rehab{dashboard}")] {
        let (_, headers, _) = ask(connect(&authority, server.address).await, Method::GET, path, String::new()).await;
        let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
        assert!(!cookies.is_empty(), "{path}");
        for cookie in cookies {
            assert!(cookie.to_str().unwrap().contains("; Secure"), "{cookie:?}");
        }
    }
    server.app.stop().await;
}

#[tokio::test]
async fn peers_exchange_packets_by_wss_through_the_front_door() {
    let authority = Authority::new();
    authority.issue();
    let server = secure(&authority).await;
    let session = session(&authority, server.address).await;
    let mut ann = joined(&authority, server.address, &session, "A").await;
    let mut bob = joined(&authority, server.address, &session, "B").await;
    assert_eq!(ann.heard().await, "connect B false");
    let long = "x".repeat(100_000);
    ann.say(packet("broadcast", "A", "main", json!(long))).await;
    assert_eq!(bob.heard().await, format!("broadcast A {long}"));
    drop(bob);
    assert_eq!(ann.heard().await, "disconnect B ");
    server.app.stop().await;
}

#[tokio::test]
async fn a_changed_certificate_is_shown_while_a_connection_lives() {
    let authority = Authority::new();
    let first = authority.issue();
    let server = secure(&authority).await;
    assert_eq!(shown(&connect(&authority, server.address).await).as_ref(), first);
    let session = session(&authority, server.address).await;
    let mut ann = joined(&authority, server.address, &session, "A").await;

    let second = authority.issue();
    let deadline = Instant::now() + SEEN;
    while shown(&connect(&authority, server.address).await).as_ref() != second {
        assert!(Instant::now() < deadline, "the new certificate is not shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut bob = joined(&authority, server.address, &session, "B").await;
    assert_eq!(ann.heard().await, "connect B false");
    bob.say(packet("broadcast", "B", "main", json!("still here"))).await;
    assert_eq!(ann.heard().await, "broadcast B still here");
    server.app.stop().await;
}

#[tokio::test]
async fn a_hang_up_shows_a_changed_certificate_at_once() {
    let authority = Authority::new();
    authority.issue();
    let files = authority.files();
    let settings = [("VIDEREHAB_SERVER__TLS__CERT", &*files.cert), ("VIDEREHAB_SERVER__TLS__KEY", &*files.key)];
    let binary = Binary::start(env!("CARGO_BIN_EXE_viderehab").as_ref(), "", &settings).unwrap();
    let address = binary.url.trim_start_matches("https://").parse().unwrap();
    // If it were its own look that showed one of them in time, the next would come when it has just looked.
    for _ in 0..3 {
        let next = authority.issue();
        binary.signal("HUP");
        let deadline = Instant::now() + TOLD;
        while shown(&connect(&authority, address).await).as_ref() != next {
            assert!(Instant::now() < deadline, "the new certificate is not shown");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_pair_that_cannot_be_used_leaves_the_old_one_in_use() {
    let authority = Authority::new();
    let first = authority.issue();
    let server = secure(&authority).await;
    let files = authority.files();
    let (cert, key) = (std::fs::read_to_string(&files.cert).unwrap(), std::fs::read_to_string(&files.key).unwrap());
    let other = Authority::new();
    other.issue();
    let foreign = std::fs::read_to_string(other.files().key).unwrap();
    for (cert, key, named) in [
        (&cert[..cert.len() / 2], &key[..], "server.tls.cert: "),
        ("", &key, "server.tls.cert: "),
        (&cert, &key[..key.len() / 2], "server.tls.key: "),
        (&cert, "no key", "server.tls.key: "),
        (&key, &key, "server.tls.cert: "),
        (&cert, &foreign, "is not the key of the certificate"),
    ] {
        std::fs::write(&files.cert, cert).unwrap();
        std::fs::write(&files.key, key).unwrap();
        let error = server.app.reload_certificate().expect_err(named).to_string();
        assert!(error.contains(named), "{error}");
        assert!(!error.contains("PRIVATE") && !error.contains(&foreign[40..60]), "{error}");
        assert_eq!(shown(&connect(&authority, server.address).await).as_ref(), first, "{error}");
    }
    std::fs::remove_file(&files.key).unwrap();
    assert!(server.app.reload_certificate().unwrap_err().to_string().starts_with("server.tls.key: "));
    let second = authority.issue();
    server.app.reload_certificate().unwrap();
    assert_eq!(shown(&connect(&authority, server.address).await).as_ref(), second);
    server.app.stop().await;
}

#[tokio::test]
async fn plain_http_ends_its_own_connection_alone() {
    let authority = Authority::new();
    authority.issue();
    let server = secure(&authority).await;
    let session = session(&authority, server.address).await;
    let mut ann = joined(&authority, server.address, &session, "A").await;
    let mut bob = joined(&authority, server.address, &session, "B").await;
    assert_eq!(ann.heard().await, "connect B false");
    let long = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9000\r\n\r\n{}", "x".repeat(9000));
    for (said, told) in [
        ("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n", true),
        (&long, true),
        ("\u{16}\u{3}\u{1}\0\u{5}hello", false),
        ("\0\0\0", false),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.expect("an end in time");
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(text.starts_with("HTTP/1.1 400 "), told, "{text}");
        if told {
            read.expect("the answer is not cut off");
            assert!(text.contains("\r\nContent-Length: 35\r\n") && text.ends_with("for https alone.\r\n"), "{text}");
            assert_eq!(text.split_once("\r\n\r\n").unwrap().1.len(), 35);
        }
        ann.say(packet("broadcast", "A", "main", json!("on"))).await;
        assert_eq!(bob.heard().await, "broadcast A on");
    }
    server.app.stop().await;
}

#[tokio::test]
async fn a_handshake_that_never_ends_holds_up_nobody_and_is_ended() {
    let authority = Authority::new();
    authority.issue();
    let mut settings = config();
    settings.server.tls = Some(authority.files());
    settings.limits.handshake_secs = 2;
    let server = start(settings).await;
    let mut unfinished = Vec::new();
    for number in 0..40 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // Half say nothing; half begin a record and leave it there.
        if number % 2 == 0 {
            stream.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        }
        unfinished.push(stream);
    }
    let since = Instant::now();
    let stream = connect(&authority, server.address).await;
    assert_eq!(ask(stream, Method::GET, "/healthz", String::new()).await.0, StatusCode::OK);
    assert!(since.elapsed() < Duration::from_secs(2), "another's handshake took {:?}", since.elapsed());
    for mut stream in unfinished {
        let ended = tokio::time::timeout(SOON, stream.read(&mut [0; 64])).await.expect("its end in time");
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    server.app.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_handshakes() {
    let authority = Authority::new();
    authority.issue();
    let server = secure(&authority).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let _speaks = connect(&authority, server.address).await;
    let since = Instant::now();
    server.app.stop().await;
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
}

#[test]
fn the_program_refuses_a_pair_that_cannot_be_used_by_the_keys_name() {
    let authority = Authority::new();
    let files = authority.files();
    let run = |command: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_viderehab"));
        program.arg(command).env("VIDEREHAB_SERVER__LISTEN", "127.0.0.1:0").env("VIDEREHAB_SERVER__DATA_DIR", "");
        program.env("VIDEREHAB_SERVER__TLS__CERT", &files.cert).env("VIDEREHAB_SERVER__TLS__KEY", &files.key);
        let output = program.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run("check");
    assert!(code == Some(2) && said.contains("server.tls.cert"), "{code:?} {said}");
    authority.issue();
    assert_eq!(run("check").0, Some(0));
    std::fs::write(&files.key, "nothing").unwrap();
    for (command, expected) in [("check", 2), ("serve", 1)] {
        let (code, said) = run(command);
        assert!(code == Some(expected) && said.contains("server.tls.key"), "{code:?} {said}");
    }
}

#[tokio::test]
async fn the_command_line_reaches_the_server_that_shows_the_configured_certificate() {
    let authority = Authority::new();
    authority.issue_as(|about| about.subject_alt_names.clear());
    let server = secure(&authority).await;
    let list = |files: viderehab::config::Tls| async move {
        let run = move || {
            let mut program = Command::new(env!("CARGO_BIN_EXE_viderehab"));
            program.args(["session", "list"]).env("VIDEREHAB_SERVER__LISTEN", server.address.to_string());
            program.env("VIDEREHAB_SERVER__TLS__CERT", files.cert).env("VIDEREHAB_SERVER__TLS__KEY", files.key);
            program.env("VIDEREHAB_SERVER__ADMIN_TOKEN", TOKEN).output().unwrap()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let listed = list(authority.files()).await;
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let other = Authority::new();
    other.issue();
    let refused = list(other.files()).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("server.tls.cert"), "{said}");
    server.app.stop().await;
}
