//! What commands make of a step before it is carried out.

use super::Reply;
use crate::ledger::window::{Control, Step};

/// A step that is being put together, without its windows.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) step: Step,
    /// Controls whose askers wait until they are stored. They come after those of the step.
    pub(super) asked: Vec<(Control, Reply)>,
}

impl Draft {
    pub(super) const fn is_empty(&self) -> bool {
        self.step.controls.is_empty() && self.asked.is_empty() && !self.has_answers()
    }

    pub(super) const fn has_answers(&self) -> bool {
        !self.step.answers.is_empty()
    }
}
