//! Names of units: `prefix@instance.type`.
//!
//! Source: systemd.unit(5), "Description" and "Specifiers".

/// A unit's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The whole name.
    pub(super) whole: String,
    /// What stands before `@`, or before the type.
    pub(super) prefix: String,
    /// What stands behind `@`; `Some("")` for a template itself.
    pub(super) instance: Option<String>,
    /// `service`, `target`, ...
    pub(super) kind: String,
}

impl Name {
    pub(super) fn new(whole: &str) -> Self {
        let (stem, kind) = whole.rsplit_once('.').unwrap_or((whole, ""));
        let (prefix, instance) = match stem.split_once('@') {
            Some((prefix, instance)) => (prefix, Some(instance.to_owned())),
            None => (stem, None),
        };
        Self {
            whole: whole.to_owned(),
            prefix: prefix.to_owned(),
            instance,
            kind: kind.to_owned(),
        }
    }

    /// The template that an instance is made of.
    pub(super) fn template(&self) -> Option<String> {
        let instance = self.instance.as_deref()?;
        (!instance.is_empty()).then(|| format!("{}@.{}", self.prefix, self.kind))
    }

    /// The unit of the same name and another type.
    pub(super) fn sibling(&self, kind: &str) -> String {
        let stem = self.whole.rsplit_once('.').map_or("", |(stem, _)| stem);
        format!("{stem}.{kind}")
    }

    /// Directories whose `*.conf` files are added to the unit, least special
    /// first: `service.d`, `a-.service.d`, `a-b@.service.d`, its own.
    pub(super) fn drop_ins(&self) -> Vec<String> {
        let mut names = vec![format!("{}.d", self.kind)];
        let dashes = self.prefix.char_indices().filter(|(_, c)| *c == '-');
        names.extend(dashes.map(|(at, _)| format!("{}-.{}.d", &self.prefix[..at], self.kind)));
        names.extend(self.template().map(|template| format!("{template}.d")));
        names.push(format!("{}.d", self.whole));
        names
    }

    /// `text` with the specifiers filled in that the name alone decides; `None`
    /// when it has others.
    pub(super) fn specified(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match rest.next()? {
                '%' => out.push('%'),
                'n' => out.push_str(&self.whole),
                'N' => out.push_str(self.whole.rsplit_once('.').map_or("", |(stem, _)| stem)),
                'p' => out.push_str(&self.prefix),
                'i' | 'I' => out.push_str(self.instance.as_deref().unwrap_or_default()),
                _ => return None,
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart() {
        let name = Name::new("a-b@c.d.service");
        assert_eq!(name.prefix, "a-b");
        assert_eq!(name.instance.as_deref(), Some("c.d"));
        assert_eq!(name.template().as_deref(), Some("a-b@.service"));
        assert_eq!(name.sibling("socket"), "a-b@c.d.socket");
        let drop_ins = [
            "service.d",
            "a-.service.d",
            "a-b@.service.d",
            "a-b@c.d.service.d",
        ];
        assert_eq!(name.drop_ins(), drop_ins);
        assert_eq!(name.specified("%p/%i").as_deref(), Some("a-b/c.d"));
        assert_eq!(name.specified("%t"), None);
        assert_eq!(Name::new("x@.service").template(), None);
        assert_eq!(Name::new("nothing").kind, "");
    }
}
