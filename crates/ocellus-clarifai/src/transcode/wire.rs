//! The few protobuf wire primitives that transcoding needs: varints, tags, lengths patched in place.

/// Wire types of the protobuf encoding, as they stand in the low three bits of a tag.
pub const VARINT: u8 = 0;
pub const FIXED64: u8 = 1;
pub const BYTES: u8 = 2;
pub const FIXED32: u8 = 5;

/// A value as it lies in an encoded message.
#[derive(Clone, Copy, Debug)]
pub enum Raw<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, (u64::from(number) << 3) | u64::from(wire_type));
}

/// Writes a string or bytes field.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Begins a length-delimited field whose length is not known yet. Five bytes are kept for the
/// length, so that nothing is moved when it becomes known: a 30 MB image is written once.
pub fn open(out: &mut Vec<u8>, number: u32) -> usize {
    put_tag(out, number, BYTES);
    out.extend_from_slice(&[0; 5]);
    out.len()
}

/// Ends what [`open`] began. Overlong varints are legal protobuf and every decoder reads them.
pub fn close(out: &mut [u8], start: usize) {
    let mut length = out.len() - start;
    for i in 0..5 {
        let more = if i < 4 { 0x80 } else { 0 };
        out[start - 5 + i] = (length & 0x7f) as u8 | more;
        length >>= 7;
    }
}

fn take_varint(buf: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = buf.split_first()?;
        *buf = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(buf: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, rest) = buf.split_at_checked(n)?;
    *buf = rest;
    Some(head)
}

/// The next field of a message: its number and value. `None` at the end or on damaged bytes.
pub fn next<'a>(buf: &mut &'a [u8]) -> Option<(u32, Raw<'a>)> {
    if buf.is_empty() {
        return None;
    }
    let tag = take_varint(buf)?;
    let raw = match (tag & 7) as u8 {
        VARINT => Raw::Varint(take_varint(buf)?),
        FIXED64 => Raw::Fixed64(u64::from_le_bytes(take(buf, 8)?.try_into().ok()?)),
        FIXED32 => Raw::Fixed32(u32::from_le_bytes(take(buf, 4)?.try_into().ok()?)),
        BYTES => {
            let n = take_varint(buf)?;
            Raw::Bytes(take(buf, usize::try_from(n).ok()?)?)
        }
        _ => return None,
    };
    Some(((tag >> 3) as u32, raw))
}

/// All elements of a packed field.
pub fn unpack<'a>(mut buf: &'a [u8], wire_type: u8) -> impl Iterator<Item = Raw<'a>> {
    std::iter::from_fn(move || {
        if buf.is_empty() {
            return None;
        }
        match wire_type {
            FIXED64 => Some(Raw::Fixed64(u64::from_le_bytes(take(&mut buf, 8)?.try_into().ok()?))),
            FIXED32 => Some(Raw::Fixed32(u32::from_le_bytes(take(&mut buf, 4)?.try_into().ok()?))),
            _ => take_varint(&mut buf).map(Raw::Varint),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patched_length_reads_back_at_every_size() {
        for n in [0usize, 1, 127, 128, 20_000, 3_000_000] {
            let mut out = Vec::new();
            let start = open(&mut out, 3);
            out.resize(start + n, 7);
            close(&mut out, start);
            put_bytes(&mut out, 9, b"end");
            let mut buf = &out[..];
            match next(&mut buf) {
                Some((3, Raw::Bytes(b))) => assert_eq!(b.len(), n),
                other => panic!("{other:?}"),
            }
            assert!(matches!(next(&mut buf), Some((9, Raw::Bytes(b"end")))));
            assert!(next(&mut buf).is_none());
        }
    }
}
