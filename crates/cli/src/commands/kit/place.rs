//! Where the repository is, as somebody elsewhere has to say it.
//!
//! Invariant: an address that could be opened holds no secret, and neither do the
//! variables that are told here.

use pgkeep_config::{Settings, StorageText};

use crate::context::Context;

/// What says where a bucket's server is, beside the address.
const VARIABLES: [&str; 4] = [
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
];

/// Where the repository is.
pub(super) struct Place {
    /// A path, or a URL.
    pub(super) address: String,
    /// Whether it is a directory.
    pub(super) is_directory: bool,
    /// Variables that belong to the address, and are set here.
    pub(super) variables: Vec<(&'static str, String)>,
}

impl Place {
    /// The place of the repository that is called `name`.
    pub(super) fn of(settings: &Settings, name: &str, context: &Context) -> Self {
        let storage = settings.repositories.get(name).map(|known| &known.storage);
        let Some(StorageText::Url(url)) = storage else {
            let path = match storage {
                Some(StorageText::Directory(path)) => path.display().to_string(),
                _ => String::new(),
            };
            return Self {
                address: path,
                is_directory: true,
                variables: Vec::new(),
            };
        };
        let set = VARIABLES.into_iter().filter_map(|name| {
            let value = context.environment.text(name)?;
            Some((name, value.to_owned()))
        });
        Self {
            address: url.clone(),
            is_directory: false,
            variables: set.collect(),
        }
    }
}
