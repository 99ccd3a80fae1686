//! Tensors as bytes: the form of gRPC's `raw_*_contents` and of the extension for binary data over REST. Numbers are
//! little-endian; texts and files have their length before them.

use bytes::{Buf, Bytes};
use ocellus_core::tensors::Values;
use ocellus_core::{Error, Result};

/// The values in the bytes; `n` of them must be there.
pub fn read(datatype: &str, mut bytes: Bytes, n: usize) -> Result<Values> {
    let wrong = || Error::invalid("inputs", format!("must have {n} values of {datatype} in its bytes"));
    match datatype {
        "FP32" => {
            let (numbers, rest) = bytes.as_chunks::<4>();
            if numbers.len() != n || !rest.is_empty() {
                return Err(wrong());
            }
            Ok(Values::F32(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
        }
        "UINT8" => match bytes.len() == n {
            true => Ok(Values::F32(bytes.iter().map(|byte| f32::from(*byte)).collect())),
            false => Err(wrong()),
        },
        "BYTES" => {
            let mut files = Vec::new();
            while bytes.has_remaining() {
                if files.len() >= n || bytes.remaining() < 4 {
                    return Err(wrong());
                }
                let len = bytes.get_u32_le() as usize;
                if bytes.remaining() < len {
                    return Err(wrong());
                }
                files.push(bytes.split_to(len));
            }
            if files.len() == n { Ok(Values::Bytes(files)) } else { Err(wrong()) }
        }
        other => Err(unknown(other)),
    }
}

/// The values as bytes.
pub fn write(values: &Values) -> Bytes {
    match values {
        Values::F32(numbers) => numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>().into(),
        Values::U64(numbers) => numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>().into(),
        Values::Bytes(texts) => {
            let mut bytes = Vec::new();
            for text in texts {
                bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                bytes.extend_from_slice(text);
            }
            bytes.into()
        }
    }
}

/// The name of a kind of values.
pub fn datatype(values: &Values) -> &'static str {
    match values {
        Values::F32(_) => "FP32",
        Values::U64(_) => "UINT64",
        Values::Bytes(_) => "BYTES",
    }
}

/// The error for values that no model takes.
pub fn unknown(datatype: &str) -> Error {
    Error::invalid("inputs", format!("must be FP32, UINT8 or BYTES, not '{datatype}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_does_not_fit_is_refused() {
        let table = [
            ("FP32", 2, Values::F32(vec![1.5, -2.0])),
            ("BYTES", 2, Values::Bytes(vec![Bytes::from_static(b"ab"), Bytes::new()])),
        ];
        for (name, n, values) in table {
            let bytes = write(&values);
            assert_eq!(datatype(&values), name);
            assert_eq!(read(name, bytes.clone(), n).unwrap(), values);
            assert!(read(name, bytes.clone(), n + 1).is_err());
            assert!(read(name, bytes.slice(..bytes.len() - 1), n).is_err());
        }
        assert_eq!(read("UINT8", Bytes::from_static(&[0, 255]), 2).unwrap(), Values::F32(vec![0.0, 255.0]));
        assert!(read("BYTES", Bytes::from_static(&[255; 4]), 1).is_err());
        assert!(read("FP64", Bytes::new(), 0).is_err());
    }
}
