//! A volume group as its metadata text describes it.

use serde::{Deserialize, Serialize};

use super::text::{Section, Value};

/// Names of groups and volumes (`NAME_LEN` in LVM's source); ids are shorter.
/// They come back in what is told of each volume, so a long one would do so
/// many times.
const LONGEST_NAME: usize = 128;

/// A volume group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Group {
    /// `vg0`.
    pub name: String,
    /// Its UUID.
    pub uuid: String,
    /// Counts the changes: the highest is the newest.
    pub seqno: u64,
    /// Set aside by `vgexport`, for another machine.
    pub exported: bool,
    /// Size of an extent in sectors of 512 bytes.
    pub extent_sectors: u64,
    /// The physical volumes that belong to it.
    pub physical: Vec<Physical>,
    /// The logical volumes, hidden ones included.
    pub logical: Vec<Logical>,
}

/// A physical volume in the eyes of its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Physical {
    /// `pv0`: its name within the text.
    pub key: String,
    /// Its UUID.
    pub uuid: String,
    /// The device on which it was last, as a hint.
    pub device: Option<String>,
    /// Where its extents begin, in sectors of 512 bytes.
    pub start: u64,
    /// The group was changed while it was missing: what is on it is old.
    pub missing: bool,
}

/// A logical volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Logical {
    /// `root`.
    pub name: String,
    /// Its UUID.
    pub uuid: String,
    /// False for parts of other volumes.
    pub visible: bool,
    /// Its stretches in order.
    pub segments: Vec<Segment>,
}

/// A stretch of a logical volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Segment {
    /// `striped` (with one stripe: linear), `raid1`, `mirror`, `thin`, ...
    pub kind: String,
    /// First extent in the volume.
    pub start: u64,
    /// Number of extents.
    pub extents: u64,
    /// Size of a stripe in sectors, where there are several.
    pub stripe_sectors: u64,
    /// Data areas in the order of the stripes, images or legs.
    pub areas: Vec<Area>,
    /// The volumes that hold the state of each leg of a raid volume.
    pub metadata: Vec<String>,
    /// Another volume that it needs: a pool, an origin.
    pub needs: Option<String>,
    /// The volume that holds the changes of a snapshot.
    pub changes: Option<String>,
    /// True when its raid is being given another shape.
    pub reshaping: bool,
}

/// Where the data of a segment lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Area {
    /// A physical volume's key, or a logical volume's name.
    pub on: String,
    /// From which extent on.
    pub extent: u64,
}

impl Group {
    /// Makes sense of a metadata text.
    pub(super) fn from_text(root: &Section) -> Result<Self, String> {
        let (name, group) = root
            .iter()
            .find_map(|(name, value)| match value {
                Value::Section(section) => Some((name, section)),
                _ => None,
            })
            .ok_or("its metadata describes no group")?;
        let lacks = |what: &str| format!("its metadata lacks {what}");
        let sections = |name: &str| {
            let all = group.section(name).into_iter().flat_map(Section::iter);
            all.filter_map(|(name, value)| match value {
                Value::Section(section) => Some((name, section)),
                _ => None,
            })
        };
        let logical = sections("logical_volumes").map(|(name, s)| Logical::from_text(name, s));
        let group = Self {
            name: name.clone(),
            uuid: group.text("id").ok_or_else(|| lacks("an id"))?.to_owned(),
            seqno: group.number("seqno").ok_or_else(|| lacks("a seqno"))?,
            exported: group.has("status", "EXPORTED"),
            extent_sectors: group
                .number("extent_size")
                .filter(|sectors| *sectors > 0)
                .ok_or_else(|| lacks("an extent size"))?,
            physical: sections("physical_volumes")
                .filter_map(|(key, s)| Physical::from_text(key, s))
                .collect(),
            logical: logical.collect(),
        };
        let short = |name: &String| name.len() <= LONGEST_NAME;
        let plain = short(&group.name)
            && short(&group.uuid)
            && group
                .physical
                .iter()
                .all(|p| short(&p.key) && short(&p.uuid))
            && group
                .logical
                .iter()
                .all(|l| short(&l.name) && short(&l.uuid));
        if !plain {
            return Err("its metadata has a name that is longer than LVM allows".into());
        }
        Ok(group)
    }

    /// The logical volume with this name.
    pub fn volume(&self, name: &str) -> Option<&Logical> {
        self.logical.iter().find(|volume| volume.name == name)
    }
}

impl Physical {
    fn from_text(key: &str, section: &Section) -> Option<Self> {
        Some(Self {
            key: key.to_owned(),
            uuid: section.text("id")?.to_owned(),
            device: section.text("device").map(str::to_owned),
            start: section.number("pe_start")?,
            missing: section.has("flags", "MISSING"),
        })
    }
}

impl Logical {
    fn from_text(name: &str, section: &Section) -> Self {
        let segments = section.iter().filter_map(|(name, value)| match value {
            Value::Section(segment) if name.starts_with("segment") => Segment::from_text(segment),
            _ => None,
        });
        let mut segments: Vec<_> = segments.collect();
        segments.sort_by_key(|segment| segment.start);
        Self {
            name: name.to_owned(),
            uuid: section.text("id").unwrap_or_default().to_owned(),
            visible: section.has("status", "VISIBLE"),
            segments,
        }
    }

    /// Its length in extents; none when its segments leave a hole.
    pub fn extents(&self) -> Option<u64> {
        self.segments.iter().try_fold(0_u64, |end, segment| {
            (segment.start == end).then_some(())?;
            end.checked_add(segment.extents)
        })
    }

    /// The kind of its first segment.
    pub fn kind(&self) -> &str {
        self.segments.first().map_or("empty", |s| s.kind.as_str())
    }
}

impl Segment {
    fn from_text(section: &Section) -> Option<Self> {
        let kind = section.text("type")?;
        // "striped+FLAG": flags that old versions must not overlook.
        let kind = kind.split('+').next().unwrap_or(kind).to_owned();
        let words = |name: &str| {
            let list = section.list(name).iter();
            list.filter_map(|value| match value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            })
            .collect::<Vec<_>>()
        };
        let pairs = |name: &str| {
            section
                .list(name)
                .chunks_exact(2)
                .filter_map(|pair| match pair {
                    [Value::Text(on), Value::Number(extent)] => Some(Area {
                        on: on.clone(),
                        extent: u64::try_from(*extent).ok()?,
                    }),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        let whole = |on: String| Area { on, extent: 0 };
        let (areas, metadata) = match (section.get("stripes"), section.get("mirrors")) {
            (Some(_), _) => (pairs("stripes"), Vec::new()),
            (_, Some(_)) => (pairs("mirrors"), Vec::new()),
            // raid0 has images only; the others have the state of each before it.
            _ if section.get("raid0_lvs").is_some() => {
                let areas = words("raid0_lvs").into_iter().map(whole).collect();
                (areas, Vec::new())
            }
            _ => {
                let all = words("raids");
                let pairs = all.chunks_exact(2);
                let areas = pairs.clone().map(|pair| whole(pair[1].clone())).collect();
                (areas, pairs.map(|pair| pair[0].clone()).collect())
            }
        };
        let needs = ["thin_pool", "pool", "origin", "cache_pool", "vdo_pool"];
        Some(Self {
            kind,
            start: section.number("start_extent")?,
            extents: section.number("extent_count")?,
            stripe_sectors: section.number("stripe_size").unwrap_or(0),
            areas,
            metadata,
            needs: needs
                .iter()
                .find_map(|name| section.text(name))
                .map(str::to_owned),
            changes: section.text("cow_store").map(str::to_owned),
            reshaping: ["data_offset", "data_copies_new", "reshape_count"]
                .iter()
                .any(|name| section.number(name).is_some_and(|number| number > 0)),
        })
    }
}
