//! Fields of a line of fstab(5) or crypttab(5).

/// The options, counted from 0, in both files.
const OPTIONS: usize = 3;

/// The line with field `index` (from 0) made `new` of what it was; what stands
/// between the fields stays.
pub(super) fn with_field(
    line: &str,
    index: usize,
    new: impl FnOnce(&str) -> String,
) -> Option<String> {
    let (start, end) = *fields(line)?.get(index)?;
    let (before, field, after) = (&line[..start], &line[start..end], &line[end..]);
    Some(format!("{before}{}{after}", new(field)))
}

/// The line with one option more; fields that are missing before the options
/// are `fill`.
pub(super) fn with_option(line: &str, option: &str, fill: &[&str]) -> Option<String> {
    let there = fields(line)?;
    // A comment behind the fields would become one of them.
    if there
        .iter()
        .any(|(start, _)| line[*start..].starts_with('#'))
    {
        return None;
    }
    if there.len() > OPTIONS {
        return with_field(line, OPTIONS, |options| format!("{options},{option}"));
    }
    let missing = fill.get(there.len()..).unwrap_or_default();
    let mut words = vec![line.trim_end()];
    words.extend(missing);
    let line = words.join(" ");
    Some(match missing.len() + there.len() > OPTIONS {
        true => format!("{line},{option}"),
        false => format!("{line} {option}"),
    })
}

/// Where each field begins and ends. Other blanks than these two are read in
/// different ways by different programs.
fn fields(line: &str) -> Option<Vec<(usize, usize)>> {
    const BLANK: [char; 2] = [' ', '\t'];
    if line.contains(|c: char| c.is_whitespace() && !BLANK.contains(&c)) {
        return None;
    }
    let mut all = Vec::new();
    let mut begun = None;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        match (begun, BLANK.contains(&c)) {
            (None, false) => begun = Some(at),
            (Some(start), true) => {
                all.push((start, at));
                begun = None;
            }
            _ => {}
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FSTAB: [&str; 4] = ["", "none", "auto", "defaults"];

    #[test]
    fn one_field_changes_and_the_blanks_stay() {
        let line = "  LABEL=x\t\t/srv  ext4 defaults\t0 2 ";
        let new = with_field(line, 0, |_| "UUID=1".into());
        assert_eq!(
            new.as_deref(),
            Some("  UUID=1\t\t/srv  ext4 defaults\t0 2 ")
        );
        let new = with_option(line, "nofail", &FSTAB);
        assert_eq!(
            new.as_deref(),
            Some("  LABEL=x\t\t/srv  ext4 defaults,nofail\t0 2 ")
        );
        assert_eq!(with_field(line, 6, |_| "x".into()), None);
        assert_eq!(with_field("a\u{a0}b c", 0, |_| "x".into()), None);
    }

    #[test]
    fn options_that_are_not_there_are_added() {
        let new = |line: &str| with_option(line, "nofail", &FSTAB);
        assert_eq!(
            new("/dev/x /srv ext4 ").as_deref(),
            Some("/dev/x /srv ext4 defaults,nofail")
        );
        assert_eq!(new("/dev/x /srv ext4 # mine"), None);
        let crypttab = |line: &str| with_option(line, "nofail", &["", "", "none"]);
        assert_eq!(crypttab("a b").as_deref(), Some("a b none nofail"));
        assert_eq!(crypttab("a b c").as_deref(), Some("a b c nofail"));
        assert_eq!(crypttab("a b c luks").as_deref(), Some("a b c luks,nofail"));
    }
}
