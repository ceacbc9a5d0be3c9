//! Access lists as tar has them: beside the attribute of the kernel's, because
//! `tar --acls` forgets lists that it has no text for.

/// The version of the attribute (linux/posix_acl_xattr.h).
const VERSION: u32 = 2;

/// The text of a list (acl(5), numbers for names); none for bytes that are none.
pub(super) fn text(value: &[u8]) -> Option<String> {
    let (version, entries) = value.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != VERSION || entries.len() % 8 != 0 {
        return None;
    }
    let entries: Option<Vec<String>> = entries.chunks_exact(8).map(entry).collect();
    entries.map(|entries| entries.join(","))
}

/// Tag, permissions and number, in this order.
fn entry(bytes: &[u8]) -> Option<String> {
    let (tag, rest) = bytes.split_first_chunk::<2>()?;
    let (rights, number) = rest.split_first_chunk::<2>()?;
    let number = u32::from_le_bytes(number.try_into().ok()?);
    let rights = u16::from_le_bytes(*rights);
    let letter = |bit: u16, letter: char| if rights & bit != 0 { letter } else { '-' };
    let rights: String = [letter(4, 'r'), letter(2, 'w'), letter(1, 'x')]
        .iter()
        .collect();
    Some(match u16::from_le_bytes(*tag) {
        0x01 => format!("user::{rights}"),
        0x02 => format!("user:{number}:{rights}"),
        0x04 => format!("group::{rights}"),
        0x08 => format!("group:{number}:{rights}"),
        0x10 => format!("mask::{rights}"),
        0x20 => format!("other::{rights}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_setfacl_is_told() {
        let entries: [(u16, u16, u32); 5] = [
            (1, 6, u32::MAX),
            (2, 4, 1500),
            (4, 4, u32::MAX),
            (0x10, 4, u32::MAX),
            (0x20, 1, u32::MAX),
        ];
        let mut value = VERSION.to_le_bytes().to_vec();
        for (tag, rights, number) in entries {
            value.extend(tag.to_le_bytes());
            value.extend(rights.to_le_bytes());
            value.extend(number.to_le_bytes());
        }
        let expected = "user::rw-,user:1500:r--,group::r--,mask::r--,other::--x";
        assert_eq!(text(&value).as_deref(), Some(expected));
        assert_eq!(text(&value[..7]), None);
        assert_eq!(text(b""), None);
        value[0] = 1;
        assert_eq!(text(&value), None);
    }
}
