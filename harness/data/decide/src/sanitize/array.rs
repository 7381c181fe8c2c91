//! Arrays in their binary form, with each element replaced.

/// Replaces the elements of an array. `None` where the bytes are no array.
// Source: PostgreSQL, arrayfuncs.c, array_send: dimensions, flags, type, (length, lower bound) each, then (size, bytes) each.
pub(super) fn rewritten(bytes: &[u8], out: &mut Vec<u8>, mut replace: impl FnMut(&[u8], &mut Vec<u8>)) -> Option<()> {
    let dimensions = usize::try_from(i32::from_be_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let head = 12 + dimensions.checked_mul(8)?;
    out.extend_from_slice(bytes.get(..head)?);
    let mut at = head;
    let mut element = Vec::new();
    while at < bytes.len() {
        let size = i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
        at += 4;
        let Ok(size) = usize::try_from(size) else {
            out.extend_from_slice(&size.to_be_bytes());
            continue;
        };
        element.clear();
        replace(bytes.get(at..at + size)?, &mut element);
        out.extend_from_slice(&i32::try_from(element.len()).ok()?.to_be_bytes());
        out.extend_from_slice(&element);
        at += size;
    }
    Some(())
}
