//! How much of the kernel one group may take.

use super::map::{MOST_PIECES, Piece, Refusal};

/// Devices for the volumes of one group and the legs of its raid volumes. Each
/// is a device of device-mapper with memory, threads and a place among those
/// of the machine. Groups with more than some hundreds of volumes are not seen.
pub(super) const MOST_DEVICES: usize = 4096;

/// What was taken up to now.
#[derive(Debug, Default)]
pub(super) struct Room {
    devices: usize,
    pieces: usize,
}

impl Room {
    /// Takes room for so many devices and for the stretches of one of them,
    /// whether or not the kernel makes it then: trying costs as much.
    pub(super) fn take(&mut self, devices: usize, pieces: &[Piece]) -> Result<(), Refusal> {
        let legs = pieces.iter().map(|piece| piece.legs.len());
        let all = (
            self.devices.saturating_add(devices),
            legs.fold(self.pieces, usize::saturating_add),
        );
        let what = match all {
            (devices, _) if devices > MOST_DEVICES => format!("{MOST_DEVICES} devices"),
            (_, pieces) if pieces > MOST_PIECES => format!("{MOST_PIECES} pieces"),
            _ => {
                (self.devices, self.pieces) = all;
                return Ok(());
            }
        };
        Err(Refusal::Kind(format!(
            "its group has more volumes than are opened together ({what}); activate it \
             with lvchange -ay VG/LV"
        )))
    }
}
