//! A tree into a local directory and back, beside `cat | zstd`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use pgkeep_storage::LocalStorage;
use tokio::runtime::Runtime;

use crate::arguments::Arguments;
use crate::clock::{Cost, time};
use crate::site::{Restored, Site};
use crate::table::{self, Row, megabytes};
use crate::tree::{Tree, size_of};

/// Measures all of it in `home`.
pub(crate) fn measure(runtime: &Runtime, arguments: &Arguments, home: &Path) {
    let tree = Tree::make(home.join("tree"), arguments.segments, arguments.small);
    let raw = tree.read_all();
    println!(
        "a tree of {} files, {} MB, {} segments of 1 GiB",
        tree.entries.len(),
        megabytes(raw),
        arguments.segments
    );
    let mut rows = [
        Row::new("cat | zstd -1 -T2", None),
        Row::new("read every file", None),
        Row::new("full backup, not encrypted", Some(1.0)),
        Row::new("full backup, encrypted", Some(1.15)),
    ];
    let pipe = home.join("pipe.zst");
    for _ in 0..arguments.rounds {
        rows[0].costs.push(cat_zstd(&tree, &pipe));
        rows[0].bytes = Some(fs::metadata(&pipe).expect("its size").len());
        rows[1].costs.push(time(|| tree.read_all()).0);
        for (row, sealed) in [(2, false), (3, true)] {
            let place = home.join("repository");
            let site = runtime.block_on(Site::new(Arc::new(LocalStorage::new(&place)), sealed));
            let (cost, _) = time(|| runtime.block_on(site.store_tree(&tree, None)));
            rows[row].costs.push(cost);
            rows[row].bytes = Some(size_of(&place));
            fs::remove_dir_all(&place).expect("removed");
        }
    }
    table::print("full backup of a tree", &rows);
    changed(runtime, arguments, home, &tree);
}

/// The second and the third backup, and reading back.
fn changed(runtime: &Runtime, arguments: &Arguments, home: &Path, tree: &Tree) {
    let place = home.join("repository");
    let site = runtime.block_on(Site::new(Arc::new(LocalStorage::new(&place)), true));
    let mut parent = runtime.block_on(site.store_tree(tree, None));
    let full = size_of(&place);
    let mut rows = [
        Row::new("read every file", None),
        Row::new("backup, 7 % of pages changed", None),
        Row::new("backup, nothing changed", None),
    ];
    let (mut changed, mut all) = (0, 0);
    for round in 0..arguments.rounds {
        (changed, all) = tree.change(7, round as u64);
        rows[0].costs.push(time(|| tree.read_all()).0);
        for row in [1, 2] {
            let before = size_of(&place);
            let (cost, record) = time(|| runtime.block_on(site.store_tree(tree, Some(&parent))));
            rows[row].costs.push(cost);
            rows[row].bytes = Some(size_of(&place) - before);
            parent = record;
        }
    }
    table::print("the next backups of the tree", &rows);
    println!(
        "  {changed} of {all} pages changed; the full backup stored {} MB",
        megabytes(full)
    );
    for row in &rows[1..] {
        #[expect(clippy::cast_precision_loss, reason = "far fewer bytes")]
        let share = row.bytes.unwrap_or(0) as f64 * 100.0 / full as f64;
        println!("  {}: {share:.2} % of the full", row.name);
    }

    let mut rows = [
        Row::new("zstd -d, synced", None),
        Row::new("restore of the last backup, synced", None),
    ];
    let paths: Vec<&str> = tree
        .entries
        .iter()
        .map(|entry| entry.path.as_str())
        .collect();
    for _ in 0..arguments.rounds {
        let plain = home.join("pipe.plain");
        rows[0]
            .costs
            .push(time(|| unzstd(&home.join("pipe.zst"), &plain)).0);
        fs::remove_file(&plain).expect("removed");
        let restored = home.join("restored");
        let (cost, ()) = time(|| {
            let mut files = Restored::new(&restored);
            runtime.block_on(site.read(&parent, &paths, |path, bytes| files.take(path, bytes)));
            files.sync();
        });
        rows[1].costs.push(cost);
        compare(&tree.root, &restored, &paths);
        fs::remove_dir_all(&restored).expect("removed");
    }
    table::print("restore of the tree", &rows);
}

fn cat_zstd(tree: &Tree, to: &Path) -> Cost {
    let output = File::create(to).expect("a file");
    time(|| {
        // More files than arguments fit are named on stdin.
        let mut cat = Command::new("xargs")
            .args(["-0", "cat"])
            .current_dir(&tree.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cat");
        let mut zstd = Command::new("zstd")
            .args(["-1", "-T2", "-q"])
            .stdin(cat.stdout.take().expect("its output"))
            .stdout(output.try_clone().expect("the file"))
            .spawn()
            .expect("zstd");
        let mut names = cat.stdin.take().expect("its input");
        for entry in &tree.entries {
            use std::io::Write;
            write!(names, "{}\0", entry.path).expect("written");
        }
        drop(names);
        assert!(cat.wait().expect("cat").success() && zstd.wait().expect("zstd").success());
        output.sync_all().expect("synced");
    })
    .0
}

fn unzstd(from: &Path, to: &Path) {
    let status = Command::new("zstd")
        .args(["-d", "-q"])
        .arg(from)
        .arg("-o")
        .arg(to)
        .status();
    assert!(status.expect("zstd").success());
    File::open(to).expect("it").sync_all().expect("synced");
}

fn compare(one: &Path, other: &Path, paths: &[&str]) {
    for path in paths {
        let mut expected = BufReader::new(File::open(one.join(path)).expect("a file"));
        let Ok(found) = File::open(other.join(path)) else {
            // An empty file has no bytes to be taken.
            assert!(expected.fill_buf().expect("bytes").is_empty(), "{path}");
            continue;
        };
        let mut found = BufReader::new(found);
        loop {
            let (one, other) = (expected.fill_buf(), found.fill_buf());
            let (one, other) = (one.expect("bytes"), other.expect("bytes"));
            assert!(one == other, "{path}");
            let length = one.len();
            if length == 0 {
                break;
            }
            expected.consume(length);
            found.consume(length);
        }
    }
}
