//! Bundles: made, taken in, and refused.
