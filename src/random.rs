//! Secrets and names that nobody can guess, from the system's random source.

use rand::RngExt;
use rand::distr::Alphanumeric;
use rand::rngs::SysRng;

/// So many letters and digits; each holds almost six random bits.
pub fn alphanumeric(count: usize) -> String {
    let mut source = rand::rand_core::UnwrapErr(SysRng);
    (0..count).map(|_| char::from(source.sample(Alphanumeric))).collect()
}
