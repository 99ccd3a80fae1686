//! Models asked in tensors.
