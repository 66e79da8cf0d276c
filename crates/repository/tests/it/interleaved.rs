//! A storage before one call of which somebody else does all their work.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Mutex;

use async_trait::async_trait;
use pgkeep_testkit::{Call, Hook, Hooked, MemoryStorage};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) type Interleaved = Hooked<Other>;

/// Somebody else.
pub(crate) struct Other {
    /// How many calls go before, and what is done then.
    due: Mutex<(usize, Option<Work>)>,
}

impl Other {
    /// The memory, with `work` done before its call of number `at`, from 0.
    pub(crate) fn interleaved(
        memory: &MemoryStorage,
        at: usize,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Interleaved {
        let due = Mutex::new((at, Some(Box::pin(work) as Work)));
        Hooked::new(memory, Self { due })
    }

    /// Whether there were so many calls that the work was done.
    pub(crate) fn was_reached(&self) -> bool {
        self.due.lock().unwrap().1.is_none()
    }
}

#[async_trait]
impl Hook for Other {
    async fn before(&self, _call: Call<'_>) -> Result<(), ErrorKind> {
        let work = {
            let mut due = self.due.lock().unwrap();
            match due.0.checked_sub(1) {
                Some(left) => {
                    due.0 = left;
                    None
                }
                None => due.1.take(),
            }
        };
        if let Some(work) = work {
            work.await;
        }
        Ok(())
    }
}
