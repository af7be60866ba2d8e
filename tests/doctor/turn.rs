//! STUN and TURN servers.

use std::net::{TcpListener, UdpSocket};

use viderehab::config::{IceServer, Turn};

use crate::report::doctor;
use crate::server::config;
use crate::turnserver::TurnServer;

fn stun(url: String) -> IceServer {
    IceServer { urls: vec![url], username: String::new(), credential: String::new() }
}

#[tokio::test]
#[ignore = "needs turnserver"]
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
    let closed_tcp = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let urls = [
        (format!("stun:{closed}"), "refused"),
        (format!("stuns:{closed_tcp}"), "refused"),
        (format!("stun:{}", silent.local_addr().unwrap()), "does not answer"),
        (format!("stun:{babbler}?transport=tcp"), ""),
        ("stun:nobody.invalid".to_owned(), "nobody.invalid"),
        ("http://stun.example".to_owned(), "is no address"),
    ];
    settings.webrtc.ice_servers = urls.iter().map(|(url, _)| stun(url.clone())).collect();
    let report = doctor(&settings).await;
    for (url, words) in urls {
        let fix = report.says(&format!("error  {url}: "), words);
        assert!(fix.contains("webrtc.ice_servers") && (words == "is no address" || fix.contains(" port ")), "{fix}");
    }
}

#[tokio::test]
async fn a_server_with_tls_is_only_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let urls = ["stuns", "turns"].map(|scheme| format!("{scheme}:{}", listener.local_addr().unwrap()));
    let mut settings = config();
    settings.webrtc.ice_servers = urls.iter().map(|url| stun(url.clone())).collect();
    let report = doctor(&settings).await;
    for url in urls {
        report.says(&format!("ok  {url}: "), "over TLS was not looked at");
    }
}

/// Ann's credentials, as coturn has them.
const ANN: [&str; 3] = ["--lt-cred-mech", "--user", "ann:a secret of hers"];

fn ann(urls: Vec<String>) -> IceServer {
    IceServer { urls, username: "ann".to_owned(), credential: "a secret of hers".to_owned() }
}

/// By UDP and by TCP.
const BOTH: [&str; 2] = ["", "?transport=tcp"];

/// What the doctor says of a server that is asked as Ann in these ways: the fix of a finding that
/// must be there for each.
async fn says_of(turn: &TurnServer, ways: &[&str], level: &str, words: &str) -> String {
    let urls: Vec<_> = ways.iter().map(|way| format!("turn:127.0.0.1:{}{way}", turn.port)).collect();
    let mut settings = config();
    settings.webrtc.ice_servers = vec![ann(urls.clone())];
    let report = doctor(&settings).await;
    urls.iter().map(|url| report.says(&format!("{level}  {url}: "), words)).collect()
}

/// Likewise, of a server started with these arguments.
async fn says(arguments: &[&str], ways: &[&str], level: &str, words: &str) -> String {
    says_of(&TurnServer::start_as(arguments), ways, level, words).await
}

#[tokio::test]
#[ignore = "needs turnserver"]
async fn a_turn_server_that_gives_no_relay_is_told_from_one_that_does_not_know_us() {
    let fix =
        says(&["--lt-cred-mech", "--user", "ann:another"], &BOTH, "error", "does not take our credentials: 401").await;
    assert!(fix.contains("webrtc.ice_servers"), "{fix}");
    let fix = says(&[&ANN[..], &["--stun-only"]].concat(), &BOTH, "error", "gives no relay: ").await;
    assert!(fix.contains("stun-only"), "{fix}");
    // Its only port for relays is held; coturn looks for another for so long that it may not answer a second question.
    let held = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let few = [&ANN[..], &["--min-port", &port, "--max-port", &port]].concat();
    let fix = says(&few, &[""], "error", "gives no relay: 508").await;
    assert!(fix.contains("min-port"), "{fix}");
}

#[tokio::test]
#[ignore = "needs turnserver"]
async fn a_turn_server_with_few_relays_is_told_from_one_without_ports() {
    let turn = TurnServer::start_as(&[&ANN[..], &["--total-quota", "1"]].concat());
    let [first, second] = BOTH.map(|way| format!("turn:127.0.0.1:{}{way}", turn.port));
    let mut settings = config();
    settings.webrtc.ice_servers = vec![ann(vec![first.clone(), second.clone()])];
    let report = doctor(&settings).await;
    report.says(&format!("ok  {first}: "), "gives a relay");
    // It counts the relay that we have given back for a little longer.
    let fix = report.says(&format!("warning  {second}: "), "486");
    assert!(fix.contains("total-quota") && !fix.contains("min-port"), "{fix}");
}

#[tokio::test]
#[ignore = "needs turnserver"]
async fn a_relay_is_given_back() {
    for (arguments, level) in [(&ANN[..], "ok"), (&["--no-auth"], "warning")] {
        let turn = TurnServer::start_as(&[arguments, &["--verbose"]].concat());
        says_of(&turn, &BOTH, level, "gives a relay to").await;
        turn.logs("lifetime=0", BOTH.len()).await;
    }
}

#[tokio::test]
#[ignore = "needs turnserver"]
async fn a_turn_server_that_is_open_to_everybody_or_closed_to_stun_is_warned_of() {
    let fix = says(&["--no-auth"], &BOTH, "warning", "gives a relay to everybody").await;
    assert!(fix.contains("use-auth-secret"), "{fix}");
    let fix = says(&[&ANN[..], &["--secure-stun"]].concat(), &BOTH, "warning", "refuses a STUN request: 401").await;
    assert!(fix.contains("secure-stun"), "{fix}");
}

/// Answers a question, and asks for credentials; then it says nothing more.
fn falls_silent(socket: &UdpSocket) {
    let mut asked = [0; 1024];
    while let Ok((length, from)) = socket.recv_from(&mut asked) {
        let attributes: &[u8] = match (asked[1], length) {
            // Binding, and Allocate with nothing but the transport.
            (1, _) => b"",
            (3, 28) => b"\0\x09\0\x04\0\0\x04\x01\0\x14\0\x04here\0\x15\0\x04once",
            _ => continue,
        };
        let class = if attributes.is_empty() { 0 } else { 0x10 };
        let head = [1, asked[1] | class, 0, attributes.len() as u8];
        socket.send_to(&[&head, &asked[4..20], attributes].concat(), from).unwrap();
    }
}

#[tokio::test]
async fn a_turn_server_that_falls_silent_is_seen() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("turn:{}", socket.local_addr().unwrap());
    std::thread::spawn(move || falls_silent(&socket));
    let mut settings = config();
    settings.webrtc.ice_servers = vec![ann(vec![url.clone()])];
    let report = doctor(&settings).await;
    report.says(&format!("ok  {url}: "), "answers");
    assert!(report.says(&format!("error  {url}: "), "gives no relay: does not answer").contains("the server's log"));
}
