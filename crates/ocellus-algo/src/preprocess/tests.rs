//! Tests of preprocessing: by hand, and against Pillow.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::image::tests::picture;

fn spec(width: u32, height: u32, resize: Resize) -> Spec {
    Spec {
        width,
        height,
        resize,
        filter: Filter::Bilinear,
        channels: Channels::Rgb,
        layout: Layout::Nhwc,
        mean: [0.0; 3],
        std: [1.0; 3],
    }
}

#[test]
fn channels_layout_mean_and_deviation_are_as_the_spec_says() {
    let image = RgbImage::from_raw(2, 1, vec![10, 20, 30, 40, 50, 60]).unwrap();
    let base = Spec { mean: [10.0, 20.0, 30.0], std: [2.0, 5.0, 10.0], ..spec(2, 1, Resize::Stretch) };
    let cases: &[(Channels, Layout, [usize; 4], [f32; 6])] = &[
        (Channels::Rgb, Layout::Nhwc, [1, 1, 2, 3], [0.0, 0.0, 0.0, 15.0, 6.0, 3.0]),
        (Channels::Rgb, Layout::Nchw, [1, 3, 1, 2], [0.0, 15.0, 0.0, 6.0, 0.0, 3.0]),
        (Channels::Bgr, Layout::Nhwc, [1, 1, 2, 3], [10.0, 0.0, -2.0, 25.0, 6.0, 1.0]),
        (Channels::Bgr, Layout::Nchw, [1, 3, 1, 2], [10.0, 25.0, 0.0, 6.0, -2.0, 1.0]),
    ];
    for (channels, layout, shape, data) in cases {
        let spec = Spec { channels: *channels, layout: *layout, ..base.clone() };
        let tensor = apply(&spec, &image);
        assert_eq!((tensor.shape.as_slice(), tensor.data.as_slice()), (shape.as_slice(), data.as_slice()));
    }
}

#[test]
fn a_letterbox_keeps_the_aspect_ratio_and_fills_with_the_mean() {
    let image = RgbImage::from_pixel(8, 4, ::image::Rgb([200, 100, 50]));
    let spec = Spec { mean: [100.0; 3], std: [100.0; 3], ..spec(4, 4, Resize::Letterbox) };
    let tensor = apply(&spec, &image);
    let filled = [1.0, 0.0, -0.5].repeat(4);
    let empty = [0.0; 12];
    let rows: Vec<&[f32]> = tensor.data.chunks(12).collect();
    assert_eq!(rows, [&empty, filled.as_slice(), filled.as_slice(), &empty]);
}

#[test]
fn resampling_agrees_with_pillow_to_the_last_bit_but_one() {
    let golden: HashMap<String, Vec<f32>> =
        serde_json::from_str(include_str!("../../fixtures/golden/preprocess.json")).unwrap();
    let source = picture(64, 48);
    let cases = [
        ("stretch_bilinear", &source, Resize::Stretch, Filter::Bilinear),
        ("stretch_bicubic", &source, Resize::Stretch, Filter::Bicubic),
        ("stretch_lanczos3", &source, Resize::Stretch, Filter::Lanczos3),
        ("enlarge_bilinear", &picture(5, 4), Resize::Stretch, Filter::Bilinear),
    ];
    for (name, image, resize, filter) in cases {
        let tensor = apply(&Spec { filter, ..spec(8, 8, resize) }, image);
        check(&tensor.data, &golden[name], 1.0, name);
    }
    // Cutting before or after resampling differs only where the filter reaches over the cut.
    let cropped = apply(&spec(8, 8, Resize::CenterCrop { resize_short: 12 }), &source);
    check(&cropped.data, &golden["center_crop"], 16.0, "center_crop");
    let inner = |data: &[f32]| -> Vec<f32> {
        (1..7).flat_map(|y| data[(y * 8 + 1) * 3..(y * 8 + 7) * 3].to_vec()).collect()
    };
    check(&inner(&cropped.data), &inner(&golden["center_crop"]), 1.0, "center_crop inside");
}

fn check(actual: &[f32], expected: &[f32], tolerance: f32, name: &str) {
    assert_eq!(actual.len(), expected.len(), "{name}");
    let worst = actual.iter().zip(expected).map(|(a, e)| (a - e).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{name}: off by {worst}");
}

#[test]
fn a_spec_is_read_from_a_models_description() {
    let text = r#"{"width": 224, "height": 224, "resize": {"center_crop": {"resize_short": 256}}, "filter": "bicubic",
        "channels": "rgb", "layout": "nchw", "mean": [127, 127, 127], "std": [128, 128, 128]}"#;
    let read: Spec = serde_json::from_str(text).unwrap();
    assert_eq!(read.resize, Resize::CenterCrop { resize_short: 256 });
    let again: Spec = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
    assert_eq!(again, read);
    assert!(serde_json::from_str::<Spec>(&text.replace("\"width\"", "\"breadth\"")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_image_gives_a_tensor_of_the_models_shape_within_the_range_of_its_pixels(
        width in 1u32..90, height in 1u32..90, which in 0usize..3, planes: bool,
    ) {
        let resize = [Resize::Stretch, Resize::CenterCrop { resize_short: 16 }, Resize::Letterbox][which];
        let layout = if planes { Layout::Nchw } else { Layout::Nhwc };
        let image = RgbImage::from_fn(width, height, |x, y| ::image::Rgb([(x % 2 * 255) as u8, (y % 2 * 255) as u8, 90]));
        let spec = Spec { layout, mean: [127.5; 3], std: [127.5; 3], ..spec(12, 10, resize) };
        let tensor = apply(&spec, &image);
        prop_assert_eq!(tensor.shape.iter().product::<usize>(), tensor.data.len());
        prop_assert_eq!(tensor.data.len(), 360);
        prop_assert!(tensor.data.iter().all(|v| (-1.0..=1.0).contains(v)));
    }

    #[test]
    fn an_image_of_one_colour_stays_of_one_colour(
        width in 1u32..60, height in 1u32..60, color: [u8; 3], which in 0usize..2,
    ) {
        let resize = [Resize::Stretch, Resize::CenterCrop { resize_short: 9 }][which];
        let image = RgbImage::from_pixel(width, height, ::image::Rgb(color));
        let tensor = apply(&spec(7, 8, resize), &image);
        for pixel in tensor.data.chunks(3) {
            prop_assert_eq!(pixel, color.map(f32::from));
        }
    }
}

#[test]
fn a_place_on_the_canvas_is_found_again_in_the_image() {
    let spec = |resize| Spec {
        width: 100,
        height: 100,
        resize,
        filter: Filter::Bilinear,
        channels: Channels::Rgb,
        layout: Layout::Nchw,
        mean: [0.0; 3],
        std: [1.0; 3],
    };
    // An image of 400 x 200: on the canvas it is 100 x 50 from line 25 on, or 200 x 100 of which the middle is left.
    let table = [
        (Resize::Stretch, (50.0, 25.0), (0.5, 0.25)),
        (Resize::Letterbox, (50.0, 25.0), (0.5, 0.0)),
        (Resize::Letterbox, (100.0, 75.0), (1.0, 1.0)),
        (Resize::Letterbox, (0.0, 0.0), (0.0, -0.5)),
        (Resize::CenterCrop { resize_short: 100 }, (0.0, 0.0), (0.25, 0.0)),
        (Resize::CenterCrop { resize_short: 100 }, (100.0, 50.0), (0.75, 0.5)),
    ];
    for (resize, at, expected) in table {
        let found = to_image(&spec(resize), (400, 200), at);
        assert!(
            (found.0 - expected.0).abs() < 1e-6 && (found.1 - expected.1).abs() < 1e-6,
            "{resize:?} {found:?}"
        );
    }
}
