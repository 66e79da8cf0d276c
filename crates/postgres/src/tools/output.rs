//! What a program writes on its standard output, read a lot at a time.
//!
//! Invariant: nothing is held back once the program has ended.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustix::pipe::fcntl_setpipe_size;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::process::ChildStdout;

/// How much the pipe is to hold, in bytes: as much as Linux gives to everybody
/// (`fs.pipe-max-size`, pipe(7)).
const ROOM: usize = 1 << 20;

/// How long a pipe that was read empty is left to fill. What pg_dump writes in this
/// time fits into [`ROOM`] several times over.
const PAUSE: Duration = Duration::from_millis(1);

/// A running program's standard output.
#[derive(Debug)]
pub struct ToolOutput {
    pipe: ChildStdout,
    /// Whether the program can go on for a while without anybody reading.
    roomy: bool,
}

impl ToolOutput {
    pub(super) fn new(pipe: ChildStdout) -> Self {
        // Refused where this user's pipes have too much already (pipe(7),
        // `pipe-user-pages-soft`).
        let roomy = fcntl_setpipe_size(&pipe, ROOM).is_ok_and(|room| room >= ROOM);
        Self { pipe, roomy }
    }

    /// The next bytes, `most` at most; none at the end.
    ///
    /// A reader that takes every few kilobytes as they come wakes the program up, and is
    /// woken by it, a hundred thousand times for a dump of 400 MB.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub async fn piece(&mut self, most: usize) -> io::Result<Bytes> {
        let mut bytes = BytesMut::with_capacity(most);
        while bytes.len() < most {
            if self.pipe.read_buf(&mut bytes).await? == 0 {
                break;
            }
            if self.roomy && bytes.len() < most {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(bytes.freeze())
    }
}

impl AsyncRead for ToolOutput {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(context, buffer)
    }
}
