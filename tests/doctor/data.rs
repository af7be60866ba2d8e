//! The data directory, and its disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use viderehab::config::Config;

use crate::machine::{Directory, can, without};
use crate::report::{doctor, doctor_after};
use crate::server::config;

/// A server's with an empty directory.
fn with_directory() -> (Config, Directory) {
    let mut settings = config();
    let directory = Directory::new();
    settings.server.data_dir = directory.0.display().to_string();
    (settings, directory)
}

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
    assert!(report.says("error  server.data_dir: ", "/proc cannot be written").contains("server.data_dir"));
    report.says("error  disk: ", "0 MiB");
}

#[tokio::test]
async fn what_stands_in_the_place_of_a_file_is_named() {
    let (settings, directory) = with_directory();
    let (token, store) = (directory.0.join("admin_token"), directory.0.join("viderehab.redb"));
    fs::create_dir(&token).unwrap();
    symlink("elsewhere", &store).unwrap();
    let report = doctor(&settings).await;
    for path in [token, store] {
        let fix = report.says(&format!("error  {}: ", path.display()), "is no plain file");
        assert!(fix.contains(&format!("remove {}", path.display())), "{fix}");
    }
}

#[tokio::test]
async fn a_store_that_others_can_read_is_not_taken_for_the_token() {
    let (settings, directory) = with_directory();
    let store = directory.0.join("viderehab.redb");
    fs::write(&store, "").unwrap();
    fs::set_permissions(&store, fs::Permissions::from_mode(0o604)).unwrap();
    let fix = doctor(&settings).await.says(&format!("error  {}: ", store.display()), "mode 0604");
    assert!(fix.starts_with(&format!("chmod 600 {}", store.display())) && !fix.contains("token"), "{fix}");
}

#[tokio::test]
async fn a_file_in_the_place_of_the_directory_is_named() {
    let mut settings = config();
    let directory = Directory::new();
    let file = directory.0.join("data");
    fs::write(&file, "").unwrap();
    for data_dir in [file.clone(), file.join("below")] {
        settings.server.data_dir = data_dir.display().to_string();
        let report = doctor(&settings).await;
        let fix = report.says("error  server.data_dir: ", &format!("{} is no directory", file.display()));
        assert!(fix.starts_with("remove it") && fix.contains("server.data_dir"), "{fix}");
        assert!(!report.text.contains("cannot be looked at"), "{}", report.text);
    }
}

/// As where the disk that it leads to is not mounted.
#[tokio::test]
async fn a_link_that_leads_nowhere_is_no_directory_that_can_be_made() {
    let mut settings = config();
    let directory = Directory::new();
    let link = directory.0.join("data");
    symlink("disk/data", &link).unwrap();
    settings.server.data_dir = link.display().to_string();
    let report = doctor(&settings).await;
    let fix = report.says("error  server.data_dir: ", &format!("{} cannot be written", link.display()));
    assert!(fix.contains("mounted"), "{fix}");
    assert!(report.says("warning  disk: ", "is not known").contains("server.data_dir"));
}

#[tokio::test]
async fn a_directory_that_its_user_may_not_enter_is_named() {
    let (settings, directory) = with_directory();
    fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o600)).unwrap();
    let report = doctor_after(&without(&["dac_override", "dac_read_search"]), &settings).await;
    let fix = report.says("error  server.data_dir: ", "Permission denied");
    assert!(fix.starts_with(&format!("chown {}", directory.0.display())) && fix.contains("chmod 700"), "{fix}");
    for name in ["admin_token", "viderehab.redb"] {
        let begin = format!("error  {}: ", directory.0.join(name).display());
        assert!(report.says(&begin, "cannot be looked at").contains("the user of the service"));
    }
    fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_file_of_somebody_else_is_named() {
    if !can("root", "[ \"$(id -u)\" = 0 ]") {
        return;
    }
    let (settings, directory) = with_directory();
    let file = directory.0.join("admin_token");
    fs::write(&file, "0123456789abcdef").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&file, Some(65534), None).unwrap();
    let fix = doctor(&settings).await.says(&format!("error  {}: ", file.display()), "belongs to uid 65534");
    assert!(fix.contains(&format!("chown 0 {}", file.display())), "{fix}");
    let nobody = "setpriv --reuid=65533 --regid=65533 --clear-groups";
    if can("a program that everybody may run", &format!("{nobody} test -x '{}'", env!("CARGO_BIN_EXE_viderehab"))) {
        let report = doctor_after(&format!("set -- {nobody} \"$@\""), &settings).await;
        let fix = report.says(&format!("error  {}: ", file.display()), "and not to 65533");
        assert!(fix.starts_with("run this as the user of the service"), "{fix}");
    }
    // What counts for root is whose the directory is.
    chown(&directory.0, Some(65534), None).unwrap();
    doctor(&settings).await.says(&format!("ok  {}: ", file.display()), "the owner 65534");
}

#[tokio::test]
#[ignore = "needs to mount a disk"]
async fn a_disk_with_little_room_is_seen() {
    if !can("to mount a disk", "unshare --map-root-user --mount mount -t tmpfs tmpfs /tmp") {
        return;
    }
    let (settings, directory) = with_directory();
    for (mib, level) in [(16, "error"), (100, "warning"), (600, "ok")] {
        // Mounted for this program alone, and gone with it.
        let mounted = format!(
            r#"mount='mount -t tmpfs -o size={mib}m tmpfs "$0" && exec "$@"'
            set -- unshare --map-root-user --mount sh -c "$mount" '{}' "$@""#,
            directory.0.display()
        );
        let report = doctor_after(&mounted, &settings).await;
        report.says("ok  server.data_dir: ", "can be written");
        let fix = report.says(&format!("{level}  disk: "), "MiB are free for server.data_dir");
        assert_eq!(fix.starts_with("make room"), level != "ok", "{fix}");
    }
}
