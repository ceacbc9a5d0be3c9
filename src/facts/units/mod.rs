//! systemd's units, read from a root that is not running: which file a name
//! means, and what the default target starts.
//!
//! [`files`] finds and reads units, [`start`] follows them from the default
//! target. Sources: systemd.unit(5), systemd.service(5), systemd.special(7).

mod command;
mod condition;
mod enabling;
mod environment;
mod files;
mod name;
mod start;
mod text;

pub use command::Command;
pub use condition::Wanted;
pub use enabling::Enabling;
pub use files::{Unit, Units};
pub use start::{Start, Started, default_unit};
