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
