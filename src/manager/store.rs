//! The embedded store: every session that was ever started, in one file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::record::Record;
use crate::session::seats::KeptSeat;

/// Session id → [`Record`] as JSON.
const SESSIONS: TableDefinition<i64, &[u8]> = TableDefinition::new("sessions");

/// Session id → its [`KeptSeat`]s as JSON, from the end of one run of the server to the start of the next.
const SEATS: TableDefinition<i64, &[u8]> = TableDefinition::new("seats");

/// How much of the store is kept in memory, in bytes. It is read at start and when a session that has ended starts anew;
/// what is written is written once.
const CACHE_BYTES: usize = 1 << 20;

/// The file in `data_dir`.
const FILE: &str = "viderehab.redb";

/// Why the store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be made or the file not opened.
    #[error("server.data_dir: cannot open {path}: {problem}")]
    Open {
        /// The directory or file.
        path: String,
        /// What was wrong.
        problem: String,
    },
    /// A transaction failed: the disk is full or broken.
    #[error("the store cannot be used: {0}")]
    Database(#[from] redb::Error),
    /// A record is not what this program writes.
    #[error("the store's record of session {id} cannot be read: {error}")]
    Record {
        /// Which.
        id: i64,
        /// What was wrong.
        error: serde_json::Error,
    },
}

/// The store. Its methods block; what `put` has returned for is on the disk.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
}

impl Store {
    /// Opens or makes the store in a directory; an empty name keeps everything in memory.
    ///
    /// # Errors
    /// A file that is no store, is in use, or cannot be written.
    pub fn open(directory: &str) -> Result<Self, StoreError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        let database = if directory.is_empty() {
            builder.create_with_backend(InMemoryBackend::new()).map_err(redb::Error::from)?
        } else {
            let path = Path::new(directory).join(FILE);
            let failed = |problem: String| StoreError::Open { path: path.display().to_string(), problem };
            private_file(&path).map_err(|error| failed(error.to_string()))?;
            builder.create(&path).map_err(|error| failed(error.to_string()))?
        };
        let store = Self { database: Arc::new(database) };
        // So that reading finds the table even before the first session.
        store.write(SESSIONS, |_| Ok(()))?;
        Ok(store)
    }

    fn write<T>(
        &self,
        table: TableDefinition<i64, &[u8]>,
        change: impl FnOnce(&mut redb::Table<i64, &[u8]>) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let transaction = self.database.begin_write().map_err(redb::Error::from)?;
        let result = change(&mut transaction.open_table(table).map_err(redb::Error::from)?)?;
        transaction.commit().map_err(redb::Error::from)?;
        Ok(result)
    }

    /// Writes records, all or none, durably.
    ///
    /// # Errors
    /// The disk's.
    pub fn put(&self, records: &[&Record]) -> Result<(), StoreError> {
        self.write(SESSIONS, |table| {
            for record in records {
                let bytes = serde_json::to_vec(record).expect("a record has text keys and finite numbers");
                table.insert(record.session.id_session, bytes.as_slice())?;
            }
            Ok(())
        })
    }

    /// Removes a record, durably.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove(&self, id: i64) -> Result<(), StoreError> {
        self.write(SESSIONS, |table| {
            table.remove(id)?;
            Ok(())
        })
    }

    /// Writes the seats of sessions, durably.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep_seats(&self, all: &[(i64, Vec<KeptSeat>)]) -> Result<(), StoreError> {
        self.write(SEATS, |table| {
            for (id, seats) in all.iter().filter(|(_, seats)| !seats.is_empty()) {
                let bytes = serde_json::to_vec(seats).expect("a seat has text keys and whole numbers");
                table.insert(id, bytes.as_slice())?;
            }
            Ok(())
        })
    }

    /// Takes out the seats that were kept, durably: they are of one restart, and no later one. Those that
    /// cannot be read are none.
    ///
    /// # Errors
    /// The disk's.
    pub fn take_seats(&self) -> Result<HashMap<i64, Vec<KeptSeat>>, StoreError> {
        self.write(SEATS, |table| {
            let mut all = HashMap::new();
            for entry in table.extract_if(|_, _| true)? {
                let (id, bytes) = entry?;
                all.insert(id.value(), serde_json::from_slice(bytes.value()).unwrap_or_default());
            }
            Ok(all)
        })
    }

    /// One session's record.
    ///
    /// # Errors
    /// The disk's, or a record that cannot be read.
    pub fn get(&self, id: i64) -> Result<Option<Record>, StoreError> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let table = transaction.open_table(SESSIONS).map_err(redb::Error::from)?;
        let found = table.get(id).map_err(redb::Error::from)?;
        found.map(|bytes| decode(id, bytes.value())).transpose()
    }

    /// All records of sessions that run, by id, and the highest id there is.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn running(&self) -> Result<(Vec<Record>, i64), StoreError> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let table = transaction.open_table(SESSIONS).map_err(redb::Error::from)?;
        let (mut running, mut last) = (Vec::new(), 0);
        for entry in table.iter().map_err(redb::Error::from)? {
            let (id, bytes) = entry.map_err(redb::Error::from)?;
            last = id.value();
            let record = decode(last, bytes.value())?;
            if record.run.is_some() {
                running.push(record);
            }
        }
        Ok((running, last))
    }
}

fn decode(id: i64, bytes: &[u8]) -> Result<Record, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Record { id, error })
}

/// Makes the directory and the file for their owner alone, since keys are in it.
fn private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(directory) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    std::fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
    Ok(())
}
