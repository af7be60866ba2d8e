//! The certificate that the server shows: read from its two files, and anew when they change.

use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use super::pair::{Pair, PairError};
use crate::config::Tls as Files;

/// How often the files are looked at. Certificates are renewed months ahead; this is for whoever
/// has just replaced one and wants to see it.
const LOOK: Duration = Duration::from_secs(2);

/// The certificate in use. Connections under way keep the one that they were opened with.
#[derive(Debug)]
pub struct Certificate {
    files: Files,
    used: RwLock<Arc<CertifiedKey>>,
    seen: Mutex<Seen>,
}

/// What a file was when it was last looked at: when and where it was written, and how long it is.
type Stamp = Option<(SystemTime, u64, u64)>;

/// The files as they were last read.
#[derive(Debug)]
struct Seen {
    stamps: [Stamp; 2],
    /// Why they could not be used; told when the next look finds them unchanged, since a pair is
    /// written one file after the other.
    untold: Option<PairError>,
}

impl Certificate {
    /// Reads the certificate for the first time.
    ///
    /// # Errors
    /// See [`PairError`].
    pub fn open(files: &Files) -> Result<Self, PairError> {
        let stamps = stamps(files);
        let used = RwLock::new(Pair::read(files)?.0);
        Ok(Self { files: files.clone(), used, seen: Mutex::new(Seen { stamps, untold: None }) })
    }

    /// Reads the files now, changed or not. Blocks for as long as the files' disk does.
    ///
    /// # Errors
    /// See [`PairError`]; the certificate in use stays.
    pub fn reload(&self) -> Result<(), PairError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(&mut seen, stamps(&self.files))
    }

    /// Looks at the files every few seconds until `stop`, and takes what has changed. A new pair
    /// that cannot be used is logged once.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let certificate = self.clone();
            let looking = tokio::task::spawn_blocking(move || certificate.look());
            // Their disk may hang for longer than we live.
            if let Some(Err(error)) = stop.run_until_cancelled(looking).await {
                tracing::error!(%error, "looking at the certificate's files failed");
            }
        }
    }

    fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.files);
        if stamps == seen.stamps {
            if let Some(error) = seen.untold.take() {
                tracing::warn!(%error, "the new certificate cannot be used; the old one stays");
            }
        } else if let Err(error) = self.read(&mut seen, stamps) {
            seen.untold = Some(error);
        }
    }

    /// `stamps` were taken before: what is written while we read is seen by the next look.
    fn read(&self, seen: &mut Seen, stamps: [Stamp; 2]) -> Result<(), PairError> {
        *seen = Seen { stamps, untold: None };
        let Pair(pair) = Pair::read(&self.files)?;
        *self.used.write().unwrap_or_else(PoisonError::into_inner) = pair;
        tracing::info!(file = self.files.cert, "the certificate was read anew");
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.used.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn stamps(files: &Files) -> [Stamp; 2] {
    [&files.cert, &files.key].map(|path| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.ino(), about.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a fresh pair.
    fn issue(files: &Files) {
        let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        std::fs::write(&files.cert, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    }

    #[test]
    fn a_half_written_pair_is_told_of_once_and_only_if_it_stays_so() {
        let directory = std::env::temp_dir().join(format!("viderehab-certificate-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = |name: &str| directory.join(name).display().to_string();
        let files = Files { cert: path("cert.pem"), key: path("key.pem") };
        issue(&files);
        let certificate = Certificate::open(&files).unwrap();
        let used = || certificate.used.read().unwrap().clone();
        let untold = || certificate.seen.lock().unwrap().untold.is_some();
        let first = used();
        certificate.look();
        assert!(Arc::ptr_eq(&first, &used()), "nothing has changed");

        let other = Files { cert: path("cert2.pem"), key: path("key2.pem") };
        issue(&other);
        std::fs::rename(&other.cert, &files.cert).unwrap();
        certificate.look();
        assert!(untold() && Arc::ptr_eq(&first, &used()), "half a pair");
        certificate.look();
        assert!(!untold(), "told");
        certificate.look();
        assert!(!untold(), "once");

        std::fs::rename(&other.key, &files.key).unwrap();
        certificate.look();
        assert!(!untold() && !Arc::ptr_eq(&first, &used()), "a whole pair");
        std::fs::remove_dir_all(directory).unwrap();
    }
}
