//! Reading back what backups need, and what was found.
//!
//! Invariants: an object is whole only by its length and its hash, as a `backup` record
//! cites them. What verifications have said is a sum of statements: that an object was
//! read and was whole, that it was not, that it is again. The last is believed of the
//! findings that it cites and of no other, so no order of times decides.

mod cited;
mod object;
mod said;
mod strange;
mod superseded;

pub use cited::Cited;
pub use object::{Condition, Needed};
pub(crate) use said::Stored;
pub use said::{OpenFinding, ReadBack, Statement, in_words};
pub use strange::Strange;
pub(crate) use superseded::{Wanted, superseded};
