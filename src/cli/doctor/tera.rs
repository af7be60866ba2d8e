//! The OpenTera server's REST API: whether it is there, is the right one, and knows us.

use std::time::Duration;

use hyper::StatusCode;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Finding;
use crate::config::Backend;
use crate::control::opentera::identity::Identity;
use crate::control::opentera::rest::{Answer, Rest};

/// How long a connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// A question that changes nothing, and that no session answers.
const QUESTION: &str = "/api/service/sessions?id_session=0";

pub(super) async fn check(backend: &Backend, identity: Option<&Identity>) -> Vec<Finding> {
    let (what, place) = ("opentera.backend", format!("{}:{}", backend.hostname, backend.port));
    let connecting = timeout(CONNECT_TIME, TcpStream::connect((backend.hostname.as_str(), backend.port))).await;
    let unreachable = match connecting {
        Err(_) => Some("no connection in time".to_owned()),
        Ok(Err(error)) => Some(error.to_string()),
        // Closed before anything is asked: who serves one after the other would wait for it.
        Ok(Ok(stream)) => {
            drop(stream);
            None
        }
    };
    if let Some(problem) = unreachable {
        let fix =
            "start the OpenTera server and its nginx, open the way to it, or set opentera.backend.hostname and port";
        return vec![Finding::error(what, format!("{place}: {problem}"), fix)];
    }
    let rest = match Rest::new(backend) {
        Ok(rest) => rest,
        Err(error) => {
            let text = error.to_string();
            let (key, problem) = text.split_once(": ").unwrap_or((what, &text));
            return vec![Finding::error(key, problem, "name a PEM file with the CA of the server's certificate")];
        }
    };
    let token = identity.map_or("", |identity| identity.token.as_str());
    let answer = match rest.ask_once(QUESTION, token).await {
        Ok(answer) => answer,
        Err(problem) => {
            let fix = "set opentera.backend.ca_file to the CA of its certificate or to the certificate itself, and \
                hostname to a name that stands in it; see that it is https that answers there";
            return vec![Finding::error(what, format!("{place}: {problem}"), fix)];
        }
    };
    vec![certificate(backend, &place), known(&answer, &place, identity.is_some())]
}

fn certificate(backend: &Backend, place: &str) -> Finding {
    match backend.verify {
        true => Finding::ok("opentera.backend.ca_file", format!("the certificate of {place} is believed")),
        false => Finding::warning(
            "opentera.backend.verify",
            format!("is false: whoever answers at {place} is believed, and is sent the service's token"),
            "name the server's CA or certificate in opentera.backend.ca_file, and set verify = true",
        ),
    }
}

fn known(answer: &Answer, place: &str, has_token: bool) -> Finding {
    let (what, status) = ("opentera.backend", answer.status);
    match status {
        StatusCode::UNAUTHORIZED if has_token => Finding::error(
            what,
            format!("{place} does not take the service's token ({status})"),
            "see that opentera.redis is the Redis of this very server, that the service is enabled there, and both clocks are right",
        ),
        // What it says to a question about no session, by its version.
        StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN if has_token => {
            Finding::ok(what, format!("{place} answers and takes the service's token"))
        }
        StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            Finding::warning(
                what,
                format!("{place} answers; without Redis there is no token to show it"),
                "mend what is said of Redis above",
            )
        }
        _ => Finding::error(
            what,
            format!("{place} answers {status}"),
            "see that an OpenTera server is there and works: its log, its nginx, opentera.backend.port",
        ),
    }
}
