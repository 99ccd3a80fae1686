//! Vector arithmetic.
pub fn l2_normalize(_v: &mut [f32]) {
    todo!()
}
pub fn cosine(_a: &[f32], _b: &[f32]) -> f32 {
    todo!()
}
pub fn softmax(_logits: &[f32]) -> Vec<f32> {
    todo!()
}
