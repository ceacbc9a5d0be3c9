//! What renames and links left in the times of their inodes.

use std::path::Path;

use super::{Clock, Collected, Event, Kind, Weight};
use crate::facts::layout::{Layout, Seen, Suspect};
use crate::sys::root_dir::RootDir;

/// Tells when the places that are not as they should be became so.
pub(super) fn collect(root: &RootDir, layout: &Layout, out: &mut Collected) {
    for suspect in &layout.suspects {
        out.add(marks(root, suspect));
    }
}

fn marks(root: &RootDir, suspect: &Suspect) -> Vec<Event> {
    let path = suspect.path.as_str();
    let mut events = Vec::new();
    for sibling in &suspect.siblings {
        if let Ok(times) = root.times(&sibling.path) {
            let text = format!(
                "{} last changed: renamed, or a name in it did (it holds what belongs in {path})",
                sibling.path
            );
            let when = (times.changed, Clock::Exact);
            let event = Event::new(when, Kind::Replaced, Weight::Key, text);
            events.push(event.at(&sibling.path, None));
        }
    }
    let here = root.times(path);
    let (when, text) = match (&suspect.seen, here) {
        (Seen::Link { target }, Ok(times)) => (
            (times.modified, Clock::Exact),
            format!("{path} replaced by a link to {target}"),
        ),
        (Seen::Missing, _) => {
            let parent = Path::new(path).parent().unwrap_or(Path::new("/"));
            let Ok(times) = root.times(parent) else {
                return events;
            };
            let text = format!("{path} went away (a name beside it changed last then)");
            ((times.modified, Clock::NotAfter), text)
        }
        (_, Ok(times)) => match times.born {
            Some(born) => (
                (born, Clock::Exact),
                format!("{path} made anew, in the place of the old one"),
            ),
            None => (
                (times.changed, Clock::NotAfter),
                format!("{path} put in the place of the old one"),
            ),
        },
        (_, Err(_)) => return events,
    };
    let event = Event::new(when, Kind::Replaced, Weight::Key, text);
    events.push(event.at(path, None));
    events
}
