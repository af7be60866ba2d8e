//! Files that hold secrets: for their owner alone.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What others may not have of it.
const OTHERS: u32 = 0o077;

/// Opens a file to read and write; makes it, and its directory, if they are not there. A file that others could read or
/// write, which an operator may have made beforehand, is taken from them.
///
/// # Errors
/// Those of the system, also where the file is somebody else's and others may read it.
pub fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(mode & !OTHERS))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_read_is_taken_from_them() {
        let directory = std::env::temp_dir().join(format!("viderehab-private-{}", std::process::id()));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let fresh = directory.join("fresh");
        open(&fresh).unwrap();
        assert_eq!((mode(&directory), mode(&fresh)), (0o700, 0o600));
        for given in [0o644, 0o660, 0o777] {
            let made = directory.join(format!("{given:o}"));
            std::fs::write(&made, "").unwrap();
            std::fs::set_permissions(&made, Permissions::from_mode(given)).unwrap();
            open(&made).unwrap();
            assert_eq!(mode(&made), given & 0o700);
        }
        std::fs::remove_dir_all(directory).unwrap();
    }
}
