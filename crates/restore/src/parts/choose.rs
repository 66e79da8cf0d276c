//! What comes with chosen tables, by what the entries of the archive need.
//!
//! Invariants: everything that comes has all that it needs; a table that was not chosen
//! comes only where a chosen one cannot be made without it, and then without rows.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_postgres::tools::TocEntry;

use super::kind::Kind;
use super::told;

/// A table of contents; entries are meant by their places in it.
pub(super) struct Contents {
    pub(super) entries: Vec<TocEntry>,
    pub(super) kinds: Vec<Kind>,
    /// What each needs. What is no entry is there already, or stands for what its
    /// own needs are.
    needs: Vec<Vec<usize>>,
    /// The rules that views are made of later, where they could not be made at once.
    view_rules: BTreeMap<usize, usize>,
}

impl Contents {
    pub(super) fn new(entries: Vec<TocEntry>) -> Self {
        let places = entries.iter().enumerate();
        let places: BTreeMap<i32, usize> = places.map(|(at, e)| (e.dump_id, at)).collect();
        let needs = entries.iter().map(|entry| {
            let ids = entry.dependencies.iter();
            let mut needs: Vec<usize> = ids.filter_map(|id| places.get(id).copied()).collect();
            needs.sort_unstable();
            needs.dedup();
            needs
        });
        let needs: Vec<Vec<usize>> = needs.collect();
        let kinds: Vec<Kind> = entries.iter().map(|e| Kind::of(&e.description)).collect();
        let mut view_rules = BTreeMap::new();
        for (rule, entry) in entries.iter().enumerate() {
            if &*entry.description != b"RULE" || !entry.tag.ends_with(b" _RETURN") {
                continue;
            }
            let is_its_view = |at: &&usize| {
                kinds[**at] == Kind::View && entry.tag.starts_with(&entries[**at].tag)
            };
            if let Some(view) = needs[rule].iter().find(is_its_view) {
                view_rules.insert(*view, rule);
            }
        }
        Self {
            entries,
            kinds,
            needs,
            view_rules,
        }
    }

    /// Tables, views and sequences, with their schemas and names.
    pub(super) fn relations(&self) -> impl Iterator<Item = (usize, String, String)> {
        let all = self.entries.iter().enumerate();
        let relations = all.filter(|(at, _)| self.kinds[*at].is_relation());
        relations.map(|(at, entry)| {
            let schema = entry.namespace.as_deref().unwrap_or_default();
            let text = |name| String::from_utf8_lossy(name).into_owned();
            (at, text(schema), text(&entry.tag))
        })
    }

    /// An entry's name for people.
    pub(super) fn name(&self, at: usize) -> String {
        let entry = &self.entries[at];
        let tag = String::from_utf8_lossy(&entry.tag);
        let Some(schema) = entry.namespace.as_deref() else {
            return told::printable(&tag);
        };
        let schema = String::from_utf8_lossy(schema);
        match self.kinds[at] {
            kind if kind.is_relation() || kind == Kind::Rows => told::dotted(&schema, &tag),
            // What is published, and then what of it.
            Kind::Replication => told::printable(&format!("{tag} of schema {schema}")),
            // Of a table it is the table, and then what of it.
            _ => told::printable(&format!("{schema}.{tag}")),
        }
    }

    /// What is in a schema, and itself.
    pub(super) fn inside(&self, schema: &[u8]) -> impl Iterator<Item = usize> {
        let all = self.entries.iter().enumerate();
        let inside = all.filter(move |(_, entry)| {
            entry.namespace.as_deref() == Some(schema)
                || &*entry.description == b"SCHEMA" && &*entry.tag == schema
        });
        inside.map(|(at, _)| at)
    }

    /// Adds partitions of chosen tables, and what inherits from them: their rows are rows
    /// of these tables.
    pub(super) fn add_children(&self, chosen: &mut BTreeSet<usize>) {
        let attached: BTreeSet<usize> = self
            .all(|at| &*self.entries[at].description == b"TABLE ATTACH")
            .flat_map(|at| self.needs[at].iter().copied())
            .collect();
        loop {
            let is_child_of_chosen = |at: usize| {
                self.kinds[at] == Kind::Table
                    && (self.entries[at].is_child || attached.contains(&at))
                    && self.needs[at]
                        .iter()
                        .any(|parent| chosen.contains(parent) && self.kinds[*parent] == Kind::Table)
            };
            let children = self.all(|at| !chosen.contains(&at) && is_child_of_chosen(at));
            let children: Vec<usize> = children.collect();
            if children.is_empty() {
                return;
            }
            chosen.extend(children);
        }
    }

    /// The relations that a view reads, or its functions; none where it is none.
    pub(super) fn relations_needed_by_view(&self, at: usize) -> BTreeSet<usize> {
        match self.kinds[at] {
            Kind::View => self.relations_of(&self.closure(at)),
            _ => BTreeSet::new(),
        }
    }

    fn all(&self, is_one: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
        (0..self.entries.len()).filter(move |at| is_one(*at))
    }

    /// An entry and all that it needs, and what that needs.
    fn closure(&self, at: usize) -> BTreeSet<usize> {
        let mut closure = BTreeSet::new();
        let mut open = vec![at];
        while let Some(next) = open.pop() {
            if !closure.insert(next) {
                continue;
            }
            open.extend(&self.needs[next]);
            open.extend(self.view_rules.get(&next));
        }
        closure
    }

    fn relations_of(&self, closure: &BTreeSet<usize>) -> BTreeSet<usize> {
        let all = closure.iter().copied();
        all.filter(|at| self.kinds[*at].is_relation()).collect()
    }
}

/// What of a table of contents comes.
pub(super) struct Choice {
    /// Tables, views and sequences that were chosen.
    pub(super) chosen: BTreeSet<usize>,
    /// Everything that comes.
    all: BTreeSet<usize>,
    /// What belongs to chosen tables and does not come.
    pub(super) left_out: Vec<String>,
}

impl Choice {
    /// Makes it from what was named.
    pub(super) fn new(contents: &Contents, named: &BTreeSet<usize>) -> Self {
        let mut choice = Self {
            chosen: contents.relations_of(named),
            all: BTreeSet::new(),
            left_out: Vec::new(),
        };
        choice.add_tables(contents);
        choice.add_where_possible(contents, named);
        choice.add_rows(contents);
        choice.add_words(contents);
        choice.tell(contents, named);
        choice
    }

    pub(super) fn is_in(&self, at: usize) -> bool {
        self.all.contains(&at)
    }

    /// Chosen tables and sequences with all that they are not whole without.
    fn add_tables(&mut self, contents: &Contents) {
        let is_view = |at: &usize| contents.kinds[*at] == Kind::View;
        for at in self.chosen.iter().filter(|at| !is_view(at)) {
            self.all.extend(contents.closure(*at));
        }
        loop {
            let before = self.all.len();
            for (at, kind) in contents.kinds.iter().enumerate() {
                let mut needs = contents.needs[at].iter();
                let belongs = match kind {
                    Kind::Sequence | Kind::Part => {
                        needs.any(|need| self.chosen.contains(need))
                            // The owner of a sequence that came with something else.
                            || &*contents.entries[at].description == b"SEQUENCE OWNED BY"
                                && contents.needs[at].iter().any(|need| self.all.contains(need))
                    }
                    _ => false,
                };
                let of_view = || contents.needs[at].iter().any(is_view);
                if belongs && !self.all.contains(&at) && !of_view() {
                    self.all.extend(contents.closure(at));
                }
            }
            if self.all.len() == before {
                return;
            }
        }
    }

    /// What comes where it needs no table that does not.
    fn add_where_possible(&mut self, contents: &Contents, named: &BTreeSet<usize>) {
        loop {
            let before = self.all.len();
            for (at, kind) in contents.kinds.iter().enumerate() {
                if self.all.contains(&at) {
                    continue;
                }
                let mut needs = contents.needs[at].iter();
                let is_asked_for = named.contains(&at);
                let wanted = match kind {
                    Kind::Support | Kind::Extension => true,
                    Kind::View => self.chosen.contains(&at),
                    // Those of views too.
                    Kind::Tie | Kind::ForeignKey | Kind::Part => {
                        needs.any(|need| self.chosen.contains(need) && self.all.contains(need))
                    }
                    Kind::Other => is_asked_for,
                    Kind::Table
                    | Kind::Sequence
                    | Kind::Rows
                    | Kind::Value
                    | Kind::Words
                    | Kind::Replication
                    | Kind::LargeObjects => false,
                };
                if wanted && self.is_possible(contents, at) {
                    self.all.extend(contents.closure(at));
                }
            }
            if self.all.len() == before {
                return;
            }
        }
    }

    fn is_possible(&self, contents: &Contents, at: usize) -> bool {
        let closure = contents.closure(at);
        let needs_rows = contents.kinds[at] == Kind::ForeignKey;
        let is_attach = contents.entries[at].description.ends_with(b" ATTACH");
        let relations = contents.relations_of(&closure);
        relations.iter().all(|relation| {
            let is_itself = *relation == at;
            let is_there = self.all.contains(relation) || is_itself;
            let has_rows =
                self.chosen.contains(relation) || contents.kinds[*relation] == Kind::Sequence;
            is_there && (has_rows || !needs_rows)
        }) && (!is_attach
            || contents.needs[at]
                .iter()
                .all(|need| self.all.contains(need)))
    }

    fn add_rows(&mut self, contents: &Contents) {
        for (at, kind) in contents.kinds.iter().enumerate() {
            let mut needs = contents.needs[at].iter();
            let comes = match kind {
                Kind::Rows => needs.any(|need| {
                    let closure = contents.closure(*need);
                    let tables = contents.relations_of(&closure);
                    let is_view = contents.kinds[*need] == Kind::View;
                    // A materialized view is filled from what was chosen alone.
                    self.chosen.contains(need)
                        && self.all.contains(need)
                        && (!is_view || tables.iter().all(|table| self.chosen.contains(table)))
                }),
                Kind::Value => needs.any(|need| self.all.contains(need)),
                _ => false,
            };
            if comes {
                self.all.insert(at);
            }
        }
    }

    /// Rights and comments, in the archive's order: those of columns need the table's.
    fn add_words(&mut self, contents: &Contents) {
        for (at, kind) in contents.kinds.iter().enumerate() {
            // What is there in every database (the schema public) is no entry.
            let all = || {
                contents.needs[at]
                    .iter()
                    .all(|need| self.all.contains(need))
            };
            if *kind == Kind::Words && all() {
                self.all.insert(at);
            }
        }
    }

    /// Tells what belongs to chosen tables and does not come.
    fn tell(&mut self, contents: &Contents, named: &BTreeSet<usize>) {
        for (at, kind) in contents.kinds.iter().enumerate() {
            let belongs = contents.needs[at]
                .iter()
                .any(|need| self.chosen.contains(need))
                && matches!(
                    kind,
                    Kind::Tie
                        | Kind::ForeignKey
                        | Kind::Part
                        | Kind::Rows
                        | Kind::Replication
                        | Kind::Other
                );
            let asked_for = named.contains(&at) && !matches!(kind, Kind::Words | Kind::Value);
            if self.all.contains(&at) || !(belongs || asked_for) {
                continue;
            }
            let entry = &contents.entries[at];
            let what = String::from_utf8_lossy(&entry.description).to_lowercase();
            let needs_rows = matches!(kind, Kind::ForeignKey | Kind::Rows);
            let missing = contents.relations_of(&contents.closure(at)).into_iter();
            let missing = missing.filter(|relation| {
                let comes_empty = self.all.contains(relation)
                    && (!needs_rows || contents.kinds[*relation] == Kind::Sequence);
                *relation != at && !self.chosen.contains(relation) && !comes_empty
            });
            let missing: Vec<String> = missing.map(|relation| contents.name(relation)).collect();
            let why = match (missing.join(", "), needs_rows) {
                (names, _) if names.is_empty() => String::new(),
                (names, true) => format!(", which needs the rows of {names}"),
                (names, false) => format!(", which needs {names}"),
            };
            self.left_out
                .push(format!("{what} {}{why}", contents.name(at)));
        }
        let large_objects = |kind: &Kind| *kind == Kind::LargeObjects;
        if contents.kinds.iter().any(large_objects) {
            self.left_out.push("large objects".to_owned());
        }
    }
}
