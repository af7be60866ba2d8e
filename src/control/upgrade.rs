//! The socket by which the same user's `viderehab upgrade` asks a running server to go on as another
//! binary. It lies in `data_dir`; a request and its reply are each a line of JSON.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::Command;

/// The socket's name in `data_dir`.
const NAME: &str = "control.sock";

/// The longest request, in bytes: a path and a little more.
const REQUEST_BYTES: u64 = 8 * 1024;

/// How long a caller may take to say what it wants, and a binary to look at the configuration.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Who are you?
    Hello,
    /// Go on as this binary.
    Upgrade(PathBuf),
}

/// What is answered to a hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The process.
    pub process: u32,
    /// The program's version.
    pub version: String,
    /// How many upgrades the process has been through, failed ones included.
    pub upgrades: u32,
    /// Why the last one failed, if it did.
    pub failure: Option<String>,
}

/// What is answered to an upgrade: why it is not done, if it is not.
pub type Answer = Result<(), String>;

/// The socket's path.
pub fn socket_path(data_dir: &str) -> PathBuf {
    Path::new(data_dir).join(NAME)
}

/// The server's end.
pub struct Upgrades {
    listener: UnixListener,
    path: PathBuf,
    config: Option<PathBuf>,
    hello: Hello,
}

impl Upgrades {
    /// Opens the socket, in place of one that a server left which is no more: the store has seen to it
    /// that there is no other. `config`: the configuration file in use.
    ///
    /// # Errors
    /// The system's.
    pub fn open(data_dir: &str, config: Option<&Path>, hello: Hello) -> io::Result<Self> {
        let path = socket_path(data_dir);
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path, config: config.map(Path::to_owned), hello })
    }

    /// Completes with the binary that is to go on, once somebody has asked for an upgrade and the binary has
    /// understood the configuration.
    pub async fn wanted(&self) -> PathBuf {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            match tokio::time::timeout(PATIENCE * 2, self.hear(stream)).await {
                Ok(Ok(Some(binary))) => return binary,
                Ok(Ok(None)) | Err(_) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a request on the control socket"),
            }
        }
    }

    async fn hear(&self, stream: UnixStream) -> io::Result<Option<PathBuf>> {
        let caller = stream.peer_cred()?.uid();
        if caller != rustix::process::geteuid().as_raw() && caller != 0 {
            return Err(io::Error::other("it is another user's"));
        }
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        (&mut stream).take(REQUEST_BYTES).read_line(&mut line).await?;
        match serde_json::from_str(&line)? {
            Request::Hello => say(stream.get_mut(), &self.hello).await.map(|()| None),
            Request::Upgrade(binary) => {
                let answer: Answer = self.try_out(&binary).await;
                say(stream.get_mut(), &answer).await?;
                Ok(answer.is_ok().then_some(binary))
            }
        }
    }

    /// Whether a binary runs, and takes our configuration.
    async fn try_out(&self, binary: &Path) -> Answer {
        let mut command = Command::new(binary);
        command.arg("check").stdin(Stdio::null()).kill_on_drop(true);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        let cannot = |problem: String| format!("{}: {problem}", binary.display());
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let output =
            output.map_err(|_| cannot("it does not end".to_owned()))?.map_err(|error| cannot(error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(cannot(format!("{} {}", output.status, said.trim()))) }
    }
}

impl Drop for Upgrades {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn say(stream: &mut UnixStream, what: &impl Serialize) -> io::Result<()> {
    stream.write_all((serde_json::to_string(what)? + "\n").as_bytes()).await
}

/// Asks the server with this `data_dir`.
///
/// # Errors
/// There is none, or it does not answer.
pub async fn ask<T: for<'de> Deserialize<'de>>(data_dir: &str, request: &Request) -> io::Result<T> {
    let exchange = async {
        let mut stream = BufReader::new(UnixStream::connect(socket_path(data_dir)).await?);
        say(stream.get_mut(), request).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        Ok(serde_json::from_str(&line)?)
    };
    tokio::time::timeout(PATIENCE * 2, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
