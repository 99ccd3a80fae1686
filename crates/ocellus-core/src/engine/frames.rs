//! What a server and the process of a model say to each other: JSON heads, each followed by bare numbers.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::PathBuf;

use ocellus_algo::nn::Tensor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest head, in bytes.
const MAX_HEAD: u32 = 1 << 20;
/// The most numbers that follow a head.
const MAX_NUMBERS: usize = 1 << 28;
/// Numbers turned into bytes at once.
const CHUNK: usize = 1 << 14;

/// What the server asks.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    /// To be the process of this model from now on.
    Open {
        /// The inference runtime.
        library: PathBuf,
        /// The weights.
        model: PathBuf,
        /// Threads that work on one tensor.
        threads: usize,
        /// How much memory may be taken.
        memory_bytes: u64,
    },
    /// To run the tensor that follows.
    Run(Vec<usize>),
}

/// What the process answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is the process of the model.
    Opened,
    /// The tensors of these shapes follow.
    Ran(Vec<Vec<usize>>),
    /// It went wrong: whether by what was given, and how.
    Failed(bool, String),
}

/// Sends a head and the numbers of tensors.
pub fn send(out: &mut impl Write, head: &impl Serialize, tensors: &[&Tensor]) -> Result<()> {
    let head = serde_json::to_vec(head).map_err(Error::other)?;
    let n = u32::try_from(head.len()).map_err(Error::other)?;
    out.write_all(&n.to_le_bytes())?;
    out.write_all(&head)?;
    let mut bytes = Vec::with_capacity(CHUNK * 4);
    for numbers in tensors.iter().flat_map(|tensor| tensor.data.chunks(CHUNK)) {
        bytes.clear();
        bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    out.flush()
}

/// Receives a head. `UnexpectedEof` when the other side is gone.
pub fn receive<T: DeserializeOwned>(from: &mut impl Read) -> Result<T> {
    let mut n = [0; 4];
    from.read_exact(&mut n)?;
    let n = u32::from_le_bytes(n);
    if n > MAX_HEAD {
        return Err(Error::new(ErrorKind::InvalidData, "the head is too long"));
    }
    let mut head = vec![0; n as usize];
    from.read_exact(&mut head)?;
    serde_json::from_slice(&head).map_err(Error::other)
}

/// Receives the numbers of a tensor.
pub fn receive_tensor(from: &mut impl Read, shape: Vec<usize>) -> Result<Tensor> {
    let n = shape.iter().try_fold(1_usize, |n, size| n.checked_mul(*size));
    let n = n.filter(|n| *n <= MAX_NUMBERS);
    let mut left = n.ok_or_else(|| Error::new(ErrorKind::InvalidData, "the tensor is too large"))?;
    // Room is made as the numbers come: a size that is only claimed costs nothing.
    let mut data = Vec::new();
    let mut bytes = vec![0; CHUNK * 4];
    while left > 0 {
        let part = left.min(CHUNK);
        from.read_exact(&mut bytes[..part * 4])?;
        let numbers = bytes[..part * 4].as_chunks::<4>().0;
        data.extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        left -= part;
    }
    Ok(Tensor { shape, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        let tensors = [
            Tensor { shape: vec![1, 2], data: vec![1.5, -2.0] },
            Tensor { shape: vec![CHUNK + 1], data: vec![0.25; CHUNK + 1] },
            Tensor { shape: vec![0, 4], data: Vec::new() },
        ];
        let mut bytes = Vec::new();
        let shapes: Vec<_> = tensors.iter().map(|t| t.shape.clone()).collect();
        send(&mut bytes, &Answer::Ran(shapes), &tensors.iter().collect::<Vec<_>>()).unwrap();
        let mut from = bytes.as_slice();
        let Answer::Ran(shapes) = receive(&mut from).unwrap() else { panic!("another answer") };
        let back: Vec<_> = shapes.into_iter().map(|s| receive_tensor(&mut from, s).unwrap()).collect();
        assert_eq!(back, tensors);
    }

    #[test]
    fn claims_of_a_process_that_went_wrong_are_not_believed() {
        assert!(receive::<Answer>(&mut &[255_u8; 8][..]).is_err());
        assert!(receive::<Answer>(&mut &[4, 0, 0, 0, b'n', b'o', b'n', b'e'][..]).is_err());
        for shape in [vec![usize::MAX, 3], vec![1 << 40], vec![1 << 20]] {
            assert!(receive_tensor(&mut &[0_u8; 64][..], shape).is_err());
        }
    }
}
