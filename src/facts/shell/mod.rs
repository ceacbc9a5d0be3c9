//! What a shell script clearly says: which programs it runs, and with which
//! `LD_LIBRARY_PATH`.
//!
//! Nothing is executed, and this is no shell: [`split`] cuts a script into
//! simple commands, [`expand`] fills in what stands in the script itself, and
//! [`script`] follows the commands from the top. What depends on anything else
//! is left out, or told as unclear. The parsers of whole shells on offer recurse
//! as deep as the script says, which a hostile one would use.
//!
//! Source: POSIX.1-2017, Shell Command Language; dash(1), bash(1).

mod expand;
mod script;
mod split;

pub(super) use script::{Context, Run, SCRIPT_BYTES_MAX, is_shell, runs, shell_script, variable};
