//! A proxy that alters the head of the first request of each connection, as a badly set one does.
//! Where nothing is left of it, the connection ends.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

pub struct AlteringProxy {
    address: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

impl AlteringProxy {
    pub async fn start(to: SocketAddr, alter: fn(&str) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // How a connection ended is the client's to judge.
                tokio::spawn(async move { drop(passed(client, to, alter).await) });
            }
        });
        Self { address, accepting }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for AlteringProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn passed(mut client: TcpStream, to: SocketAddr, alter: fn(&str) -> String) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = alter(&String::from_utf8_lossy(&head));
    if head.is_empty() {
        return Ok(());
    }
    let mut server = TcpStream::connect(to).await?;
    server.write_all(head.as_bytes()).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
