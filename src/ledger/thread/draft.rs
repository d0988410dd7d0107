//! What commands make of a step before it is carried out.

use std::collections::HashMap;

use super::Reply;
use crate::{
    domain::AppId,
    ledger::window::{Control, Step},
};

/// A step that is being put together.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) step: Step,
    /// How many windows each app is told of when they are done.
    pub(super) windows: HashMap<AppId, usize>,
    /// Controls whose askers wait until they are stored. They come after those of the step.
    pub(super) asked: Vec<(Control, Reply)>,
}

impl Draft {
    pub(super) const fn is_empty(&self) -> bool {
        self.step.controls.is_empty() && self.asked.is_empty() && !self.has_more_than_controls()
    }

    pub(super) const fn has_more_than_controls(&self) -> bool {
        !self.step.windows.is_empty() || !self.step.answers.is_empty()
    }
}
