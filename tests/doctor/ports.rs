//! The address and the ports that a server listens on.

use std::net::TcpListener;

use crate::report::doctor;
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
