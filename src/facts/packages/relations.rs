//! What packages ask of each other: `Depends` and its kin (Debian Policy, 7.1).

use std::cmp::Ordering;

use super::version;

/// How a version is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

/// One package that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation<'t> {
    /// Its name, without an architecture behind a colon.
    pub name: &'t str,
    /// The versions that count; none: all.
    pub version: Option<(Operator, &'t str)>,
    /// As it is written.
    pub text: &'t str,
}

impl Relation<'_> {
    /// True when this version is one of those that count.
    pub fn takes(&self, version: &str) -> bool {
        let Some((operator, wanted)) = self.version else {
            return true;
        };
        let order = version::compare(version, wanted);
        match operator {
            Operator::Earlier => order == Ordering::Less,
            Operator::EarlierOrEqual => order != Ordering::Greater,
            Operator::Equal => order == Ordering::Equal,
            Operator::LaterOrEqual => order != Ordering::Less,
            Operator::Later => order == Ordering::Greater,
        }
    }
}

/// Each group of a field, of which one alternative is enough. What is no
/// relation is left out.
pub fn groups(field: &str) -> impl Iterator<Item = Vec<Relation<'_>>> {
    let groups = field.split(',').map(|group| {
        let alternatives = group.split('|').filter_map(relation);
        alternatives.collect::<Vec<_>>()
    });
    groups.filter(|group| !group.is_empty())
}

/// `name[:architecture] [(OPERATOR VERSION)] [[ARCHITECTURES]]`
fn relation(text: &str) -> Option<Relation<'_>> {
    let text = text.trim();
    let end = text.find([' ', '(', '[', '<', '\t', '\n']);
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let name = name.split(':').next().filter(|name| !name.is_empty())?;
    let version = match rest.split_once('(') {
        None => None,
        Some((_, inner)) => {
            let inner = inner.split(')').next()?.trim();
            let digits = inner.find(|c| !matches!(c, '<' | '=' | '>'))?;
            let (operator, version) = inner.split_at(digits);
            let operator = match operator {
                "<<" => Operator::Earlier,
                // `<` is an old spelling of `<=`.
                "<=" | "<" => Operator::EarlierOrEqual,
                "=" | "" => Operator::Equal,
                ">=" | ">" => Operator::LaterOrEqual,
                ">>" => Operator::Later,
                _ => return None,
            };
            Some((operator, version.trim()))
        }
    };
    Some(Relation {
        name,
        version,
        text,
    })
}

/// What is given by a `Provides` field: names, each with its version, if any.
pub fn provided(field: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let all = field.split(',').filter_map(relation);
    all.map(|one| (one.name, one.version.map(|(_, version)| version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_alternatives_and_versions() {
        let all: Vec<_> =
            groups("libc6 (>= 2.38), a:any | b (<< 1:2~),\n c (=3), , tar(>> 1) [amd64]").collect();
        assert_eq!(all.len(), 4);
        let names: Vec<Vec<&str>> = all
            .iter()
            .map(|group| group.iter().map(|one| one.name).collect())
            .collect();
        assert_eq!(
            names,
            [vec!["libc6"], vec!["a", "b"], vec!["c"], vec!["tar"]]
        );
        assert!(all[0][0].takes("2.41-12+deb13u5") && !all[0][0].takes("2.36-9"));
        assert!(all[1][0].takes("0") && all[1][1].takes("1:2~~") && !all[1][1].takes("1:2"));
        assert!(all[2][0].takes("3") && !all[2][0].takes("3.1"));
        assert!(all[3][0].takes("1.1") && !all[3][0].takes("1"));
        assert_eq!(all[0][0].text, "libc6 (>= 2.38)");
        assert_eq!(groups("").count(), 0);
    }

    #[test]
    fn provided_names() {
        let all: Vec<_> = provided("libssl3 (= 3.5.1-1), awk").collect();
        assert_eq!(all, [("libssl3", Some("3.5.1-1")), ("awk", None)]);
    }
}
