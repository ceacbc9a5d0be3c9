//! Many files of many packages whose inodes changed in the same minute, while
//! no package manager worked: somebody ran chmod, chown or a copy over them.
//!
//! The time of the last inode change (ctime) can be set by nobody. Where the
//! inode was made in that same minute the file was put there, by tar, cp or an
//! installer; else only its owner, mode or name changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Clock, Collected, Event, Kind, Weight};
use crate::facts::packages::Ownership;
use crate::journal;
use crate::sys::root_dir::{RootDir, Times};

/// Directories that are looked at, each without those below it.
const PLACES: [&str; 12] = [
    "/",
    "/usr",
    "/etc",
    "/etc/ssh",
    "/etc/pam.d",
    "/etc/systemd/system",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib/systemd/system",
    "/var/lib",
    "/var/lib/dpkg/info",
];

/// Names of one directory that are looked at.
const MOST_NAMES: usize = 20_000;

/// So many files, of so many packages, are no accident.
const LEAST_FILES: usize = 40;
const LEAST_PACKAGES: usize = 5;

/// Package managers write their log a little before or after a file.
const SLACK: i64 = 120;

/// One file that was looked at.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    place: &'static str,
    owner: Option<usize>,
    times: Times,
}

/// Files that changed at about the same time.
#[derive(Debug, Default)]
struct Cluster {
    first: i64,
    last: i64,
    files: usize,
    made: usize,
    packages: BTreeSet<usize>,
    places: BTreeMap<&'static str, usize>,
    owners: BTreeMap<u32, usize>,
    open_to_all: usize,
}

/// Sweeps the places and tells the clusters that no package work explains.
pub(super) fn collect(root: &RootDir, owners: &Ownership, out: &mut Collected) {
    let samples = sweep(root, owners);
    let busy = std::mem::take(&mut out.busy);
    let mut known = busy.clone();
    known.extend(own_work(root));
    out.add(tell(&samples, &known));
    out.busy = busy;
}

/// When Lifeboot itself changed the patient: from the beginning of a repair to
/// the last word in its journal.
fn own_work(root: &RootDir) -> Vec<(i64, i64)> {
    let transactions = journal::list(root).unwrap_or_default();
    let times = transactions.into_iter().filter_map(|transaction| {
        let began = i64::try_from(transaction.header?.time).ok()?;
        let last = root
            .symlink_metadata(journal::path_of(&transaction.id))
            .ok()?;
        Some((began, last.mtime))
    });
    times.collect()
}

fn sweep(root: &RootDir, owners: &Ownership) -> Vec<Sample> {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut samples = Vec::new();
    for place in PLACES {
        let Ok(mut directory) = root.directory(place) else {
            continue;
        };
        for entry in directory
            .entries()
            .unwrap_or_default()
            .iter()
            .take(MOST_NAMES)
        {
            let Ok(times) = directory.times(&entry.name) else {
                continue;
            };
            let path: PathBuf = Path::new(place).join(&entry.name);
            // dpkg's own files are called after their package.
            let owner = match place {
                "/var/lib/dpkg/info" => path.file_stem().and_then(|stem| stem.to_str()),
                _ => owners.owner_merged(&path),
            };
            let next = names.len();
            let owner = owner.map(|name| *names.entry(name.to_owned()).or_insert(next));
            samples.push(Sample {
                place,
                owner,
                times,
            });
        }
    }
    samples
}

/// The clusters, as events.
fn tell(samples: &[Sample], busy: &[(i64, i64)]) -> Vec<Event> {
    let totals = samples.iter().fold(BTreeMap::new(), |mut totals, sample| {
        *totals.entry(sample.place).or_insert(0_usize) += 1;
        totals
    });
    let oldest_log = busy.iter().map(|(from, _)| *from).min();
    let clusters: Vec<Cluster> = clusters(samples)
        .into_iter()
        .filter(|c| c.files >= LEAST_FILES && c.packages.len() >= LEAST_PACKAGES)
        .filter(|c| covers_a_place(c, &totals))
        .filter(|c| !explained(c, busy))
        .collect();
    clusters
        .iter()
        .map(|cluster| {
            let put_there = cluster.made * 2 > cluster.files;
            // Before the logs begin, it may have been a package manager.
            let judged = oldest_log.is_some_and(|oldest| cluster.first > oldest);
            let weight = match (put_there, judged) {
                (false, true) => Weight::Key,
                (false, false) => Weight::Usual,
                (true, _) => Weight::Detail,
            };
            let text = words(cluster, &totals, put_there);
            let when = (cluster.last, Clock::Exact);
            let place = cluster.places.iter().max_by_key(|(_, count)| **count);
            let path = place.map_or("/", |(place, _)| *place);
            Event::new(when, Kind::Changed, weight, text).at(path, None)
        })
        .collect()
}

/// Files in the order of their change, parted where a minute has none.
fn clusters(samples: &[Sample]) -> Vec<Cluster> {
    let mut sorted: Vec<&Sample> = samples.iter().collect();
    sorted.sort_by_key(|sample| sample.times.changed);
    let mut clusters: Vec<Cluster> = Vec::new();
    for sample in sorted {
        let time = sample.times.changed;
        let goes_on = clusters
            .last()
            .is_some_and(|cluster| time.saturating_sub(cluster.last) < 60);
        if !goes_on {
            clusters.push(Cluster {
                first: time,
                ..Cluster::default()
            });
        }
        let Some(cluster) = clusters.last_mut() else {
            continue;
        };
        cluster.last = time;
        cluster.files += 1;
        // Made then, or written then: chmod and chown do neither.
        let Times { born, modified, .. } = sample.times;
        let made = born.map_or(modified, |born| born.max(modified));
        cluster.made += usize::from(time.saturating_sub(made) < 60);
        cluster.packages.extend(sample.owner);
        *cluster.places.entry(sample.place).or_default() += 1;
        *cluster.owners.entry(sample.times.uid).or_default() += 1;
        cluster.open_to_all += usize::from(sample.times.mode & 0o002 != 0);
    }
    clusters
}

/// True when it has at least half of all names of one place: a command that
/// goes through a directory leaves none out, and packages replace few later.
fn covers_a_place(cluster: &Cluster, totals: &BTreeMap<&str, usize>) -> bool {
    cluster.places.iter().any(|(place, count)| {
        let total = totals.get(place).copied().unwrap_or(*count);
        *count >= LEAST_FILES && count * 2 >= total
    })
}

/// True when a package manager worked at that time.
fn explained(cluster: &Cluster, busy: &[(i64, i64)]) -> bool {
    busy.iter().any(|(from, to)| {
        let (from, to) = (from.saturating_sub(SLACK), to.saturating_add(SLACK));
        from <= cluster.last && cluster.first <= to
    })
}

fn words(cluster: &Cluster, totals: &BTreeMap<&str, usize>, put_there: bool) -> String {
    let mut places: Vec<(&str, usize)> = cluster.places.iter().map(|(p, n)| (*p, *n)).collect();
    places.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown: Vec<String> = places
        .iter()
        .take(3)
        .map(|(place, count)| {
            let total = totals.get(place).copied().unwrap_or(*count);
            format!("{count} of {total} in {place}")
        })
        .collect();
    let shown = shown.join(", ");
    if put_there {
        return format!("{} files were put there at once: {shown}", cluster.files);
    }
    let most = |count: usize| count * 10 > cluster.files * 9;
    let foreign = cluster
        .owners
        .iter()
        .find(|(id, count)| **id != 0 && most(**count));
    let how = match foreign {
        Some((id, _)) => format!("as by chown -R: they belong to user {id} now"),
        None if most(cluster.open_to_all) => {
            "as by chmod -R: everybody may write to them now".to_owned()
        }
        None => "as by chmod -R or chown -R".to_owned(),
    };
    format!(
        "{} files changed owner, mode or name at once, {how} ({shown}); no package manager \
         worked then",
        cluster.files
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: usize, changed: i64, born: Option<i64>, uid: u32) -> Vec<Sample> {
        (0..count)
            .map(|index| Sample {
                place: "/usr/bin",
                owner: Some(index % 50),
                times: Times {
                    modified: 1_000,
                    changed: changed + i64::try_from(index / 100).unwrap_or(0),
                    born,
                    mode: 0o755,
                    uid,
                    directory: false,
                },
            })
            .collect()
    }

    #[test]
    fn a_recursive_chown_is_told_and_package_work_is_not() {
        let mut all = samples(300, 50_000, Some(50_000), 0);
        all.extend(samples(700, 90_000, Some(50_000), 33));
        let events = tell(&all, &[(49_990, 50_005)]);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].weight, Weight::Key);
        let said = "700 files changed owner, mode or name at once, as by chown -R: they belong \
            to user 33 now (700 of 1000 in /usr/bin); no package manager worked then";
        assert_eq!(events[0].text, said);
        assert!(tell(&all, &[(49_990, 50_005), (89_000, 89_950)]).is_empty());
    }

    #[test]
    fn an_installation_by_copying_is_no_alarm() {
        for born in [Some(50_000), None] {
            let mut all = samples(1000, 50_000, born, 0);
            if born.is_none() {
                all.iter_mut().for_each(|s| s.times.modified = 49_999);
            }
            let events = tell(&all, &[]);
            assert_eq!(events.len(), 1);
            assert_eq!(events[0].weight, Weight::Detail);
        }
        // Unpacked with old times, on a kernel that tells no birth: not sure.
        assert_eq!(
            tell(&samples(1000, 50_000, None, 0), &[])[0].weight,
            Weight::Usual
        );
    }

    #[test]
    fn files_that_were_written_then_were_not_only_touched() {
        let mut all = samples(1000, 50_000, Some(1), 0);
        all.iter_mut()
            .for_each(|s| s.times.modified = s.times.changed);
        assert_eq!(tell(&all, &[(1, 2)])[0].weight, Weight::Detail);
        // A small part of a directory is not what a recursive command leaves.
        let mut part = samples(100, 90_000, Some(1), 0);
        part.extend(
            (0..40_000)
                .map(|n| Sample {
                    times: Times {
                        changed: 1_000_000 + n * 100,
                        ..part[0].times
                    },
                    ..part[0].clone()
                })
                .collect::<Vec<_>>(),
        );
        assert!(tell(&part, &[(1, 2)]).is_empty());
    }

    #[test]
    fn few_files_or_few_packages_are_an_accident() {
        assert!(tell(&samples(30, 50_000, Some(1), 0), &[]).is_empty());
        let mut one = samples(500, 50_000, Some(1), 0);
        one.iter_mut().for_each(|sample| sample.owner = Some(1));
        assert!(tell(&one, &[]).is_empty());
    }
}
