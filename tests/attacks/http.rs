//! Requests: handshakes, headers, bodies, queries, and the names in them.

use std::time::{Duration, Instant};

use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::scene::{BYSTANDERS, SOON, Scene, raw};
use super::server::send;

const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::OPTIONS,
    Method::DELETE,
    Method::TRACE,
    Method::CONNECT,
];

/// sockjs before 0.3.20 (CVE-2020-7693).
#[tokio::test]
async fn an_upgrade_header_where_none_belongs() {
    let mut scene = Scene::begin("").await;
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let mut headers = vec![
        vec![("upgrade", "websocket")],
        vec![("upgrade", ""), ("connection", "upgrade")],
        vec![("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-key", "x")],
        vec![("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-key", key)],
    ];
    headers.push(vec![
        ("upgrade", "h2c"),
        ("connection", "upgrade"),
        ("sec-websocket-key", key),
        ("sec-websocket-version", "13"),
    ]);
    let port = scene.address.port();
    let of_sessions = ["/", "/users", "/ws", "/echo", "/echo/info", "/echo/0/0/xhr_send", "/echo/0/0/websocket", "/x"];
    let of_manager = ["/", "/rehab/", "/healthz", "/metrics", "/api/sessions", "/rpc/session_manage", "/nowhere"];
    for headers in &headers {
        for method in METHODS {
            for path in of_sessions {
                // `CONNECT` names a host, not a path.
                let path = if method == Method::CONNECT { "x:1" } else { path };
                let answer = send(scene.address, method.clone(), path, headers, String::new()).await;
                assert_ne!(answer.status, 101, "{method} {path} {headers:?}");
            }
            for path in of_manager.iter().map(|path| (*path).to_owned()).chain([format!("/websocket/{port}/ws")]) {
                let path = if method == Method::CONNECT { "x:1".to_owned() } else { path };
                let answer = send(scene.remote.address, method.clone(), &path, headers, String::new()).await;
                assert_ne!(answer.status, 101, "{method} {path} {headers:?}");
            }
        }
        scene.bystanders.go_on().await;
    }
    scene.end(&["viderehab_refusals_total{status=\"405\"}"]).await;
}

/// engine.io (CVE-2022-41940, CVE-2023-31125).
#[tokio::test]
async fn handshakes_that_break_off_and_odd_queries() {
    let mut scene = Scene::begin("").await;
    let port = scene.address.port();
    for address in [scene.address, scene.remote.address] {
        for part in [
            "",
            "G",
            "GET /",
            "GET / HTTP/1.1",
            "GET / HTTP/1.1\r\nHost",
            "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: web",
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(part.as_bytes()).await.unwrap();
            // Without a linger the system sends a reset instead of a goodbye.
            stream.set_zero_linger().unwrap();
            drop(stream);
        }
        scene.bystanders.go_on().await;
    }
    let odd = [
        "EIO=4&transport=__proto__",
        "EIO=4&transport=constructor&sid=__proto__",
        "EIO=4&EIO=3&transport=polling&transport=websocket",
        "EIO[]=4&transport[polling]=1",
        "EIO=99999999999999999999&transport=polling",
        "EIO=-1&transport=polling",
        "EIO=%00&transport=%ff%fe",
        "transport=polling",
        "&&&===&&%%%",
        "EIO=4&transport=polling&sid=%2e%2e%2f",
        "EIO=4&transport=polling&key=%00&sid=a&sid=b",
    ];
    for query in odd {
        for path in [
            format!("/websocket/{port}/?{query}"),
            format!("/echo/info?{query}"),
            format!("/users?{query}"),
            format!("/ws?{query}"),
        ] {
            for method in [Method::GET, Method::POST] {
                let answer = send(scene.address, method, &path, &[], String::new()).await;
                let status = answer.status.as_u16();
                assert!(!(500..600).contains(&status) && status != 101, "{path}: {status} {}", answer.text());
            }
        }
        scene.bystanders.go_on().await;
    }
    scene.end(&["viderehab_broken_connections_total"]).await;
}

/// engine.io (CVE-2020-36048): a thousand bodies that never quite end.
#[tokio::test]
async fn bodies_that_are_dripped_to_just_under_every_cap() {
    let mut scene = Scene::begin("[limits]\nconnections_per_address = 0\n").await;
    let (key, port) = (scene.key.clone(), scene.address.port());
    let greeting = send(
        scene.address,
        Method::GET,
        &format!("/websocket/{port}/?EIO=4&transport=polling&key={key}"),
        &[],
        String::new(),
    )
    .await;
    let sid = greeting.text().split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    send(scene.address, Method::POST, &format!("/echo/0/dripped/xhr?key={key}"), &[], String::new()).await;
    let paths = [
        (format!("/websocket/{port}/?EIO=4&transport=polling&sid={sid}"), 999_999),
        (format!("/echo/0/dripped/xhr_send?key={key}"), 1_048_575),
        (format!("/echo/0/dripped/jsonp_send?key={key}"), 1_048_575),
        (format!("/echo/0/nobody/xhr_send?key={key}"), 1_048_575),
        ("/echo/0/nobody/jsonp_send".to_owned(), 1_048_575),
    ];
    let mut all = Vec::new();
    let part = vec![b'x'; 600_000];
    for number in 0..1000 {
        let (path, length) = &paths[number % paths.len()];
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
        let mut stream = TcpStream::connect(scene.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // Most are answered before they have sent it all.
        let _ = tokio::time::timeout(Duration::from_millis(20), stream.write_all(&part)).await;
        all.push(stream);
        if number % 100 == 0 {
            scene.bystanders.go_on().await;
        }
    }
    for stream in &mut all {
        let _ = tokio::time::timeout(Duration::from_millis(1), stream.write_all(b"x")).await;
    }
    scene.end(&["viderehab_refusals_total{status=\"503\"}"]).await;
}

/// ws (CVE-2021-32640), tungstenite to 0.20.0 (CVE-2023-43669).
#[tokio::test]
async fn headers_that_take_long_to_read() {
    let mut scene = Scene::begin("").await;
    let head = upgrade_head(&scene);
    for long in [
        " ".repeat(12_000),
        "a,".repeat(6_000),
        "a;b=\"".to_owned() + &" \\\"".repeat(3_000),
        "\"".repeat(12_000),
        "\t ".repeat(6_000),
    ] {
        for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Connection", "Origin", "Cookie"] {
            let request = format!("{head}{name}: x{long}x\r\n\r\n");
            let since = Instant::now();
            let _ = raw(scene.address, request.as_bytes()).await;
            assert!(since.elapsed() < Duration::from_secs(1), "{name}: {:?}", since.elapsed());
        }
        scene.bystanders.go_on().await;
    }
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(TcpStream::connect(scene.address).await.unwrap());
    }
    scene.drip(&mut all, format!("{head}X: {}", "y".repeat(14_000)).as_bytes()).await;
    let answer = raw(scene.address, format!("{head}X: {}\r\n\r\n", "y".repeat(65_536)).as_bytes()).await;
    assert!(answer.contains(" 431 "), "{answer}");
    let answer = raw(scene.address, format!("{head}{}\r\n", "X: y\r\n".repeat(2_000)).as_bytes()).await;
    assert!(answer.contains(" 431 "), "{answer}");
    drop(all);
    scene.end(&["viderehab_broken_connections_total"]).await;
}

fn upgrade_head(scene: &Scene) -> String {
    format!(
        "GET /ws?key={} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        scene.key
    )
}

/// A SockJS or Engine.IO session that is opened and never polled again is forgotten, and does not keep its place.
#[tokio::test]
async fn sessions_that_are_never_polled() {
    let mut scene = Scene::begin("[limits]\npeers = 20\nheartbeat_secs = 2\n").await;
    let (key, port) = (scene.key.clone(), scene.address.port());
    for number in 0..60 {
        let sockjs = format!("/echo/0/never{number}/xhr?key={key}");
        send(scene.address, Method::POST, &sockjs, &[], String::new()).await;
        let engine = format!("/websocket/{port}/?EIO={}&transport=polling&key={key}", 3 + number % 2);
        send(scene.address, Method::GET, &engine, &[], String::new()).await;
    }
    scene.bystanders.go_on().await;
    let open = scene.remote.metric("viderehab_connections").await;
    assert!(open <= BYSTANDERS + 20 + 40, "{open}");
    let until = Instant::now() + Duration::from_secs(40);
    while scene.remote.metric("viderehab_connections").await > BYSTANDERS {
        assert!(Instant::now() < until, "they are forgotten");
        scene.bystanders.go_on().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    scene.end(&["viderehab_limited_total{limit=\"peers\"}"]).await;
}

/// A byte now and then, for as long as the server lets it.
#[tokio::test]
async fn bodies_that_never_end() {
    let mut scene = Scene::begin("").await;
    let bearer = format!("authorization: Bearer {}\r\n", scene.remote.token());
    send(scene.address, Method::POST, &format!("/echo/0/slow/xhr?key={}", scene.key), &[], String::new()).await;
    let targets = [
        (scene.address, format!("/echo/0/slow/xhr_send?key={}", scene.key), ""),
        (scene.remote.address, "/rpc/session_manage".to_owned(), &*bearer),
    ];
    let mut dripping = Vec::new();
    for (address, path, header) in targets {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{header}Content-Length: 1000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        dripping.push(stream);
    }
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(19) {
        for stream in &mut dripping {
            stream.write_all(b" ").await.expect("it has its time");
        }
        scene.bystanders.go_on().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for stream in &mut dripping {
        let mut answer = [0; 12];
        tokio::time::timeout(SOON, stream.read_exact(&mut answer)).await.expect("an answer in time").unwrap();
        assert_eq!(answer, *b"HTTP/1.1 408");
    }
    scene.end(&["viderehab_refusals_total{status=\"408\"}", "viderehab_rpc_total{status=\"408\"}"]).await;
}
