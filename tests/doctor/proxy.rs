//! The way that browsers come.

use std::net::TcpListener;

use viderehab::config::Config;

use crate::altering_proxy::AlteringProxy;
use crate::machine::outward;
use crate::opentera::absent;
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

/// A proxy that hangs up on whoever asks for this.
fn ended_at(head: &str, path: &str) -> String {
    if head.contains(path) { String::new() } else { proper(head) }
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

    let faults: [Fault; 9] = [
        (|head| head.to_owned(), "error", "passes on", "$remote_addr"),
        (|head| without(head, "x-forwarded-for:"), "warning", "sends no X-Forwarded-For", "$remote_addr"),
        (|head| without(&proper(head), "upgrade:"), "error", "the upgrade does not pass", "Upgrade $http_upgrade"),
        (
            |head| proper(head).replacen("/webrtc/", "/elsewhere/", 1),
            "error",
            "/status does not lead",
            "/webrtc/<port>/",
        ),
        (
            |head| proper(head).replacen("/websocket/", "/elsewhere/", 1),
            "error",
            "/ does not lead to the session that runs there: 404",
            "/websocket/<port>/",
        ),
        (|head| proper(head).replacen("/healthz", "/elsewhere", 1), "warning", "/healthz/address does", "`location /`"),
        // Something else answers, and all is well with it.
        (|head| proper(head).replacen("/healthz/address", "/healthz", 1), "warning", "(200 OK)", "server.listen"),
        (|head| ended_at(head, "/webrtc/"), "error", "/status gives no answer: ", "the proxy's log"),
        (|head| ended_at(head, "/websocket/"), "error", "/ gives no answer: ", "the proxy's log"),
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
    settings.server.public_url = "http://nobody.invalid".to_owned();
    doctor(&settings).await.says("error  proxy: ", "http://nobody.invalid cannot be reached");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    settings.server.public_url = format!("http://{}", silent.local_addr().unwrap());
    doctor(&settings).await.says("error  proxy: ", "cannot be reached: no answer in time");
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

#[tokio::test]
async fn a_proxy_that_is_not_believed_is_told_apart() {
    let Some(address) = outward() else { return };
    let mut settings = config();
    settings.server.listen.set_ip(address);
    let server = start(settings.clone()).await;
    settings.server.listen = server.address;
    for (alter, words) in [
        (proper as fn(&str) -> String, "X-Forwarded-For is believed from loopback alone"),
        (|head| without(head, "x-forwarded-for:"), "sends no X-Forwarded-For"),
    ] {
        let proxy = AlteringProxy::start(server.address, alter).await;
        settings.server.public_url = proxy.url();
        let report = doctor(&settings).await;
        let fix = report.says("warning  proxy: ", words);
        assert!(fix.contains("127.0.0.1") && fix.contains("limits.connections_per_address"), "{fix}");
        report.says("warning  proxy: ", &format!("all clients are counted as {address}"));
    }
    server.app.stop().await;
}

#[tokio::test]
async fn below_an_opentera_server_the_prefix_is_looked_at() {
    let mut settings = Config { opentera: Some(absent()), ..config() };
    let server = start(settings.clone()).await;
    settings.server.listen = server.address;

    let good = AlteringProxy::start(server.address, |head| proper(head).replacen("/rehab/", "/", 1)).await;
    settings.server.public_url = good.url();
    doctor(&settings).await.says("ok  proxy: ", "count us as 198.51.100.4");
    let bad = AlteringProxy::start(server.address, |head| proper(head).replacen("/rehab/", "/elsewhere/", 1)).await;
    settings.server.public_url = bad.url();
    let fix = doctor(&settings).await.says("warning  proxy: ", "/rehab/healthz/address does not lead");
    assert!(fix.contains("/rehab/") && fix.contains("server.listen"), "{fix}");
    server.app.stop().await;
}
