//! The session core held against a second, simple-minded account of the same rules.
//!
//! A model makes steps, whatever `Choices` chooses: it does each to the core and works out by itself, from
//! what it knows of the packet it made rather than by reading it, what is due to whom. What the core
//! hands out must be exactly that. So isolation, order, nothing lost or twice, one initiator and true
//! senders are one comparison; that memory is bounded and given back is another. A breach panics.
//!
//! The fuzz targets let the fuzzer choose, the simulation a seed.

pub mod client;
pub mod easyrtc;
pub mod packets;
pub mod peer;
pub mod rooms;
pub mod rules;
pub mod seats;

/// Who decides what happens next.
pub trait Choices {
    /// One of so many, from 0.
    fn below(&mut self, count: usize) -> usize;

    /// Once in so many times.
    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    /// One of these.
    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Choices that follow from a seed alone: SplitMix64.
pub struct Seeded(pub u64);

impl Choices for Seeded {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        // The upper half: below 2^32, so a count of as much fits into any usize.
        (mixed >> 32) as usize % count
    }
}
