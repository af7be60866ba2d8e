//! The embedded store: every session that was ever started, in one file.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::record::Record;
use crate::private;
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
    #[error("server.data_dir: {path} cannot be used: {problem}")]
    Database {
        /// The file.
        path: String,
        /// What was wrong.
        problem: redb::Error,
    },
    /// A record is not what this program writes.
    #[error("server.data_dir: {path}: the record of session {id} cannot be read: {error}")]
    Record {
        /// The file.
        path: String,
        /// Which.
        id: i64,
        /// What was wrong.
        error: serde_json::Error,
    },
}

/// The store. Its methods block; what `put` has returned for is on the disk.
#[derive(Clone)]
pub struct Store {
    /// None: all is in memory.
    file: Option<PathBuf>,
    /// None: it failed, and could not be opened again.
    database: Arc<Mutex<Option<Database>>>,
}

impl Store {
    /// Opens or makes the store in a directory; an empty name keeps everything in memory.
    ///
    /// # Errors
    /// A file that is no store, is in use, or cannot be written.
    pub fn open(directory: &str) -> Result<Self, StoreError> {
        let file = (!directory.is_empty()).then(|| Path::new(directory).join(FILE));
        if let Some(path) = &file {
            private::open(path).map_err(|error| not_opened(path, &error))?;
        }
        let store = Self { file, database: Arc::default() };
        // So that reading finds the table even before the first session.
        store.write(SESSIONS, |_| Ok(()))?;
        Ok(store)
    }

    /// Does something with the database. One that has failed does nothing more, though its disk be well again: it is closed and
    /// opened anew, now or, where that fails, when it is next asked.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let mut place = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match place.take() {
            Some(database) => database,
            None => self.database()?,
        };
        let done = work(&database);
        if done.is_ok() || self.file.is_none() {
            *place = Some(database);
        } else {
            drop(database);
            *place = self.database().ok();
        }
        done.map_err(|problem| StoreError::Database { path: self.path(), problem })
    }

    fn path(&self) -> String {
        self.file.as_deref().unwrap_or(Path::new("memory")).display().to_string()
    }

    fn decode(&self, id: i64, bytes: &[u8]) -> Result<Record, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| StoreError::Record { path: self.path(), id, error })
    }

    fn database(&self) -> Result<Database, StoreError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        match &self.file {
            Some(path) => builder.create(path).map_err(|error| not_opened(path, &error)),
            None => Ok(builder.create_with_backend(InMemoryBackend::new()).expect("memory can be written")),
        }
    }

    fn write<T>(
        &self,
        table: TableDefinition<i64, &[u8]>,
        change: impl FnOnce(&mut redb::Table<i64, &[u8]>) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.with(|database| {
            let transaction = database.begin_write()?;
            let result = change(&mut transaction.open_table(table)?)?;
            transaction.commit()?;
            Ok(result)
        })
    }

    /// Writes records, or removes those that are none any more; all or nothing, durably.
    ///
    /// # Errors
    /// The disk's.
    pub fn put(&self, records: &BTreeMap<i64, Option<Arc<Record>>>) -> Result<(), StoreError> {
        self.write(SESSIONS, |table| {
            for (id, record) in records {
                match record {
                    Some(record) => {
                        let bytes = serde_json::to_vec(&**record).expect("a record has text keys and finite numbers");
                        table.insert(id, bytes.as_slice())?;
                    }
                    None => _ = table.remove(id)?,
                }
            }
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
        let found = self.with(|database| {
            let table = database.begin_read()?.open_table(SESSIONS)?;
            Ok(table.get(id)?.map(|bytes| bytes.value().to_vec()))
        })?;
        found.map(|bytes| self.decode(id, &bytes)).transpose()
    }

    /// All records of sessions that run, by id, and the highest id there is.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn running(&self) -> Result<(Vec<Record>, i64), StoreError> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(SESSIONS)?;
            let (mut running, mut last) = (Vec::new(), 0);
            for entry in table.iter()? {
                let (id, bytes) = entry?;
                last = id.value();
                match self.decode(last, bytes.value()) {
                    Ok(record) if record.run.is_none() => {}
                    Ok(record) => running.push(record),
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok((running, last)))
        })?
    }
}

fn not_opened(path: &Path, problem: &dyn std::fmt::Display) -> StoreError {
    StoreError::Open { path: path.display().to_string(), problem: problem.to_string() }
}
