//! A tree of files like a cluster's data directory.
//!
//! The pages are filled as those of the tables that MEASURES of this field use: two
//! segments of three hold rows like pgbench's accounts (numbers and a blank filler),
//! the third rows like a log of events (hashes as text, words). Changes touch accounts
//! only, as pgbench does.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use pgkeep_format::cut::{Cutting, PageSize};
use pgkeep_testkit::SeededRandom;

const PAGE: usize = 8192;
const PAGES: u64 = 131_072;

/// A file of the tree.
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) cutting: Cutting,
}

/// Where the tree is, and its files in the order of their paths.
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) entries: Vec<Entry>,
}

fn is_events(segment: u64) -> bool {
    segment % 3 == 2
}

impl Tree {
    /// Makes one.
    pub(crate) fn make(root: PathBuf, segments: u64, small: u64) -> Self {
        let pages = Cutting::Pages(PageSize::USUAL);
        let mut entries = Vec::new();
        for folder in ["base/1", "base/5", "global"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        let random = SeededRandom::new(1);
        for number in 0..small {
            let path = format!("base/1/{}", 10_000 + number);
            let mut file = File::create(root.join(&path)).expect("a file");
            for page in 0..random.below(4) {
                let page = page_of(&random, number * 4 + page, number % 2 == 0);
                file.write_all(&page).expect("a page");
            }
            let cutting = if number % 10 == 0 {
                Cutting::Content
            } else {
                pages
            };
            entries.push(Entry { path, cutting });
        }
        for segment in 0..segments {
            let path = format!("base/5/{}", 20_000 + segment);
            let mut file = File::create(root.join(&path)).expect("a file");
            let mut block = Vec::with_capacity(128 * PAGE);
            for page in 0..PAGES {
                block.extend(page_of(&random, segment * PAGES + page, is_events(segment)));
                if block.len() == 128 * PAGE {
                    file.write_all(&block).expect("pages");
                    block.clear();
                }
            }
            entries.push(Entry {
                path,
                cutting: pages,
            });
        }
        let path = "global/pg_control".to_owned();
        fs::write(root.join(&path), [7; PAGE]).expect("a file");
        entries.push(Entry {
            path,
            cutting: Cutting::Content,
        });
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Self { root, entries }
    }

    /// Changes rows in so many of a hundred of all pages, scattered over the accounts;
    /// tells how many pages that were, and of how many.
    pub(crate) fn change(&self, percent: u64, seed: u64) -> (u64, u64) {
        let random = SeededRandom::new(seed);
        let segments = self
            .entries
            .iter()
            .filter(|entry| entry.path.starts_with("base/5/"));
        let segments: Vec<PathBuf> = segments.map(|entry| self.root.join(&entry.path)).collect();
        let all = segments.len() as u64 * PAGES;
        let accounts: Vec<&PathBuf> = (0..)
            .zip(&segments)
            .filter(|(number, _)| !is_events(*number))
            .map(|(_, path)| path)
            .collect();
        let per_file = all * percent / 100 / accounts.len() as u64;
        let mut changed = 0;
        for path in accounts {
            let file = File::options().write(true).open(path).expect("a segment");
            let step = PAGES / per_file;
            for at in 0..per_file {
                let page = at * step + random.below(step);
                // One row's balance, and the page's LSN, which changes with it.
                let place = page * PAGE as u64;
                let lsn = random.next().to_le_bytes();
                file.write_all_at(&lsn, place).expect("a page");
                let row = 400 + random.below(60) * 120;
                file.write_all_at(&lsn[..4], place + row).expect("a row");
                changed += 1;
            }
        }
        (changed, all)
    }

    /// Reads every file, as whatever backs them up has to.
    pub(crate) fn read_all(&self) -> u64 {
        let mut buffer = vec![0; 1 << 20];
        let mut length = 0;
        for entry in &self.entries {
            let mut file = File::open(self.root.join(&entry.path)).expect("a file");
            loop {
                let read = file.read(&mut buffer).expect("bytes");
                if read == 0 {
                    break;
                }
                length += read as u64;
            }
        }
        length
    }
}

/// A page of rows.
fn page_of(random: &SeededRandom, number: u64, events: bool) -> Vec<u8> {
    let mut page = Vec::with_capacity(PAGE);
    page.extend(number.to_le_bytes());
    page.extend([0; 16]);
    for row in 0..60_u16 {
        page.extend((8192_u32 - u32::from(row) * 128).to_le_bytes());
    }
    let mut row = number * 60;
    while page.len() < PAGE {
        row += 1;
        page.extend([0, 3, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 2, 9, 24, 0]);
        page.extend(row.to_le_bytes());
        if events {
            let (one, two) = (random.next(), random.next());
            page.extend(format!("{one:016x}{two:016x}").bytes());
            let word = ["login", "order paid", "page viewed", "logout"][(one % 4) as usize];
            page.extend(format!(" {word} user {} from the shop's page {{}}", two % 5000).bytes());
        } else {
            page.extend((row % 100_000).to_le_bytes());
            page.extend(0_u32.to_le_bytes());
            page.extend([b' '; 84]);
        }
    }
    page.truncate(PAGE);
    page
}

/// How many bytes the files below a directory have.
pub(crate) fn size_of(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).expect("a directory");
    let sizes = entries.map(|entry| {
        let entry = entry.expect("an entry");
        let meta = entry.metadata().expect("its size");
        if meta.is_dir() {
            size_of(&entry.path())
        } else {
            meta.len()
        }
    });
    sizes.sum()
}
