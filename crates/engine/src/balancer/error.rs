//! Why a balancer's configuration can't be made.

use crate::help::Help;

/// Why a balancer's configuration can't be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A configuration template could not be rendered.
    #[error("the template `{template}` could not be rendered: {reason}")]
    Template {
        /// Which.
        template: String,
        /// Why.
        reason: String,
    },
    /// rig can't work with what a template makes.
    #[error("these templates can't be used:\n  {}", .0.join("\n  "))]
    Misfits(Vec<String>),
}

impl Help for RenderError {
    fn help(&self) -> Option<String> {
        match self {
            RenderError::Template { .. } => None,
            RenderError::Misfits(_) => {
                Some("`rig render --templates DIR` writes the built-in ones, to start from; `rig adopt FILE` takes over yours".to_owned())
            }
        }
    }
}
