//! Certificates for a test, in files of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use viderehab::config::Tls;

/// A CA, and the directory where the pairs that it signs are. Gone when dropped.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub directory: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("viderehab-pem-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let mut about = CertificateParams::new(Vec::<String>::new()).unwrap();
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(about, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, directory }
    }

    /// Its own certificate, in DER.
    pub fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// Its own certificate's file.
    pub fn file(&self) -> PathBuf {
        let path = self.directory.join("ca.pem");
        fs::write(&path, self.issuer.pem()).unwrap();
        path
    }

    /// The two files, whether they are there or not.
    pub fn files(&self) -> Tls {
        let path = |name: &str| self.directory.join(name).display().to_string();
        Tls { cert: path("cert.pem"), key: path("key.pem") }
    }

    /// Writes a fresh pair for 127.0.0.1 over the one that is there; the certificate in DER.
    pub fn issue(&self) -> Vec<u8> {
        self.issue_as(|_| {})
    }

    /// Likewise, with something else about it.
    pub fn issue_as(&self, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let mut about = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        change(&mut about);
        let certificate = about.signed_by(&key, &self.issuer).unwrap();
        let files = self.files();
        fs::write(&files.cert, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
        certificate.der().to_vec()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // The system cleans up what is left.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
