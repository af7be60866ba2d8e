//! What a program has put out, wherever, and what of it nobody may find there.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper::StatusCode;
use hyper::header::{REFERRER_POLICY, SET_COOKIE};

use super::binary::Binary;
use super::server::Answer;

/// Texts with the places where they were put out, and secrets with their names.
#[derive(Default)]
pub struct Told {
    texts: Vec<(String, String)>,
    secrets: Vec<(String, String)>,
}

impl Told {
    pub fn secret(&mut self, what: &str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 8, "{what}: a text as short as {secret:?} is found anywhere");
        self.secrets.push((what.to_owned(), secret.clone()));
        secret
    }

    pub fn text(&mut self, place: &str, text: impl Into<String>) {
        self.texts.push((place.to_owned(), text.into()));
    }

    /// An answer's headers, but for the cookies that it sets; and what it says if it is no success. A page has its
    /// secrets, and may tell no other server of them.
    pub fn answer(&mut self, what: &str, answer: &Answer) -> StatusCode {
        let headers = answer.headers.iter().filter(|(name, _)| *name != SET_COOKIE);
        self.text(&format!("headers of {what}"), format!("{:?}", headers.collect::<Vec<_>>()));
        if answer.status.is_client_error() || answer.status.is_server_error() {
            self.text(&format!("answer {} to {what}", answer.status), answer.text());
        }
        let kind = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if answer.status.is_success() && kind.starts_with("text/html") && answer.text().contains("<script") {
            let policy = answer.headers.get(REFERRER_POLICY).map(|policy| policy.as_bytes());
            assert_eq!(policy, Some(&b"no-referrer"[..]), "{what}");
        }
        answer.status
    }

    /// What the system tells others of the process.
    pub fn process(&mut self, binary: &Binary) {
        let process = format!("/proc/{}", binary.id());
        for file in ["cmdline", "environ"] {
            self.text(file, fs::read_to_string(format!("{process}/{file}")).unwrap());
        }
        for thread in fs::read_dir(format!("{process}/task")).unwrap().flatten() {
            self.text("a thread's name", fs::read_to_string(thread.path().join("comm")).unwrap_or_default());
        }
    }

    /// None of the secrets is anywhere.
    pub fn has_no_secret(&self) {
        let found = self.found();
        assert!(found.is_empty(), "{} times:\n{}", found.len(), found[..found.len().min(20)].join("\n"));
        assert!(self.secrets.len() > 5 && self.texts.len() > 5);
    }

    /// Where secrets are, whatever they are written as.
    pub fn found(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (what, secret) in &self.secrets {
            let bytes = secret.as_bytes();
            let listed: Vec<_> = bytes.iter().map(u8::to_string).collect();
            let forms = [
                secret.to_lowercase(),
                bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
                listed.join(", "),
                // Wherever it begins, these of its bytes are a group of their own.
                STANDARD_NO_PAD.encode(&bytes[..bytes.len() / 3 * 3]).to_lowercase(),
            ];
            for (place, text) in &self.texts {
                for (number, line) in text.lines().enumerate() {
                    let line = line.to_lowercase();
                    if forms.iter().any(|form| line.contains(form)) {
                        all.push(format!("{what} in {place}, line {}: {line:.300}", number + 1));
                    }
                }
            }
        }
        all
    }
}
