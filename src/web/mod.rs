//! Who watches and calls: the manager's own address, with dashboard, RPC, health, metrics and the
//! front door to every session.

mod dashboard;
mod health;
mod opentera;
mod router;

pub use health::Health;
pub use router::Front;
