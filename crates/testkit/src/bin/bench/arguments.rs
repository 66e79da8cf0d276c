//! What the bench is asked for.
//!
//! Invariant: an argument that is not known is refused, never skipped.

use std::path::PathBuf;

use pgkeep_testkit::cluster::Major;

use crate::server::Over;

pub(crate) const USAGE: &str = "\
Usage: bench [OPTION…]

  --scale N       pgbench's scale: 100,000 accounts each [30]
  --events N      rows of the table events [20,000 times the scale]
  --rounds N      how often each is measured; at least 1 [3]
  --major N       PostgreSQL 15, 16 or 18 [18]
  --over WAY      how all programs connect: tcp or socket [tcp]
  --again N       how often a measurement is repeated while others take more
                  than a tenth of a core [0]
  --directory D   where backups and data are put [the system's temporary one]
  --program FILE  the pgkeep to measure [the one beside this program]";

/// The events for each of pgbench's units of scale.
const EVENTS: u64 = 20_000;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) scale: u64,
    pub(crate) events: u64,
    pub(crate) rounds: usize,
    pub(crate) major: Major,
    pub(crate) over: Over,
    pub(crate) again: usize,
    pub(crate) directory: PathBuf,
    pub(crate) program: PathBuf,
}

impl Arguments {
    /// Reads the command line; what is wrong with it is the error.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let beside = std::env::current_exe().expect("this program's own file");
        let mut events = None;
        let mut read = Self {
            scale: 30,
            events: 0,
            rounds: 3,
            major: Major::Eighteen,
            over: Over::Tcp,
            again: 0,
            directory: std::env::temp_dir(),
            program: beside.with_file_name("pgkeep"),
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or(format!("{name} needs a value"))?;
            let number = || {
                let number = value.parse::<u64>().ok().filter(|n| *n <= 1_000_000_000);
                number.ok_or(format!("{name} takes a number, not {value:?}"))
            };
            let count = || number().map(|n| usize::try_from(n).expect("64 bits"));
            match name.as_str() {
                "--scale" => read.scale = number()?.max(1),
                "--events" => events = Some(number()?),
                "--rounds" => read.rounds = count()?.max(1),
                "--again" => read.again = count()?,
                "--major" => read.major = major(number()?)?,
                "--over" => read.over = over(&value)?,
                "--directory" => read.directory = value.into(),
                "--program" => read.program = value.into(),
                _ => return Err(format!("no option is called {name:?}")),
            }
        }
        read.events = events.unwrap_or(read.scale * EVENTS);
        if !read.program.is_file() {
            let program = read.program.display();
            return Err(format!("there is no program {program}: build pgkeep first"));
        }
        Ok(read)
    }
}

fn over(way: &str) -> Result<Over, String> {
    match way {
        "tcp" => Ok(Over::Tcp),
        "socket" => Ok(Over::Socket),
        _ => Err(format!("--over takes tcp or socket, not {way:?}")),
    }
}

fn major(number: u64) -> Result<Major, String> {
    let known = Major::ALL.into_iter();
    let mut known = known.filter(|major| u64::from(major.number()) == number);
    known
        .next()
        .ok_or(format!("no PostgreSQL {number} is set up here"))
}
