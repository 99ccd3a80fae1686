//! Writes one small collection in every format below a folder, for `tools/check_readers.py`.
//!
//! `cargo run -p ocellus-interchange --example write_samples -- FOLDER`

use std::path::Path;

use ocellus_interchange::*;

const WIDTH: u32 = 200;
const HEIGHT: u32 = 100;

/// A plain picture; the readers of some formats open it.
fn picture(shade: u8) -> Vec<u8> {
    let image = image::RgbImage::from_pixel(WIDTH, HEIGHT, image::Rgb([shade, 90, 200]));
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).expect("a picture in memory can be encoded");
    png.into_inner()
}

/// The ground truth that `check_readers.py` knows as well: change both.
fn items() -> Vec<Item> {
    let named = |name: &str| vec![ConceptValue::positive(name)];
    let inside =
        (0..WIDTH * HEIGHT).map(|i| (i % WIDTH).abs_diff(150).pow(2) + (i / WIDTH).abs_diff(50).pow(2) < 400);
    let mask = Bitmap { width: WIDTH, height: HEIGHT, inside: inside.collect() };
    let base = |id: &str, split: &str| Item {
        id: id.to_owned(),
        file_name: format!("picture-{id}.png"),
        width: Some(WIDTH),
        height: Some(HEIGHT),
        split: Some(split.to_owned()),
        ..Item::default()
    };
    let triangle = [[0.1, 0.1], [0.6, 0.1], [0.1, 0.8]].map(Point::from).to_vec();
    let boxes = vec![
        Region::new(Shape::Box { left: 0.1, top: 0.2, right: 0.5, bottom: 0.8 }, named("dog")),
        Region::new(Shape::Box { left: 0.5, top: 0.0, right: 1.0, bottom: 1.0 }, named("cat & <co>")),
    ];
    let outlines = vec![
        Region::new(Shape::Polygon { rings: vec![triangle] }, named("dog")),
        Region::new(mask.into_shape(), named("dog")),
    ];
    let metadata = [("it's".to_owned(), "a \"quote\"".into())].into_iter().collect();
    vec![
        Item { regions: boxes, concepts: named("dog"), metadata, ..base("1", "train") },
        Item { regions: outlines, concepts: named("dog"), ..base("2", "test") },
        Item {
            concepts: named("cat & <co>"),
            geo: Some(Geo { longitude: 139.5, latitude: -35.25 }),
            ..base("3", "train")
        },
    ]
}

fn main() -> Result<()> {
    let Some(folder) = std::env::args().nth(1) else {
        return Err(Error::Unsupported("usage: write_samples FOLDER".to_owned()));
    };
    for format in Format::ALL {
        let mut sink = FolderSink::create(&Path::new(&folder).join(format.name()))?;
        let options = WriteOptions {
            concepts: vec![Concept::named("dog"), Concept::named("cat & <co>")],
            ..WriteOptions::default()
        };
        let mut writer = Writer::new(format, &mut sink, options)?;
        for (shade, item) in (100..).zip(items()) {
            writer.item(&item, Some(&mut picture(shade).as_slice()))?;
        }
        writer.finish()?;
    }
    Ok(())
}
