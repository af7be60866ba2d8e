//! The way that browsers come.

use std::net::TcpListener;

use crate::altering_proxy::AlteringProxy;
use crate::pem::Authority;
use crate::report::doctor;
use crate::server::{config, start};

/// A head without the lines that begin so, whatever their case.
fn without(head: &str, name: &str) -> String {
    let kept = head.split_inclusive("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with(name));
    kept.collect()
}

/// What a proxy should do: say who it passes on, and not what that one says.
fn proper(head: &str) -> String {
    without(head, "x-forwarded-for:").replacen("\r\n", "\r\nX-Forwarded-For: 198.51.100.4\r\n", 1)
}

/// What a proxy does wrong, and the finding's level, words and fix.
type Fault = (fn(&str) -> String, &'static str, &'static str, &'static str);

#[tokio::test]
async fn the_way_through_a_proxy_is_looked_at() {
    let mut settings = config();
    let server = start(settings.clone()).await;
    settings.server.listen = server.address;
    settings.server.public_url = format!("http://{}", server.address);
    let report = doctor(&settings).await;
    report.says("ok  proxy: ", "no proxy in between");
    assert!(report.says("warning  proxy: ", "no session").contains("session start"));

    let port = server.session().await.address().port();
    let good = AlteringProxy::start(server.address, proper).await;
    settings.server.public_url = good.url();
    let report = doctor(&settings).await;
    report.is_without_errors();
    report.says("ok  proxy: ", "count us as 198.51.100.4");
    report.says("ok  proxy: ", &format!("/webrtc/{port}/status leads to"));
    report.says("ok  proxy: ", &format!("/websocket/{port}/ opens"));

    let faults: [Fault; 5] = [
        (|head| head.to_owned(), "error", "passes on", "$remote_addr"),
        (|head| without(head, "x-forwarded-for:"), "warning", "sends no X-Forwarded-For", "$remote_addr"),
        (|head| without(&proper(head), "upgrade:"), "error", "the upgrade does not pass", "Upgrade $http_upgrade"),
        (
            |head| proper(head).replacen("/webrtc/", "/elsewhere/", 1),
            "error",
            "/status does not lead",
            "/webrtc/<port>/",
        ),
        (|head| proper(head).replacen("/healthz", "/elsewhere", 1), "warning", "does not pass /healthz", "location /"),
    ];
    for (alter, level, words, mended) in faults {
        let proxy = AlteringProxy::start(server.address, alter).await;
        settings.server.public_url = proxy.url();
        let fix = doctor(&settings).await.says(&format!("{level}  proxy: "), words);
        assert!(fix.contains(mended), "{fix}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    settings.server.public_url = format!("http://{closed}/");
    assert!(doctor(&settings).await.says("error  proxy: ", "cannot be reached").contains("server.public_url"));
    server.app.stop().await;

    settings.server.public_url = good.url();
    doctor(&settings).await.says("warning  proxy: ", "no server runs");
}

#[tokio::test]
async fn a_server_with_tls_is_asked_by_https() {
    let authority = Authority::new();
    authority.issue();
    let mut settings = config();
    settings.server.tls = Some(authority.files());
    let server = start(settings.clone()).await;
    settings.server.listen = server.address;
    settings.server.public_url = format!("https://{}", server.address);
    let report = doctor(&settings).await;
    report.is_without_errors();
    report.says("ok  server.listen: ", "is ready");
    // The CA is the test's own.
    assert!(report.says("warning  proxy: ", "does not believe the certificate").contains("CA"));
    report.says("ok  proxy: ", "no proxy in between");
    server.app.stop().await;
}
