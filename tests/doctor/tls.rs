//! The certificate and its key.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::pem::Authority;
use crate::report::doctor;
use crate::server::config;

#[tokio::test]
async fn a_certificate_is_looked_at() {
    let mut settings = config();
    let authority = Authority::new();
    let files = authority.files();
    settings.server.tls = Some(files.clone());
    doctor(&settings).await.says("error  server.tls.cert: ", &files.cert);

    authority.issue();
    fs::remove_file(&files.key).unwrap();
    let report = doctor(&settings).await;
    report.says("error  server.tls.key: ", &files.key);
    assert_eq!(report.text.matches("error  server.tls.key: ").count(), 1, "{}", report.text);
    authority.issue();
    let report = doctor(&settings).await;
    report.is_without_errors();
    report.says("ok  server.tls.key: ", "mode 0600");
    report.says("ok  server.tls.key: ", "is the key of");
    report.says("ok  server.tls.cert: ", "names 127.0.0.1");
    report.says("ok  server.tls.cert: ", "is good until");

    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(doctor(&settings).await.says("error  server.tls.key: ", "mode 0644").starts_with("chmod o= "));
    authority.issue();
    settings.webrtc.hostname = "clinic.example".to_owned();
    doctor(&settings).await.says("error  server.tls.cert: ", "is not for clinic.example");
    settings.server.public_url = "https://127.0.0.1:1/".to_owned();
    doctor(&settings).await.says("ok  server.tls.cert: ", "names 127.0.0.1");

    let today = (SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400) as i64;
    for (from, until, level, words) in [
        (-10, -1, "error", "has ended on"),
        (1, 90, "error", "is good from"),
        (-10, 29, "warning", "more days"),
        (-10, 32, "ok", "more days"),
    ] {
        authority.issue_as(|about| {
            // The library's own type of moments, taken from a date that it makes.
            let epoch = rcgen::date_time_ymd(1970, 1, 1);
            let days = |days: i64| Duration::from_secs((today + days) as u64 * 86_400);
            (about.not_before, about.not_after) = (epoch + days(from), epoch + days(until));
        });
        doctor(&settings).await.says(&format!("{level}  server.tls.cert: "), words);
    }

    let other = Authority::new();
    other.issue();
    fs::copy(other.files().key, &files.key).unwrap();
    doctor(&settings).await.says("error  server.tls.key: ", "is not the key of");
    fs::write(&files.key, "no key").unwrap();
    doctor(&settings).await.says("error  server.tls.key: ", "holds no private key");
}

#[tokio::test]
async fn without_tls_a_public_host_is_warned_of() {
    let mut settings = config();
    settings.webrtc.hostname = "clinic.invalid".to_owned();
    let fix = doctor(&settings).await.says("warning  server.tls: ", "http://clinic.invalid");
    assert!(fix.contains("server.public_url"));
    settings.server.public_url = "https://clinic.invalid".to_owned();
    doctor(&settings).await.says("ok  server.tls: ", "a proxy is to serve https://clinic.invalid");
}

/// The library that checks the pair does not look at dates.
#[tokio::test]
async fn a_certificate_whose_dates_cannot_be_read_is_seen() {
    let mut settings = config();
    let authority = Authority::new();
    let mut der = authority.issue_as(|about| about.not_after = rcgen::date_time_ymd(2049, 12, 31));
    let files = authority.files();
    settings.server.tls = Some(files.clone());
    let date = der.windows(6).position(|bytes| bytes == b"491231").unwrap();
    der[date..date + 6].copy_from_slice(b"499931");
    let text = STANDARD.encode(der);
    fs::write(&files.cert, format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")).unwrap();
    let fix = doctor(&settings)
        .await
        .says("warning  server.tls.cert: ", &format!("the dates of {} cannot be read", files.cert));
    assert!(fix.contains(&format!("openssl x509 -noout -dates -in {}", files.cert)), "{fix}");
}
