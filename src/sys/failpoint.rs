//! Named stops between two steps of a change, for tests of power cuts.
//!
//! [`hit`] does nothing in a shipped binary. With the cargo feature
//! `failpoints` it obeys `LIFEBOOT_FAILPOINT=NAME[:N]=error|abort`: at the
//! N-th passage (1 if not given) of that name it fails or kills the process
//! as a power cut would, without any clean-up. Tests inside the crate can put
//! a `Hook` there instead.

/// Passes the stop called `name`.
///
/// # Errors
/// Only when a test asked for one.
#[cfg(not(any(test, feature = "failpoints")))]
#[inline]
pub fn hit(_name: &'static str) -> std::io::Result<()> {
    Ok(())
}

#[cfg(any(test, feature = "failpoints"))]
pub use armed::{Hook, Reaction, arm, disarm, hit};

#[cfg(any(test, feature = "failpoints"))]
mod armed {
    use std::cell::RefCell;
    use std::env;
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// What happens at a stop.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Reaction {
        /// Go on.
        Continue,
        /// The step fails.
        Error,
        /// The process ends at once, nothing cleaned up.
        Abort,
    }

    /// Called with the name of each stop of this thread.
    pub type Hook = Box<dyn FnMut(&'static str) -> Reaction>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    /// Lets `hook` decide at each stop of this thread.
    pub fn arm(hook: Hook) {
        HOOK.with(|place| *place.borrow_mut() = Some(hook));
    }

    /// Takes the hook of this thread away.
    pub fn disarm() {
        HOOK.with(|place| *place.borrow_mut() = None);
    }

    /// Passes the stop called `name`.
    ///
    /// # Errors
    /// Only when a test asked for one.
    pub fn hit(name: &'static str) -> io::Result<()> {
        // Taken out while it runs: a hook may itself pass stops.
        let hook = HOOK.with(|place| place.borrow_mut().take());
        let reaction = match hook {
            Some(mut hook) => {
                let reaction = hook(name);
                HOOK.with(|place| *place.borrow_mut() = Some(hook));
                reaction
            }
            None => from_environment(name),
        };
        match reaction {
            Reaction::Continue => Ok(()),
            Reaction::Error => Err(io::Error::other(format!("failpoint {name}"))),
            Reaction::Abort => std::process::abort(),
        }
    }

    struct Wish {
        name: String,
        passages: AtomicUsize,
        reaction: Reaction,
    }

    fn from_environment(name: &str) -> Reaction {
        static WISH: OnceLock<Option<Wish>> = OnceLock::new();
        let wish = WISH.get_or_init(|| parse(&env::var("LIFEBOOT_FAILPOINT").ok()?));
        match wish {
            Some(wish)
                if wish.name == name && wish.passages.fetch_sub(1, Ordering::Relaxed) == 1 =>
            {
                wish.reaction
            }
            _ => Reaction::Continue,
        }
    }

    fn parse(text: &str) -> Option<Wish> {
        let (place, reaction) = text.split_once('=')?;
        let (name, passages) = match place.split_once(':') {
            Some((name, count)) => (name, count.parse().ok()?),
            None => (place, 1),
        };
        let reaction = match reaction {
            "error" => Reaction::Error,
            "abort" => Reaction::Abort,
            _ => return None,
        };
        Some(Wish {
            name: name.to_owned(),
            passages: AtomicUsize::new(passages),
            reaction,
        })
    }
}
