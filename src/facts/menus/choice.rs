//! Which entry of GRUB's menu is started when nobody is at the console (GRUB
//! 2.12, `grub-core/normal/menu.c`, `get_entry_number` and `run_menu`).

use std::collections::BTreeMap;

/// What stands in the menu, at any level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Item {
    pub(in super::super) title: String,
    pub(in super::super) id: Option<String>,
    /// The submenu that it is in, as an index.
    pub(in super::super) inside: Option<usize>,
    pub(in super::super) is_submenu: bool,
    /// The kernel that it starts, as an index.
    pub(in super::super) entry: Option<usize>,
}

/// The values that the configuration gives to `default`, and what GRUB keeps in
/// its environment. Nothing when it is not known which one counts.
pub(in super::super) fn wanted(
    values: &[String],
    environment: &BTreeMap<String, String>,
) -> Option<String> {
    let kept = |name: &str| {
        let value = environment.get(name).map_or("", String::as_str);
        (!value.is_empty()).then_some(value)
    };
    let once = |value: &&String| value.contains("next_entry");
    if values.iter().any(|value| once(&value))
        && let Some(next) = kept("next_entry")
    {
        return Some(next.to_owned());
    }
    // `grub-reboot` of old releases leaves this to be restored.
    if kept("prev_saved_entry").is_some() {
        return None;
    }
    let mut others: Vec<&String> = values.iter().filter(|value| !once(value)).collect();
    others.dedup();
    match others.as_slice() {
        [] => Some("0".into()),
        [value] if matches!(value.as_str(), "${saved_entry}" | "$saved_entry") => {
            Some(kept("saved_entry").unwrap_or("0").to_owned())
        }
        [value] if value.contains('$') => None,
        [value] => Some((*value).clone()),
        _ => None,
    }
}

/// The kernel that `wanted` means; nothing where that is no kernel.
pub(in super::super) fn find(items: &[Item], wanted: &str) -> Option<usize> {
    // What is not in the menu is the first entry.
    let number = position(items, wanted, None).or_else(|| nth(items, 0, None))?;
    items.get(number)?.entry
}

/// `1`, `title`, `id`, and `submenu>entry`.
fn position(items: &[Item], wanted: &str, inside: Option<usize>) -> Option<usize> {
    let by = |name: &str| {
        let number = name.parse().ok().and_then(|at| nth(items, at, inside));
        number.or_else(|| {
            let is = |item: &Item| item.title == name || item.id.as_deref() == Some(name);
            let mut all = items.iter().enumerate();
            all.find(|(_, item)| item.inside == inside && is(item))
                .map(|(at, _)| at)
        })
    };
    if let Some(at) = by(wanted) {
        return Some(at);
    }
    let (first, rest) = wanted.split_once('>')?;
    let submenu = by(first).filter(|at| items.get(*at).is_some_and(|item| item.is_submenu))?;
    position(items, rest, Some(submenu))
}

fn nth(items: &[Item], number: usize, inside: Option<usize>) -> Option<usize> {
    let own = items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.inside == inside);
    own.map(|(at, _)| at).nth(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        own.collect()
    }

    #[test]
    fn a_value_a_saved_entry_and_one_for_once() {
        let values = |all: &[&str]| all.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        let debian = values(&["${next_entry}", "0"]);
        assert_eq!(wanted(&debian, &env(&[])).as_deref(), Some("0"));
        let once = env(&[("next_entry", "1>2")]);
        assert_eq!(wanted(&debian, &once).as_deref(), Some("1>2"));
        let saved = values(&["${next_entry}", "${saved_entry}"]);
        let env = env(&[("saved_entry", "abc")]);
        assert_eq!(wanted(&saved, &env).as_deref(), Some("abc"));
        assert_eq!(wanted(&values(&["1", "2"]), &env), None);
        assert_eq!(wanted(&values(&["$x"]), &env), None);
    }

    #[test]
    fn numbers_titles_ids_and_submenus() {
        let item = |title: &str, inside, entry: Option<usize>| Item {
            title: title.to_owned(),
            id: Some(format!("id-{title}")),
            inside,
            is_submenu: entry.is_none(),
            entry,
        };
        let items = [
            item("Debian", None, Some(0)),
            item("Advanced", None, None),
            item("6.1", Some(1), Some(1)),
            item("5.10", Some(1), Some(2)),
        ];
        for (wanted, found) in [
            ("0", Some(0)),
            ("Debian", Some(0)),
            ("id-Advanced>id-5.10", Some(2)),
            ("1>1", Some(2)),
            ("1>6.1", Some(1)),
            ("gone", Some(0)),
            ("1", None),
        ] {
            assert_eq!(find(&items, wanted), found, "{wanted}");
        }
    }
}
