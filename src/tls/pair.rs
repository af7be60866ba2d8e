//! A certificate and its key, as they stand in two PEM files.

use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::config::Tls;

/// Why the two files cannot be used. Each names the key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// One of the two cannot be read, or does not hold what it should.
    #[error("{key}: {path}: {problem}")]
    File {
        /// `server.tls.cert` or `server.tls.key`.
        key: &'static str,
        /// The file.
        path: String,
        /// What was wrong.
        problem: String,
    },
    /// Each is fine, but they do not belong together.
    #[error("server.tls.key: {key} is not the key of the certificate in {cert}")]
    Mismatch {
        /// The key's file.
        key: String,
        /// The certificate's.
        cert: String,
    },
}

/// A certificate with its chain, and its key.
#[derive(Debug)]
pub struct Pair(pub(super) Arc<CertifiedKey>);

impl Pair {
    /// Reads both files, and sees to it that they belong together.
    ///
    /// # Errors
    /// See [`PairError`].
    pub fn read(files: &Tls) -> Result<Self, PairError> {
        let bad_cert = |problem: String| wrong("server.tls.cert", &files.cert, problem);
        let bad_key = |problem: String| wrong("server.tls.key", &files.key, problem);
        let text = std::fs::read(&files.cert).map_err(|error| bad_cert(error.to_string()))?;
        let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(|error| bad_cert(in_words(&error, "certificate")))?;
        if chain.is_empty() {
            return Err(bad_cert(in_words(&pem::Error::NoItemsFound, "certificate")));
        }
        let text = std::fs::read(&files.key).map_err(|error| bad_key(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| bad_key(in_words(&error, "private key")))?;
        let key = default_provider().key_provider.load_private_key(key).map_err(|error| bad_key(error.to_string()))?;
        let pair = CertifiedKey::new(chain, key);
        match pair.keys_match() {
            // Unknown: a kind of key that does not tell its public half.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Self(Arc::new(pair))),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(PairError::Mismatch { key: files.key.clone(), cert: files.cert.clone() })
            }
            Err(error) => Err(bad_cert(error.to_string())),
        }
    }

    /// The certificate itself, in DER.
    pub fn end_entity(&self) -> &CertificateDer<'static> {
        &self.0.cert[0]
    }
}

fn wrong(key: &'static str, path: &str, problem: String) -> PairError {
    PairError::File { key, path: path.to_owned(), problem }
}

/// The library's own words may repeat lines of the file, and one of the two files is a secret.
fn in_words(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("holds no {what}"),
        pem::Error::Io(error) => error.to_string(),
        _ => format!("is no PEM file with a {what}"),
    }
}
