//! From polling to WebSocket.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_socket_takes_over_and_nothing_is_lost() {
    let fixture = fixture(Version::V4).await;
    let socket = fixture.socket();
    assert!(!fixture.client.begin_upgrade(), "one at a time");
    let parked = fixture.parked().await;
    receive(&socket, "2probe");
    assert_eq!(sent(&socket), (vec!["3probe".to_owned()], Rest::Nothing));
    assert_eq!(parked.await.unwrap(), "6");
    // Until the client says so, polls are still answered.
    fixture.app.say("1");
    assert_eq!(fixture.poll().await, "42[\"x\",1]");
    fixture.app.say("2");
    receive(&socket, "5");
    fixture.app.say("3");
    assert_eq!(sent(&socket).0, ["42[\"x\",2]", "42[\"x\",3]"]);
    assert_eq!(fixture.poll().await, "6");
    // The polling task may have been woken in the socket's stead.
    settle().await;
    fixture.app.say("4");
    for _ in 0..2 {
        transport::Endpoint::changed(&socket).await;
    }
    assert_eq!(sent(&socket).0, ["42[\"x\",4]"]);
    receive(&socket, "42[\"y\"]");
    assert_eq!(fixture.app.heard.lock().unwrap().last().unwrap(), "y");
    fixture.app.end(End::ForGood);
    assert!(transport::Endpoint::ended(&socket));
    assert_eq!(sent(&socket).1, Rest::End(FOR_GOOD));
    drop(socket);
    assert!(fixture.app.is_let_go() && fixture.service.connections() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_socket_keeps_the_heartbeat() {
    let fixture = fixture(Version::V4).await;
    let socket = fixture.socket();
    receive(&socket, "2probe");
    receive(&socket, "5");
    settle().await;
    transport::Endpoint::changed(&socket).await;
    transport::Endpoint::changed(&socket).await;
    assert_eq!(sent(&socket).0, ["2"]);
    // One that is sent much is asked all the same.
    sleep(Duration::from_secs(20)).await;
    fixture.app.say("1");
    transport::Endpoint::changed(&socket).await;
    assert_eq!(sent(&socket).1, Rest::End(FOR_NOW));
    assert!(fixture.app.is_let_go());
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_comes_to_nothing_leaves_the_polling() {
    for packets in [&["2probe"][..], &["2probe", "42[\"x\"]"], &["5"], &["2probe", "2probe"], &["1"]] {
        let fixture = fixture(Version::V3).await;
        let socket = fixture.socket();
        packets.iter().for_each(|packet| receive(&socket, packet));
        let begun = tokio::time::Instant::now();
        transport::Endpoint::changed(&socket).await;
        let limit = if packets.len() == 1 && packets[0] == "2probe" { 10 } else { 0 };
        assert_eq!(begun.elapsed().as_secs(), limit);
        assert_eq!(sent(&socket).1, Rest::End(FOR_NOW), "{packets:?}");
        drop(socket);
        fixture.app.say("1");
        assert_eq!(fixture.poll().await, "9:42[\"x\",1]");
        assert!(fixture.client.begin_upgrade());
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_during_the_upgrade_reaches_the_socket() {
    let fixture = fixture(Version::V4).await;
    let socket = fixture.socket();
    receive(&socket, "2probe");
    sent(&socket);
    fixture.app.end(End::ForGood);
    settle().await;
    receive(&socket, "5");
    assert_eq!(sent(&socket), (vec!["41".to_owned()], Rest::End(FOR_GOOD)));
    let other = super::fixture(Version::V4).await;
    let socket = other.socket();
    other.client.receive("1");
    let begun = tokio::time::Instant::now();
    transport::Endpoint::changed(&socket).await;
    assert_eq!((begun.elapsed(), sent(&socket).1), (Duration::from_secs(1), Rest::End(FOR_NOW)));
}
