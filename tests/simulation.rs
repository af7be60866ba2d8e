//! A short simulation; `examples/simulate.rs` is the long one.

#[path = "support/model/mod.rs"]
#[allow(dead_code, reason = "the fuzz targets choose otherwise")]
mod model;
#[path = "support/simulation.rs"]
#[allow(dead_code, reason = "the example counts, too")]
mod simulation;

use std::panic::catch_unwind;

use model::{Choices, Seeded};
use simulation::Server;

/// What the core does is what the model says, in a few hundred sessions, of which some go on for longer.
#[test]
fn the_core_does_as_the_model_says() {
    for (seed, sessions) in (0..20).flat_map(|seed| [(seed, 10), (seed, 3)]) {
        let told = catch_unwind(|| {
            let mut server = Server::new(seed, sessions);
            server.run(2_000);
            server.finish();
        });
        assert!(told.is_ok(), "seed {seed}, with {sessions} sessions");
    }
}

#[test]
fn a_seed_makes_the_same_choices_again() {
    let choose = |seed| {
        let mut choices = Seeded(seed);
        (0..100).map(|_| choices.below(1000)).collect::<Vec<_>>()
    };
    assert_eq!(choose(7), choose(7));
    assert_ne!(choose(7), choose(8));
}
