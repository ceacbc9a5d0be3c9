//! What the processor can do, as far as the loader chooses libraries by it.
//!
//! glibc 2.33 and later search `glibc-hwcaps/LEVEL` below each directory, best
//! level first: ld.so(8), glibc sysdeps/x86_64/dl-hwcaps_subdirs.c. The levels
//! are those of the x86-64 psABI, section 3.1.1.

use std::str::FromStr;

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// A micro-architecture level of x86-64.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CpuLevel {
    /// Every x86-64 processor.
    #[default]
    V1,
    /// With SSE 4.2 and what came before it.
    V2,
    /// With AVX2.
    V3,
    /// With AVX-512.
    V4,
}

impl CpuLevel {
    /// The level of the processor this runs on.
    pub fn running() -> Self {
        #[cfg(target_arch = "x86_64")]
        return running_x86_64();
        #[cfg(not(target_arch = "x86_64"))]
        return Self::V1;
    }

    /// Names of the subdirectories it can use, best first.
    pub fn subdirectories(self) -> &'static [&'static str] {
        match self {
            Self::V1 => &[],
            Self::V2 => &["x86-64-v2"],
            Self::V3 => &["x86-64-v3", "x86-64-v2"],
            Self::V4 => &["x86-64-v4", "x86-64-v3", "x86-64-v2"],
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn running_x86_64() -> CpuLevel {
    use std::is_x86_feature_detected as has;
    let v2 = has!("sse3")
        && has!("ssse3")
        && has!("sse4.1")
        && has!("sse4.2")
        && has!("popcnt")
        && has!("cmpxchg16b");
    let v3 = has!("avx")
        && has!("avx2")
        && has!("bmi1")
        && has!("bmi2")
        && has!("f16c")
        && has!("fma")
        && has!("lzcnt")
        && has!("movbe");
    let v4 = has!("avx512f")
        && has!("avx512bw")
        && has!("avx512cd")
        && has!("avx512dq")
        && has!("avx512vl");
    match (v2, v3, v4) {
        (true, true, true) => CpuLevel::V4,
        (true, true, false) => CpuLevel::V3,
        (true, false, _) => CpuLevel::V2,
        (false, _, _) => CpuLevel::V1,
    }
}

impl FromStr for CpuLevel {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "v1" => Self::V1,
            "v2" => Self::V2,
            "v3" => Self::V3,
            "v4" => Self::V4,
            _ => bail!("CPU level {text:?} is none of v1, v2, v3, v4"),
        })
    }
}
