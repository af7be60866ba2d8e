//! Who commands the sessions: the admin token and the RPC over HTTP.

pub mod admin;
pub mod api;
pub mod opentera;
pub mod rpc;
pub mod upgrade;
