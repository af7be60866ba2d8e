//! What a client may say, and how much.

use super::*;

#[tokio::test(start_paused = true)]
async fn leaving_lets_go_and_then_only_the_end_may_come() {
    let fixture = fixture(Version::V3).await;
    let parked = fixture.parked().await;
    fixture.client.receive("41");
    settle().await;
    assert!(fixture.app.is_let_go() && !parked.is_finished());
    fixture.client.receive("1");
    assert_eq!(parked.await.unwrap(), "1:6");
    settle().await;
    assert_eq!(fixture.service.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_the_protocol_ends_the_connection() {
    let four = [
        "40",
        "2",
        "9",
        "",
        "42[\"connect\"]",
        "42[",
        "451-1[\"x\"]",
        "43",
        "44{}",
        "41/chat,",
        "42/chat,[\"x\"]",
        "5",
        "bAQ==",
    ];
    let three = ["40", "3", "0{}", "42{}"];
    for (version, packets) in [(Version::V4, &four[..]), (Version::V3, &three[..])] {
        for packet in packets {
            let fixture = fixture(version).await;
            fixture.client.receive(packet);
            settle().await;
            assert!(fixture.app.is_let_go() && fixture.service.connections() == 0, "{packet}");
        }
    }
    let (service, app, _stop, _tasks) = service(App::default());
    let early = begin(&service, &app, Version::V4).unwrap();
    early.receive("42[\"x\"]");
    settle().await;
    assert!(app.is_let_go() && app.heard.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_client_asks_for_does_not_pile_up() {
    let fixture = fixture(Version::V3).await;
    for _ in 0..1000 {
        fixture.client.receive("2");
    }
    assert_eq!(fixture.poll().await, "1:3");
    for _ in 0..1000 {
        fixture.client.receive("40/chat,");
    }
    settle().await;
    assert!(fixture.app.is_let_go());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told() {
    let (service, app, _stop, _tasks) = service(App { refuses: true, ..App::default() });
    let Err(answer) = begin(&service, &app, Version::V3) else { panic!("it is refused") };
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(text(answer).await, r#"{"code":4,"message":"no"}"#);
    assert!(app.is_let_go());
    let client = begin(&service, &app, Version::V4).unwrap();
    client.receive(r#"40{"key":"k"}"#);
    assert!(app.is_let_go());
    assert_eq!(text(service.poll(&client).await).await, r#"44{"message":"no"}"#);
    assert_eq!(text(service.poll(&client).await).await, "1");
    assert_eq!(*app.heard.lock().unwrap(), ["connect -", r#"connect {"key":"k"}"#]);
}

#[tokio::test(start_paused = true)]
async fn connections_are_counted() {
    let (service, app, _stop, _tasks) = service(App::default());
    let (_one, two) = (begin(&service, &app, Version::V3).unwrap(), begin(&service, &app, Version::V4).unwrap());
    let Err(third) = begin(&service, &app, Version::V4) else { panic!("there are two") };
    assert_eq!(third.status(), StatusCode::SERVICE_UNAVAILABLE);
    two.receive("1");
    settle().await;
    assert!(begin(&service, &app, Version::V4).is_ok());
}
