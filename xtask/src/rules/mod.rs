//! The rules of the house, one file each. A rule takes the tree and returns what
//! it looked at and what it found; its tests show a tree that breaks it.

pub(crate) mod decisions;
pub(crate) mod headers;
pub(crate) mod layers;
pub(crate) mod length;
pub(crate) mod module_names;
pub(crate) mod reference;
pub(crate) mod runtime;
pub(crate) mod standalone;
