//! `server.data_dir`: can it be written, is there room, and who else can read what is in it.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Finding;
use crate::config::Config;

/// Less room than this is an error, less than that a warning, in MiB. A stored session takes some
/// KiB; what fills a disk is something else, and then nobody can be let in.
const ROOM_MIB: (u64, u64) = (32, 512);

/// What is for its owner's eyes alone.
const FILES: [&str; 2] = [TOKEN, "viderehab.redb"];

const TOKEN: &str = "admin_token";

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let what = "server.data_dir";
    if config.server.data_dir.is_empty() {
        return vec![Finding::ok(what, "is empty: all is kept in memory, and gone with the process")];
    }
    let directory = Path::new(&config.server.data_dir);
    // A server makes it at its first start. A link is there, too, if it leads nowhere: then it cannot.
    let mut ancestors = directory.ancestors().map(or_here);
    let there = ancestors.find(|ancestor| ancestor.symlink_metadata().is_ok()).unwrap_or(Path::new("/"));
    let missing = there != or_here(directory);
    let mut findings = vec![match writable(there) {
        Ok(()) if missing => Finding::ok(what, format!("{} is not there yet and can be made", directory.display())),
        Ok(()) => Finding::ok(what, format!("{} can be written", directory.display())),
        Err(error) => unwritable(there, &error),
    }];
    findings.push(match rustix::fs::statvfs(there) {
        Ok(disk) => room(disk.f_bavail.saturating_mul(disk.f_frsize) >> 20),
        Err(error) => {
            Finding::warning("disk", format!("its free space is not known: {error}"), "mend server.data_dir first")
        }
    });
    let uid = rustix::process::geteuid().as_raw();
    for name in FILES {
        let path = directory.join(name);
        match (fs::symlink_metadata(&path), fs::metadata(directory)) {
            (Ok(file), Ok(around)) => findings.push(private(&path, &file, &around, uid)),
            // Not made yet; or the directory is none, which was said.
            (Err(error), _) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            (Err(error), _) => findings.push(Finding::error(
                &path.display().to_string(),
                format!("cannot be looked at: {error}"),
                "run this as the user of the service",
            )),
            _ => {}
        }
    }
    findings
}

/// The parent of a bare name is here.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Makes a file there for a moment.
fn writable(directory: &Path) -> io::Result<()> {
    let probe = directory.join(format!(".viderehab-doctor-{}", std::process::id()));
    fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    fs::remove_file(probe)
}

fn unwritable(there: &Path, error: &io::Error) -> Finding {
    let (what, place) = ("server.data_dir", there.display());
    let (found, mend) = match error.kind() {
        ErrorKind::NotADirectory => (format!("{place} is no directory"), "remove it".to_owned()),
        ErrorKind::PermissionDenied => (
            format!("{place} cannot be written: {error}"),
            format!("chown {place} to the user of the service and chmod 700 it"),
        ),
        _ => (
            format!("{place} cannot be written: {error}"),
            format!("see that the disk of {place} is mounted, and not read-only or full"),
        ),
    };
    Finding::error(what, found, format!("{mend}, or set another server.data_dir"))
}

fn room(mib: u64) -> Finding {
    let (what, found) = ("disk", format!("{mib} MiB are free for server.data_dir"));
    let fix = "make room, or set server.data_dir on another disk: a session is stored before anybody is let in";
    match mib {
        _ if mib < ROOM_MIB.0 => Finding::error(what, found, fix),
        _ if mib < ROOM_MIB.1 => Finding::warning(what, found, fix),
        _ => Finding::ok(what, found),
    }
}

/// What others know who have read this file, and how it becomes worthless to them.
fn renewed(path: &Path) -> &'static str {
    if path.ends_with(TOKEN) {
        "take a new token: remove it and restart the server"
    } else {
        "start the sessions anew: it holds their keys"
    }
}

fn private(path: &Path, file: &Metadata, around: &Metadata, uid: u32) -> Finding {
    let what = path.display().to_string();
    let mode = file.mode() & 0o777;
    if !file.is_file() {
        return Finding::error(
            &what,
            "is no plain file",
            format!("put the file itself there, or remove {what}: the server makes it anew"),
        );
    }
    if mode & 0o077 != 0 {
        return Finding::error(
            &what,
            format!("has mode {mode:04o}: others can read or write it"),
            format!("chmod 600 {what}, and, if others may have read it, {}", renewed(path)),
        );
    }
    // Run as root, the owner that counts is the directory's.
    let expected = if uid == 0 { around.uid() } else { uid };
    if file.uid() != expected {
        return Finding::error(
            &what,
            format!(
                "belongs to uid {}, and not to {expected} like the directory or the user of this program",
                file.uid()
            ),
            match uid {
                0 => format!("chown {expected} {what}, or run the service as its owner"),
                _ => format!("run this as the user of the service; if you did, chown {expected} {what}"),
            },
        );
    }
    Finding::ok(&what, format!("has mode {mode:04o} and the owner {}", file.uid()))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn room_is_judged() {
        assert_eq!([0, 31, 32, 511, 512].map(|mib| room(mib).level), {
            use Level::{Error, Ok, Warning};
            [Error, Error, Warning, Warning, Ok]
        });
    }

    #[test]
    fn a_file_of_somebody_else_is_seen() {
        let path = std::env::temp_dir().join(format!("viderehab-doctor-owner-{}", std::process::id()));
        fs::write(&path, "x").unwrap();
        rustix::fs::chmod(&path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let about = fs::metadata(&path).unwrap();
        let other = about.uid() + 1;
        assert_eq!(private(&path, &about, &about, about.uid()).level, Level::Ok);
        assert_eq!(private(&path, &about, &about, other).level, Level::Error);
        fs::remove_file(path).unwrap();
    }
}
