//! The text of unit files.
//!
//! Source: systemd.syntax(7), systemd.unit(5).

/// One `KEY=VALUE` in its section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    section: String,
    key: String,
    value: String,
}

/// All settings of one file, in order.
pub(super) fn parse(text: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut section = String::new();
    for line in logical_lines(text) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once('=') {
            settings.push(Setting {
                section: section.clone(),
                key: key.trim_end().to_owned(),
                value: value.trim_start().to_owned(),
            });
        }
    }
    settings
}

/// Lines with those that end in a backslash joined to the next; comments,
/// which may stand between the two, left out.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut begun: Option<String> = None;
    for line in text.lines() {
        let start = line.trim_start();
        if start.starts_with(['#', ';']) {
            continue;
        }
        let (part, goes_on) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        let whole = match begun.take() {
            Some(mut whole) => {
                whole.push(' ');
                whole.push_str(part);
                whole
            }
            None => part.to_owned(),
        };
        if goes_on {
            begun = Some(whole);
        } else {
            lines.push(whole);
        }
    }
    lines.extend(begun);
    lines
}

/// The values of `key` that count: an empty one takes all before it back.
pub(super) fn values<'s>(settings: &'s [Setting], section: &str, key: &str) -> Vec<&'s str> {
    let mut values = Vec::new();
    for setting in settings {
        if setting.section == section && setting.key == key {
            if setting.value.is_empty() {
                values.clear();
            } else {
                values.push(setting.value.as_str());
            }
        }
    }
    values
}

/// The settings whose key begins with `prefix`.
pub(super) fn with_prefix<'s>(
    settings: &'s [Setting],
    section: &'s str,
    prefix: &'s str,
) -> impl Iterator<Item = (&'s str, &'s str)> {
    let of_section = settings.iter().filter(move |s| s.section == section);
    let fitting = of_section.filter(move |s| s.key.starts_with(prefix));
    fitting.map(|s| (s.key.as_str(), s.value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_lists_taken_back() {
        let text = "[Unit]\n# a comment\nWants = a.service \\\n; another\n  b.service\n\
                    [Service]\nExecStart=/bin/one\nExecStart=\nExecStart=/bin/two x\\\n";
        let settings = parse(text);
        let wants = values(&settings, "Unit", "Wants");
        assert_eq!(wants.len(), 1);
        let names: Vec<_> = wants[0].split_whitespace().collect();
        assert_eq!(names, ["a.service", "b.service"]);
        let starts = values(&settings, "Service", "ExecStart");
        assert_eq!(starts, ["/bin/two x"]);
        assert!(values(&settings, "Unit", "ExecStart").is_empty());
    }
}
