//! A server in a process of its own, which tells its address when it is ready.
//!
//! Invariant: the process ends with its value, by its own id.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running server.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pub(super) address: String,
}

impl Process {
    /// Starts `command`; its output, or what it says of errors, tells the address
    /// after `ready`.
    ///
    /// # Panics
    /// Where it does not start.
    pub(super) fn start(mut command: Command, ready: &str) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone().expect("its other end"))
            .stderr(writer);
        let child = command.spawn().expect("the server starts");
        // The command holds the pipe's other end, which would never end.
        drop(command);
        // Held before anything can panic, so that it ends in any case.
        let mut process = Self {
            child,
            address: String::new(),
        };
        let mut lines = BufReader::new(reader);
        let mut said = String::new();
        process.address = loop {
            let mut line = String::new();
            let read = lines.read_line(&mut line).expect("its output");
            assert!(read > 0, "the server ended before it was ready: {said}");
            if let Some((_, address)) = line.split_once(ready) {
                break address.trim().to_owned();
            }
            said.push_str(&line);
        };
        // What it writes afterwards must not fill the pipe.
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut lines, &mut std::io::sink());
        });
        process
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
