//! Label Studio's brush masks: a bit stream of run lengths over RGBA bytes, of which only alpha counts.

use crate::mask::Bitmap;

/// Reads bits, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: u32) -> Result<u32, String> {
        let mut value = 0;
        for _ in 0..n {
            let byte = self.bytes.get(self.at / 8).ok_or("the brush mask is cut off")?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }
}

/// Unpacks a brush mask of the given size.
pub(crate) fn decode(bytes: &[u8], width: u32, height: u32) -> Result<Bitmap, String> {
    let mut bits = Bits { bytes, at: 0 };
    let n = bits.take(32)? as usize;
    let word = bits.take(5)? + 1;
    let mut lengths = [0; 4];
    for length in &mut lengths {
        *length = bits.take(4)? + 1;
    }
    let wanted = u64::from(width) * u64::from(height);
    if n as u64 != wanted * 4 || wanted > 100_000_000 {
        return Err(format!(
            "the brush mask has {n} bytes instead of 4 for each of {width} x {height} pixels"
        ));
    }
    let mut inside = Vec::with_capacity(n / 4);
    let mut i = 0;
    while i < n {
        let repeated = bits.take(1)? == 1;
        let selector = bits.take(2)? as usize;
        let run = bits.take(lengths[selector])? as usize + 1;
        let mut value = if repeated { bits.take(word)? } else { 0 };
        for j in i..(i + run).min(n) {
            if !repeated {
                value = bits.take(word)?;
            }
            if j % 4 == 3 {
                inside.push(value > 0);
            }
        }
        i += run;
    }
    Ok(Bitmap { width, height, inside })
}

/// Writes bits, most significant first.
#[derive(Default)]
struct BitsOut {
    bytes: Vec<u8>,
    used: usize,
}

impl BitsOut {
    fn put(&mut self, value: u32, n: u32) {
        for bit in (0..n).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }
}

/// Bits of the four run-length classes of [`encode`].
const LENGTHS: [u32; 4] = [3, 4, 8, 16];

/// Packs a brush mask: all four channels of a pixel are 255 inside and 0 outside.
pub(crate) fn encode(mask: &Bitmap) -> Vec<u8> {
    let mut out = BitsOut::default();
    out.put(mask.inside.len() as u32 * 4, 32);
    out.put(7, 5);
    for length in LENGTHS {
        out.put(length - 1, 4);
    }
    for (i, run) in mask.rows().iter().enumerate() {
        let value = if i % 2 == 1 { 255 } else { 0 };
        let mut left = u64::from(*run) * 4;
        while left > 0 {
            let part = left.min(1 << 16) as u32;
            let class = LENGTHS.iter().position(|bits| part <= 1 << bits).unwrap_or(3);
            out.put(1, 1);
            out.put(class as u32, 2);
            out.put(part - 1, LENGTHS[class]);
            out.put(value, 8);
            left -= u64::from(part);
        }
    }
    out.bytes
}
