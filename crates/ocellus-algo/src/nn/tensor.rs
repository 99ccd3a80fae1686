//! A dense array of numbers with a shape.

use crate::error::{Error, Result};

/// Numbers in row-major order; `data.len()` is the product of `shape`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Size of each axis.
    pub shape: Vec<usize>,
    /// The numbers, the last axis fastest.
    pub data: Vec<f32>,
}

impl Tensor {
    /// A tensor of that shape.
    ///
    /// # Errors
    /// `BadInput` if the number of numbers does not fit the shape.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Result<Tensor> {
        if shape.iter().product::<usize>() != data.len() {
            return Err(Error::BadInput(format!(
                "a tensor of shape {shape:?} cannot hold {} numbers",
                data.len()
            )));
        }
        Ok(Tensor { shape, data })
    }

    /// Joins tensors along their first axis, so that single images become a batch.
    ///
    /// # Errors
    /// `BadInput` if there are none or they differ in any other axis.
    pub fn stack(items: &[Tensor]) -> Result<Tensor> {
        let inner = items.first().and_then(|t| t.shape.get(1..));
        let Some(inner) = inner.filter(|inner| items.iter().all(|t| t.shape.get(1..) == Some(inner))) else {
            let shapes: Vec<&[usize]> = items.iter().map(|t| t.shape.as_slice()).collect();
            return Err(Error::BadInput(format!("tensors of shapes {shapes:?} cannot be stacked")));
        };
        let mut shape = vec![items.iter().map(|t| t.shape[0]).sum()];
        shape.extend_from_slice(inner);
        let mut data = Vec::with_capacity(shape.iter().product());
        for item in items {
            data.extend_from_slice(&item.data);
        }
        Ok(Tensor { shape, data })
    }

    /// The reverse of `stack`: one tensor per entry of the first axis, which keeps size 1 in each. A tensor without
    /// axes is returned as it is.
    pub fn split(self) -> Vec<Tensor> {
        let Some((&n, inner)) = self.shape.split_first() else {
            return vec![self];
        };
        if n == 1 {
            return vec![self];
        }
        let mut shape = vec![1];
        shape.extend_from_slice(inner);
        let len = inner.iter().product::<usize>();
        (0..n)
            .map(|i| Tensor { shape: shape.clone(), data: self.data[i * len..(i + 1) * len].to_vec() })
            .collect()
    }
}
