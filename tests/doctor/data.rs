//! The data directory, and its disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::report::{Directory, doctor};
use crate::server::config;

#[tokio::test]
async fn a_data_directory_is_looked_at() {
    let mut settings = config();
    let directory = Directory::new();
    settings.server.data_dir = directory.0.join("new/data").display().to_string();
    doctor(&settings).await.says("ok  server.data_dir: ", "is not there yet");
    assert!(!directory.0.join("new").exists(), "the doctor changes nothing");

    settings.server.data_dir = directory.0.display().to_string();
    let file = directory.0.join("admin_token");
    fs::write(&file, "0123456789abcdef").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let report = doctor(&settings).await;
    report.says("ok  server.data_dir: ", "can be written");
    report.says("ok  disk: ", "MiB are free");
    report.says(&format!("ok  {}: ", file.display()), "mode 0600");
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1, "the doctor leaves nothing behind");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let fix = doctor(&settings).await.says(&format!("error  {}: ", file.display()), "mode 0640");
    assert!(fix.starts_with(&format!("chmod 600 {}", file.display())));

    // Nobody, root neither, can write here, and there is no room.
    settings.server.data_dir = "/proc/viderehab".to_owned();
    let report = doctor(&settings).await;
    assert!(report.says("error  server.data_dir: ", "cannot be written").contains("chown"));
    report.says("error  disk: ", "0 MiB");
}
