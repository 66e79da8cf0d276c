//! What was asked for: sizes and places, as pairs of a name and a value.

use std::path::PathBuf;

/// Sizes and places.
pub(crate) struct Arguments {
    /// How many segments of 1 GiB the tree has.
    pub(crate) segments: u64,
    /// How many small files.
    pub(crate) small: u64,
    pub(crate) rounds: usize,
    /// How much goes into the bucket, in millions of bytes; 0 leaves it out.
    pub(crate) bucket_megabytes: u64,
    pub(crate) directory: PathBuf,
}

impl Arguments {
    /// Reads `--name value` pairs.
    pub(crate) fn read(mut given: impl Iterator<Item = String>) -> Self {
        let mut read = Self {
            segments: 3,
            small: 5_000,
            rounds: 3,
            bucket_megabytes: 512,
            directory: std::env::temp_dir(),
        };
        while let Some(name) = given.next() {
            let value = given.next().unwrap_or_default();
            let number = || value.parse::<u64>().expect("a number");
            match name.as_str() {
                "--segments" => read.segments = number(),
                "--small" => read.small = number(),
                "--rounds" => read.rounds = usize::try_from(number()).expect("few rounds").max(1),
                "--bucket-megabytes" => read.bucket_megabytes = number(),
                "--directory" => read.directory = value.into(),
                other => panic!(
                    "there is no option {other}; there are --segments, --small, --rounds, \
                     --bucket-megabytes and --directory"
                ),
            }
        }
        read
    }
}
