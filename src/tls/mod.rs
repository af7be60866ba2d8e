//! TLS: the certificate that our own listener shows, the handshake with whoever connects, and whom
//! we believe ourselves.

pub mod accept;
pub mod certificate;
mod pair;
pub mod trust;

pub use accept::Tls;
pub use certificate::Certificate;
pub use pair::{Pair, PairError};
