//! Deletion without locks: the protocol as a model, the real code under schedules,
//! and what a prune does for its users.

mod model;
