//! viderehab: a signaling server for tele-rehabilitation.
//!
//! In reading order: what the bytes mean, what happens, how bytes come and go, one session, all
//! sessions, who commands them, who watches. `docs/ARCHITECTURE.md` follows a packet and a start
//! through them.

pub mod wire;

pub mod room;

pub mod transport;

pub mod session;

pub mod manager;

pub mod control;

pub mod web;

pub mod app;
pub mod cli;

pub mod assets;
pub mod config;
pub mod http;
pub mod metrics;
pub mod private;
pub mod random;
pub mod seconds;
pub mod tasks;
pub mod tls;
