//! A Redis that is not OpenTera's, or does not let us in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use viderehab::config::Config;

use crate::opentera::absent;
use crate::report::doctor;
use crate::server::config;
use crate::tera::{Redis, Rest, with_opentera};

/// With an OpenTera server that is not there, and this for its Redis.
fn with_redis(hostname: &str, port: u16) -> Config {
    let mut opentera = absent();
    opentera.redis.hostname = hostname.to_owned();
    opentera.redis.port = port;
    Config { opentera: Some(opentera), ..config() }
}

/// Answers every connection's first words with these.
fn answering(words: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(words);
        }
    });
    address
}

#[tokio::test]
async fn what_is_no_redis_is_told_apart() {
    let web = answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for (hostname, port) in
        [("nobody.invalid", 6379), ("127.0.0.1", web.port()), ("127.0.0.1", silent.local_addr().unwrap().port())]
    {
        let report = doctor(&with_redis(hostname, port)).await;
        let fix = report.says("error  opentera.redis: ", &format!("{hostname}:{port}: "));
        assert!(fix.contains("opentera.redis.hostname and port"), "{}", report.text);
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_database_that_is_not_there_is_named() {
    let (redis, rest) = (Redis::start().await, Rest::start().await);
    let mut settings = with_opentera(config(), &redis, &rest);
    settings.opentera.as_mut().unwrap().redis.db = 99;
    let fix = doctor(&settings).await.says("error  opentera.redis: ", &format!("127.0.0.1:{}: ", redis.port));
    assert!(fix.contains("username, password and db"), "{fix}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_has_not_written_all_of_it_is_seen() {
    let (redis, rest) = (Redis::start().await, Rest::start().await);
    let settings = with_opentera(config(), &redis, &rest);
    redis.server_starts("key1").await;
    redis.ask::<()>(&["DEL", "ServiceTokenAPIKey"]).await;
    let fix = doctor(&settings).await.says("error  service.VideoRehabService: ", "no key ServiceTokenAPIKey");
    assert!(fix.contains("start the OpenTera server"), "{fix}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_user_who_may_not_read_is_seen() {
    let (redis, rest) = (Redis::start().await, Rest::start().await);
    let mut settings = with_opentera(config(), &redis, &rest);
    redis.server_starts("key1").await;
    let login = &mut settings.opentera.as_mut().unwrap().redis;
    (login.username, login.password) = ("ann".to_owned(), "a secret of hers".to_owned());
    let user = ["ACL", "SETUSER", "ann", "on", ">a secret of hers", "+@all"];
    redis.ask::<()>(&user).await;
    let report = doctor(&settings).await;
    report.says("ok  opentera.redis: ", "lets us in");
    let fix = report.says("error  service.VideoRehabService: ", "no permissions");
    assert!(fix.contains("opentera.redis.username") && fix.contains("ACL GETUSER"), "{fix}");

    redis.ask::<()>(&["ACL", "SETUSER", "ann", "~service.*", "~ServiceTokenAPIKey"]).await;
    let report = doctor(&settings).await;
    report.says("ok  service.VideoRehabService: ", "is there");
    let fix = report.says("error  keys of tokens: ", "UserTokenAPIKey: ");
    assert!(fix.contains("opentera.redis.username") && fix.contains("ACL GETUSER"), "{fix}");
}
