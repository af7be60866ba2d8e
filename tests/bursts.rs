//! What a burst takes of memory and gives back is there for the next one, and not had anew from the system page by page.
#![cfg(target_env = "gnu")]

#[path = "../benches/support/viderehab.rs"]
#[allow(dead_code, reason = "benches ask it for more")]
mod alone;
#[path = "support/binary.rs"]
#[allow(dead_code, reason = "others start it otherwise")]
mod binary;

use std::fs;
use std::time::Duration;

use alone::Viderehab;
use viderehab::cli::load::{Crowd, Meeting, Pace, Work};

/// How many pages a process has had from the system (proc(5), minflt).
fn pages(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    after_name.split(' ').nth(7).unwrap().parse().unwrap()
}

#[test]
fn a_burst_finds_the_memory_of_the_one_before() {
    let server = Viderehab::start(50, "");
    let mut rpc = server.rpc();
    let meetings: Vec<Meeting> = (0..50).map(|number| rpc.start(number).meeting).collect();
    let mut crowd = Crowd::join(&meetings, 2).unwrap();
    let work = Work { bytes: 3000, pace: Pace::Window(12), speakers: 0, time: Duration::from_secs(1) };
    // So much at once is had from the system the first time.
    crowd.drive(&work, || ()).unwrap();
    let mut before = 0;
    let outcome = crowd.drive(&work, || before = pages(server.id())).unwrap();
    let each = (pages(server.id()) - before) as f64 / outcome.heard as f64;
    assert!(each < 0.02, "{each:.3} pages for each packet");
}
