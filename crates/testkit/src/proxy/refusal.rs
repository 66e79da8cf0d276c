//! A server that asks to be left alone: one request is read whole and answered
//! with 503.
//!
//! Invariant: the request never reaches the real server.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BODY: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
    <Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";

/// Reads a request and refuses it.
pub(super) async fn refuse(client: &mut TcpStream, retry_after: Option<u64>) -> io::Result<()> {
    let Some((request, _)) = read_request(client).await? else {
        return Ok(());
    };
    answer(client, retry_after, request.starts_with(b"HEAD ")).await
}

/// Reads a request whole, and tells where its body begins; none where the client hangs up
/// before.
pub(super) async fn read_request(client: &mut TcpStream) -> io::Result<Option<(Vec<u8>, usize)>> {
    let mut request = Vec::new();
    let mut buffer = [0; 16 << 10];
    let body_from = loop {
        if let Some(at) = request.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        match client.read(&mut buffer).await? {
            0 => return Ok(None),
            read => request.extend_from_slice(&buffer[..read]),
        }
    };
    let text = String::from_utf8_lossy(&request[..body_from]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| {
        let value = line.strip_prefix("content-length:")?;
        value.trim().parse::<usize>().ok()
    });
    let whole = body_from + length.unwrap_or(0);
    while request.len() < whole {
        match client.read(&mut buffer).await? {
            0 => return Ok(None),
            read => request.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(Some((request, body_from)))
}

/// Refuses what was read.
pub(super) async fn answer(
    client: &mut TcpStream,
    retry_after: Option<u64>,
    is_head: bool,
) -> io::Result<()> {
    let after = retry_after.map_or(String::new(), |seconds| {
        format!("Retry-After: {seconds}\r\n")
    });
    let answer = format!(
        "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\
         {after}Connection: close\r\n\r\n{}",
        BODY.len(),
        if is_head { "" } else { BODY },
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}
