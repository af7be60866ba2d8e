//! A small disk, and a program that sees it where others see a plain directory.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::machine::{Directory, can};

/// Mounted for its own programs alone, and gone with it, whatever becomes of the test.
pub struct Disk {
    /// Holds the mount; it ends with its standard input.
    holder: Child,
    place: Directory,
}

impl Disk {
    /// So many KiB; none where the machine does not let us mount.
    pub fn mount(kib: u64) -> Option<Self> {
        if !can("to mount a disk", "unshare --map-root-user --mount mount -t tmpfs tmpfs /tmp") {
            return None;
        }
        let place = Directory::new();
        let disk = place.0.join("disk");
        fs::create_dir(&disk).unwrap();
        let mount = format!("mount -t tmpfs -o mode=0700,size={kib}k tmpfs \"$0\" && echo mounted && exec cat");
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &mount]).arg(&disk);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "mounted\n");
        Some(Self { holder, place })
    }

    /// Where its programs see it.
    pub fn path(&self) -> PathBuf {
        self.place.0.join("disk")
    }

    /// A program that runs another where the disk is.
    pub fn program(&self, program: &str) -> PathBuf {
        let file = self.place.0.join("program");
        let there = format!("nsenter --preserve-credentials --user --mount --target {}", self.holder.id());
        fs::write(&file, format!("#!/bin/sh\nexec {there} '{program}' \"$@\"\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        file
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.filling()).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Gives it back.
    pub fn make_room(&self) {
        fs::remove_file(self.filling()).unwrap();
    }

    /// As we see it from outside.
    fn filling(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.path().strip_prefix(Path::new("/")).unwrap()).join("filling")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
