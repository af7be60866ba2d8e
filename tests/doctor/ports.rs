//! The address and the ports that a server listens on.

use std::fs;
use std::net::TcpListener;

use viderehab::config::Config;

use crate::machine::{can, without};
use crate::opentera::absent;
use crate::pem::Authority;
use crate::report::{doctor, doctor_after};
use crate::server::{config, start};

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
async fn a_server_that_is_not_ready_is_told_apart() {
    let mut settings = Config { opentera: Some(absent()), ..config() };
    let server = start(settings.clone()).await;
    settings.server.listen = server.address;
    let report = doctor(&settings).await;
    let fix = report.says("warning  server.listen: ", &format!("a viderehab runs on {}", server.address));
    // Connecting to it, or refused by it by now.
    let first = report.text.lines().next().unwrap();
    assert!(first.contains("is not ready: ") && first.contains("Redis"), "{first}");
    assert!(fix.contains("log"), "{fix}");
    server.app.stop().await;
}

#[tokio::test]
async fn a_program_that_says_nothing_is_no_server_of_ours() {
    let mut settings = config();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    settings.server.listen = silent.local_addr().unwrap();
    doctor(&settings).await.says("error  server.listen: ", "held by another program (no answer in time)");
}

/// Whoever ends what holds the port might end the sessions with it.
#[tokio::test]
async fn a_server_that_its_certificate_does_not_prove_is_not_taken_for_another_program() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.issue();
    other.issue();
    let mut settings = config();
    settings.server.tls = Some(authority.files());
    let server = start(settings.clone()).await;
    settings.server.listen = server.address;
    // Half a renewal: the server keeps the pair that it has.
    fs::copy(other.files().cert, authority.files().cert).unwrap();
    let report = doctor(&settings).await;
    let fix = report.says("error  server.listen: ", "or a viderehab that cannot be asked (TLS with server.tls.cert");
    assert!(fix.starts_with("mend what is said of server.tls"), "{fix}");
    report.says("error  server.tls.key: ", "is not the key of");

    fs::remove_file(authority.files().cert).unwrap();
    doctor(&settings).await.says("error  server.listen: ", &authority.files().cert);
    server.app.stop().await;
}

#[tokio::test]
async fn a_port_that_takes_more_rights_is_named() {
    const FIRST_FREE: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    if !can("ports that take rights", &format!("[ \"$(cat {FIRST_FREE})\" -gt 1 ]")) {
        return;
    }
    let first_free: u16 = fs::read_to_string(FIRST_FREE).unwrap().trim().parse().unwrap();
    let mut settings = config();
    settings.server.listen.set_port(first_free - 1);
    settings.webrtc.local_base_port = first_free - 1;
    settings.webrtc.max_sessions = 1;
    let report = doctor_after(&without(&["net_bind_service"]), &settings).await;
    let fix = report.says("error  server.listen: ", "Permission denied");
    assert!(fix.starts_with("set server.listen to a port") && fix.contains("CAP_NET_BIND_SERVICE"), "{fix}");
    let fix = report.says("error  webrtc.local_base_port: ", "Permission denied");
    assert!(fix.starts_with("set webrtc.local_base_port to a port"), "{fix}");
}

/// A link-local address is not one without the name of its link.
#[tokio::test]
async fn an_address_that_the_system_refuses_is_named() {
    let mut settings = config();
    settings.server.listen = "[fe80::1]:4070".parse().unwrap();
    settings.webrtc.bind = settings.server.listen.ip();
    let report = doctor(&settings).await;
    let fix = report.says("error  server.listen: ", "[fe80::1]:4070 cannot be bound");
    assert!(fix.starts_with("set server.listen to an address"), "{fix}");
    let fix = report.says("error  webrtc.local_base_port: ", "[fe80::1]:");
    assert!(fix.starts_with("set webrtc.bind to an address"), "{fix}");
}

#[tokio::test]
async fn the_servers_own_port_is_none_of_the_pools() {
    let mut settings = config();
    settings.server.listen.set_port(settings.webrtc.local_base_port + 1);
    let words = format!("held by something else: {} (server.listen)", settings.server.listen.port());
    let fix = doctor(&settings).await.says("warning  webrtc.local_base_port: ", &words);
    assert!(fix.contains("another webrtc.local_base_port"), "{fix}");
}

#[tokio::test]
async fn of_many_ports_that_are_held_ten_are_named() {
    let mut settings = config();
    settings.webrtc.max_sessions = 12;
    let first = settings.webrtc.local_base_port;
    // Held by us or by somebody else, it is the same.
    let _held: Vec<_> = (first..first + 12).map(|port| TcpListener::bind(("127.0.0.1", port))).collect();
    let fix = doctor(&settings).await.says("error  webrtc.local_base_port: ", &format!("{}, …", first + 9));
    assert!(fix.contains("another webrtc.local_base_port"), "{fix}");
}
