//! Polls, signs of life and ends.

use super::*;

const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

#[tokio::test(start_paused = true)]
async fn a_poll_gets_all_that_is_due() {
    let fixture = fixture(Version::V4).await;
    fixture.app.say("1");
    fixture.app.say("2");
    assert_eq!(fixture.poll().await, "42[\"x\",1]\u{1e}42[\"x\",2]");
    let parked = fixture.parked().await;
    fixture.app.say("\"late\"");
    assert_eq!(parked.await.unwrap(), "42[\"x\",\"late\"]");
}

#[tokio::test(start_paused = true)]
async fn who_never_polls_is_forgotten() {
    for version in [Version::V3, Version::V4] {
        let (service, app, _stop, _tasks) = service(App::default());
        let _client = begin(&service, &app, version).unwrap();
        sleep(Duration::from_millis(44_900)).await;
        assert_eq!((service.connections(), app.is_let_go()), (1, false));
        sleep(Duration::from_millis(200)).await;
        assert_eq!((service.connections(), app.is_let_go()), (0, true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_of_4_is_asked_for_signs_of_life() {
    let fixture = fixture(Version::V4).await;
    for _ in 0..3 {
        assert_eq!(fixture.parked().await.await.unwrap(), "2");
        advance(Duration::from_secs(19)).await;
        fixture.client.receive("3");
    }
    assert_eq!(fixture.poll().await, "2");
    // Anything else is no answer.
    fixture.client.receive("42[\"x\"]");
    let parked = fixture.parked().await;
    sleep(Duration::from_millis(19_900)).await;
    assert!(!parked.is_finished());
    assert_eq!(parked.await.unwrap(), "1");
    settle().await;
    assert!(fixture.app.is_let_go() && fixture.service.connections() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_of_3_gives_signs_of_life_by_itself() {
    let fixture = fixture(Version::V3).await;
    for _ in 0..3 {
        sleep(Duration::from_secs(44)).await;
        fixture.client.receive("2");
        assert_eq!(fixture.poll().await, "1:3");
    }
    assert_eq!(fixture.parked().await.await.unwrap(), "1:1");
    settle().await;
    assert!(fixture.app.is_let_go());
}

/// A pong may be among what a client that sends too fast has sent already. It waits for our pings all
/// the same.
#[tokio::test(start_paused = true)]
async fn who_is_not_read_is_not_blamed_for_silence() {
    let fixture = fixture(Version::V4).await;
    assert_eq!(fixture.parked().await.await.unwrap(), "2");
    *fixture.app.pause.lock().unwrap() = Duration::from_secs(30);
    assert_eq!(fixture.client.receive("42[\"x\"]"), Duration::from_secs(30));
    sleep(Duration::from_secs(31)).await;
    assert_eq!(fixture.poll().await, "2");
    fixture.client.receive("3");
    settle().await;
    assert!(!fixture.app.is_let_go());
}

#[tokio::test(start_paused = true)]
async fn an_end_for_good_is_told_at_once_and_before_the_close() {
    let fixture = fixture(Version::V4).await;
    let parked = fixture.parked().await;
    fixture.app.say("\"last\"");
    fixture.app.end(End::ForGood);
    settle().await;
    assert!(fixture.app.is_let_go());
    assert_eq!(parked.await.unwrap(), "42[\"x\",\"last\"]\u{1e}41");
    assert_eq!(fixture.poll().await, "1");
    assert_eq!(fixture.poll().await, UNKNOWN);
    settle().await;
    assert_eq!(fixture.service.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn last_words_wait_for_the_next_poll_but_not_for_ever() {
    let fixture = fixture(Version::V4).await;
    fixture.app.end(End::ForNow);
    settle().await;
    assert!(fixture.app.is_let_go());
    sleep(Duration::from_millis(4900)).await;
    assert_eq!(fixture.poll().await, "1");
    let late = super::fixture(Version::V3).await;
    late.app.end(End::ForGood);
    sleep(Duration::from_millis(5100)).await;
    assert_eq!(late.service.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_parked_polls_and_every_task() {
    let fixture = fixture(Version::V4).await;
    let parked = fixture.parked().await;
    fixture.stop.cancel();
    fixture.tasks.close();
    assert_eq!(parked.await.unwrap(), "1");
    fixture.tasks.wait().await;
    assert!(fixture.app.is_let_go() && fixture.service.connections() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_cut_off_ends_the_connection() {
    let fixture = fixture(Version::V4).await;
    fixture.parked().await.abort();
    settle().await;
    assert!(fixture.app.is_let_go() && fixture.service.connections() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_poll_ends_the_connection() {
    let fixture = fixture(Version::V4).await;
    let parked = fixture.parked().await;
    let second = fixture.service.poll(&fixture.client).await;
    assert_eq!(second.status(), StatusCode::BAD_REQUEST);
    assert_eq!(parked.await.unwrap(), "1");
}
