//! The compiled program, started for a test on ports of its own and stopped with it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long the program may take until it is ready.
const START: Duration = Duration::from_secs(20);
/// What the two lines are known by that it prints when it is ready.
const READY: &str = "viderehab ready on ";
const WITH_TOKEN: &str = "?token=";
/// Sessions that can run at once, unless a test says otherwise.
const POOL: u16 = 50;
/// Ports that a pool is sought in: below those that systems hand out by themselves.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// A running viderehab, standalone, all in memory. Dropping it ends the process.
pub struct Binary {
    /// The manager's address, `http://host:port`.
    pub url: String,
    /// The admin token.
    pub token: String,
    /// How long it took until it was ready.
    pub ready_after: Duration,
    command: Command,
    process: Child,
    directory: PathBuf,
    output: Arc<Mutex<String>>,
}

impl Binary {
    /// Starts a program and waits until it is ready. `sections` is TOML for what comes after
    /// `[server]` and `[webrtc]`, such as `[limits]`; `settings` its environment.
    pub fn start(program: &Path, sections: &str, settings: &[(&str, &str)]) -> Result<Binary, String> {
        Self::start_with_pool(POOL, program, sections, settings)
    }

    /// As [`Binary::start`], with room for so many sessions.
    pub fn start_with_pool(
        pool: u16,
        program: &Path,
        sections: &str,
        settings: &[(&str, &str)],
    ) -> Result<Binary, String> {
        let base = free_pool(pool)?;
        let directory = std::env::temp_dir().join(format!("viderehab-test-{}-{base}", std::process::id()));
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"\"\n\n\
             [webrtc]\nlocal_base_port = {base}\nmax_sessions = {pool}\n\n{sections}"
        );
        let file = directory.join("config.toml");
        let log = directory.join("log");
        let failed = |what: &str, error: std::io::Error| format!("{what}: {error}");
        fs::create_dir_all(&directory).map_err(|error| failed("temporary directory", error))?;
        fs::write(&file, config).map_err(|error| failed("temporary configuration", error))?;
        fs::write(&log, "").map_err(|error| failed("temporary log", error))?;
        let mut command = Command::new(program);
        command.args(["serve".as_ref(), "--config".as_ref(), file.as_os_str()]);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("VIDEREHAB_")) {
            command.env_remove(name); // the tester's own settings are not the test's
        }
        command.envs(settings.iter().copied()).current_dir(&directory).stdin(Stdio::null()).stdout(Stdio::piped());
        let since = Instant::now();
        let process = spawn(&mut command, &log)?;
        let (url, token, ready_after, output) = (String::new(), String::new(), Duration::ZERO, Arc::default());
        let mut binary = Binary { url, token, ready_after, command, process, directory, output };
        binary.wait_until_ready()?;
        binary.ready_after = since.elapsed();
        Ok(binary)
    }

    /// Ends it as a service manager does, and starts it again, with all that it had but the manager's port.
    pub fn restart(&mut self) -> Result<(), String> {
        self.signal("TERM");
        if !self.ends_within(START) {
            return Err("the program does not end".to_owned());
        }
        (self.url, self.token) = (String::new(), String::new());
        let log = self.files().1;
        self.process = spawn(&mut self.command, &log)?;
        self.wait_until_ready()
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends the process a signal, by its name.
    pub fn signal(&self, name: &str) {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().unwrap().success());
    }

    /// Whether it ends within this time, by itself.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > until {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Its configuration file and its log.
    pub fn files(&self) -> (PathBuf, PathBuf) {
        (self.directory.join("config.toml"), self.directory.join("log"))
    }

    /// What it printed, but for the two lines that say where it is ready.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.files().1).unwrap_or_default()
    }

    /// Reads the two lines that the program prints when it is ready.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let output = self.process.stdout.take().expect("the output was piped just now");
        let (sender, lines) = mpsc::channel();
        let printed = self.output.clone();
        // Ends with the process. It reads on, so that the program never waits for a reader.
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).for_each(|line| {
                if !line.starts_with(READY) && !line.contains(WITH_TOKEN) {
                    *printed.lock().unwrap() += &format!("{line}\n");
                }
                let _ = sender.send(line); // only the first two lines are waited for
            })
        });
        let until = Instant::now() + START;
        while self.url.is_empty() || self.token.is_empty() {
            let line = lines
                .recv_timeout(until.saturating_duration_since(Instant::now()))
                .map_err(|_| format!("the program is not ready; its log:\n{}", self.log()))?;
            if let Some(url) = line.strip_prefix(READY) {
                self.url = url.trim().trim_end_matches('/').to_owned();
            } else if let Some((_, token)) = line.split_once(WITH_TOKEN) {
                self.token = token.trim().to_owned();
            }
        }
        Ok(())
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // Whatever fails here, the process is gone already or the system cleans up.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Starts a program, whose log goes on where another run's ended.
fn spawn(command: &mut Command, log: &Path) -> Result<Child, String> {
    let failed = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
    let file = fs::File::options().append(true).open(log).map_err(|error| failed(log, error))?;
    command.stderr(file).spawn().map_err(|error| failed(Path::new(command.get_program()), error))
}

/// The first of as many free ports in a row as a pool needs. Tests of one process get different
/// ones, those of several start at different places.
fn free_pool(size: u16) -> Result<u16, String> {
    static POOLS: AtomicU16 = AtomicU16::new(0);
    let pools = (PORTS.end - PORTS.start) / size;
    let first = (std::process::id() % u32::from(pools)) as u16;
    for _ in 0..pools {
        let pool = (first + POOLS.fetch_add(1, Ordering::Relaxed)) % pools;
        let base = PORTS.start + pool * size;
        if (base..base + size).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return Ok(base);
        }
    }
    Err("no free ports for a pool".into())
}
