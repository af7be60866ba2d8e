//! The client's side of HTTP/1.1, one request a connection, so that a test sees what came when.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

/// Longest line of a head or of chunk framing that is read.
const LONGEST_LINE: u64 = 16 * 1024;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// Status and headers of an answer; names in lower case.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Names in lower case and values, as they came.
    pub headers: Vec<(String, String)>,
}

/// A piece of an answer.
#[derive(Debug)]
pub enum Part {
    /// Comes first.
    Head(Head),
    /// Some bytes of the body.
    Body(Vec<u8>),
    /// The answer is complete.
    End,
    /// The connection ended or broke the rules before the answer was complete.
    Broken(String),
}

/// An answer under way. Dropping it cuts the connection.
pub struct Exchange {
    parts: mpsc::UnboundedReceiver<(Instant, Part)>,
    _reader: AbortOnDropHandle<()>,
}

/// A request.
pub struct Request<'a> {
    /// Host and port, for the connection and the Host header.
    pub host: &'a str,
    /// GET, POST …
    pub method: &'a str,
    /// Path and query, sent as they are.
    pub path: &'a str,
    /// Further headers.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body, if any.
    pub body: Option<&'a str>,
}

impl Head {
    /// A header's value; several are joined as HTTP has it.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        if values.is_empty() { None } else { Some(values.join(", ")) }
    }
}

impl Exchange {
    /// Connects and writes the whole request; the answer is read meanwhile.
    pub async fn begin(request: Request<'_>) -> Result<Exchange, String> {
        let mut stream = connect(request.host).await?;
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.path, request.host);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = request.body.unwrap_or("");
        if request.body.is_some() || request.method == "POST" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        head.push_str(body);
        stream.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
        let (sender, parts) = mpsc::unbounded_channel();
        let headless = request.method == "HEAD";
        let reader = tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let last = match read(&mut stream, headless, &sender).await {
                Ok(()) => Part::End,
                Err(reason) => Part::Broken(reason),
            };
            let _ = sender.send((Instant::now(), last)); // nobody listens once the answer is not wanted any more
        });
        Ok(Exchange { parts, _reader: AbortOnDropHandle::new(reader) })
    }

    /// The next part, with the time when it came; none if nothing comes until then. Cancel-safe.
    pub async fn next(&mut self, until: Instant) -> Option<(Instant, Part)> {
        timeout_at(until, self.parts.recv()).await.ok().flatten()
    }
}

/// Asks and waits for the whole answer.
pub async fn ask(request: Request<'_>, patience: Duration) -> Result<(Head, String), String> {
    let until = Instant::now() + patience;
    let mut exchange = Exchange::begin(request).await?;
    let (mut head, mut body) = (None, Vec::new());
    loop {
        match exchange.next(until).await {
            Some((_, Part::Head(came))) => head = Some(came),
            Some((_, Part::Body(bytes))) => body.extend(bytes),
            Some((_, Part::End)) => break,
            Some((_, Part::Broken(reason))) => return Err(reason),
            None => return Err(format!("no answer in {patience:?}")),
        }
    }
    let head = head.ok_or("an answer without a head")?;
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}

/// A connection, with small writes sent at once.
pub async fn connect(host: &str) -> Result<TcpStream, String> {
    let stream = timeout(CONNECT, TcpStream::connect(host)).await.map_err(|_| format!("cannot reach {host}"))?;
    let stream = stream.map_err(|error| format!("cannot reach {host}: {error}"))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

/// Reads status line and headers.
pub async fn read_head(stream: &mut BufReader<TcpStream>) -> Result<Head, String> {
    let first = line(stream).await?;
    let mut words = first.splitn(3, ' ');
    let (version, status) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let status = match (version, status.parse()) {
        ("HTTP/1.1", Ok(status)) => status,
        _ => return Err(format!("not a status line: {first:?}")),
    };
    let mut headers = Vec::new();
    loop {
        let line = line(stream).await?;
        if line.is_empty() {
            return Ok(Head { status, headers });
        }
        let (name, value) = line.split_once(':').ok_or_else(|| format!("not a header: {line:?}"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

async fn read(
    stream: &mut BufReader<TcpStream>,
    headless: bool,
    parts: &mpsc::UnboundedSender<(Instant, Part)>,
) -> Result<(), String> {
    let tell = |part| parts.send((Instant::now(), part)).map_err(|_| "not wanted any more".to_owned());
    let head = read_head(stream).await?;
    let chunked = head.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let length = head.header("content-length");
    let bodiless = headless || matches!(head.status, 100..200 | 204 | 304);
    tell(Part::Head(head))?;
    if bodiless {
        return Ok(());
    }
    if chunked {
        loop {
            let size = line(stream).await?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(|_| format!("not a chunk: {size:?}"))?;
            if size > 0 {
                tell(Part::Body(exactly(stream, size).await?))?;
            }
            match (line(stream).await?.as_str(), size) {
                ("", 0) => return Ok(()),
                ("", _) => {}
                (other, _) => return Err(format!("after a chunk: {other:?}")),
            }
        }
    }
    let length = length.ok_or("an answer of unknown length")?;
    let length = length.parse().map_err(|_| format!("not a length: {length:?}"))?;
    if length > 0 {
        tell(Part::Body(exactly(stream, length).await?))?;
    }
    Ok(())
}

async fn exactly(stream: &mut BufReader<TcpStream>, size: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes).await.map_err(|error| error.to_string())?;
    Ok(bytes)
}

async fn line(stream: &mut BufReader<TcpStream>) -> Result<String, String> {
    let mut line = Vec::new();
    stream.take(LONGEST_LINE).read_until(b'\n', &mut line).await.map_err(|error| error.to_string())?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None => Err("the connection ended".into()),
    }
}
