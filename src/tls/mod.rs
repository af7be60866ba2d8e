//! TLS: whom we believe.

pub mod trust;
