//! Sections and settings, as systemd and NetworkManager write them.

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting<'t> {
    pub(super) section: &'t str,
    /// The how manieth section of the file it stands in.
    pub(super) number: usize,
    pub(super) key: &'t str,
    pub(super) value: &'t str,
}

/// All settings of a file.
#[derive(Debug, Default)]
pub(super) struct Ini<'t> {
    settings: Vec<Setting<'t>>,
}

impl<'t> Ini<'t> {
    pub(super) fn parse(text: &'t str) -> Self {
        let mut ini = Self::default();
        let (mut section, mut number) = ("", 0);
        for line in text.lines().map(str::trim) {
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = name;
                number += 1;
            } else if let Some((key, value)) = line.split_once('=') {
                ini.settings.push(Setting {
                    section,
                    number,
                    key: key.trim_end(),
                    value: value.trim_start(),
                });
            }
        }
        ini
    }

    /// Every setting of this name in sections of this name.
    pub(super) fn all<'i>(
        &'i self,
        section: &'i str,
        key: &'i str,
    ) -> impl Iterator<Item = &'i Setting<'t>> {
        let mut all = self.settings.iter();
        std::iter::from_fn(move || all.find(|s| s.section == section && s.key == key))
    }

    /// The last one's value.
    pub(super) fn value(&self, section: &str, key: &str) -> Option<&'t str> {
        self.all(section, key).last().map(|setting| setting.value)
    }

    /// True when it has such a section with a setting in it.
    pub(super) fn has(&self, section: &str) -> bool {
        self.settings.iter().any(|s| s.section == section)
    }
}
