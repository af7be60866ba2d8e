//! Answers that do not end: whoever answers may be anybody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::report::doctor;
use crate::server::{config, start};

/// Far more than any answer of ours, and far less than a few seconds bring.
const FAR_TOO_MUCH: u64 = 128 << 20;

/// Answers each request without end; and how much of that was taken.
fn endless() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, taken) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let counted = taken.clone();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let counted = counted.clone();
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                let piece = [b' '; 1 << 16];
                while stream.write_all(&piece).is_ok() && counted.load(Ordering::Relaxed) < 2 * FAR_TOO_MUCH {
                    counted.fetch_add(piece.len() as u64, Ordering::Relaxed);
                }
            });
        }
    });
    (address, taken)
}

#[tokio::test]
async fn no_answer_is_read_without_end() {
    let (address, taken) = endless();
    let mut settings = config();
    settings.server.listen = address;
    doctor(&settings).await;
    assert!(taken.load(Ordering::Relaxed) < FAR_TOO_MUCH, "from what is no viderehab");

    let (address, taken) = endless();
    let server = start(config()).await;
    settings.server.listen = server.address;
    settings.server.public_url = format!("http://{address}");
    doctor(&settings).await.says("warning  proxy: ", "/healthz/address does not lead here");
    assert!(taken.load(Ordering::Relaxed) < FAR_TOO_MUCH, "from the proxy");
    server.app.stop().await;
}
