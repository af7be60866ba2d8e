//! The OpenTera server and its Redis.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use viderehab::config::{Config, OpenTera};

use crate::pem::Authority;
use crate::report::doctor;
use crate::server::config;
use crate::tera::{self, Redis, Rest, with_opentera};

/// An OpenTera server, with its Redis, that is not there.
pub fn absent() -> OpenTera {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut opentera = OpenTera::default();
    (opentera.redis.port, opentera.backend.port) = (closed, closed);
    opentera
}

/// What an OpenTera server writes into Redis when it starts.
async fn server_starts(redis: &Redis) {
    redis.server_starts("key1").await;
    for kind in ["User", "Participant", "Device", "ParticipantStatic", "DeviceStatic"] {
        redis.ask::<()>(&["SET", &format!("{kind}TokenAPIKey"), "key2"]).await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
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
#[ignore = "needs redis-server"]
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

/// With a REST API there, and a Redis that is not.
fn with_backend(hostname: &str, port: u16) -> Config {
    let mut opentera = absent();
    opentera.backend.hostname = hostname.to_owned();
    opentera.backend.port = port;
    Config { opentera: Some(opentera), ..config() }
}

/// As behind a firewall that drops what comes: the queue of connections is full.
#[tokio::test]
async fn an_opentera_server_that_does_not_answer_is_named() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    let report = doctor(&with_backend("127.0.0.1", address.port())).await;
    let fix = report.says("error  opentera.backend: ", &format!("{address}: no connection in time"));
    assert!(fix.contains("opentera.backend.hostname and port"), "{fix}");
}

#[tokio::test]
async fn what_is_no_opentera_server_is_told_apart() {
    let fix =
        doctor(&with_backend("nobody.invalid", 443)).await.says("error  opentera.backend: ", "nobody.invalid:443");
    assert!(fix.contains("opentera.backend.hostname and port"), "{fix}");

    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = web.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        while let Ok((mut stream, _)) = web.accept() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let report = doctor(&with_backend("127.0.0.1", address.port())).await;
    let fix = report.says("error  opentera.backend: ", &address.to_string());
    assert!(fix.contains("see that it is https") && !report.text.contains("no answer within"), "{}", report.text);
}
