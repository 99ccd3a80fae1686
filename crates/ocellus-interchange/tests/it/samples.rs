//! Collections as other tools write them: what is read from them, and what is reported.

use ocellus_interchange::*;
use serde_json::json;

use crate::{is_close, read_all};

fn files(contents: &[(&str, &str)]) -> MemoryFiles {
    let mut files = MemoryFiles::default();
    contents.iter().for_each(|(path, content)| files.insert(path, *content));
    files
}

fn read_sample(format: Format, contents: &[(&str, &str)]) -> (Vec<Item>, Summary) {
    read_all(format, &files(contents), &ReadOptions::default())
}

fn names(concepts: &[ConceptValue]) -> Vec<&str> {
    concepts.iter().map(|concept| concept.name.as_str()).collect()
}

fn check_box(region: &Region, wanted: [f64; 4]) {
    let [left, top, right, bottom] = wanted;
    assert!(is_close(&region.shape, &Shape::Box { left, top, right, bottom }, 1e-9), "{:?}", region.shape);
}

#[test]
fn folders_give_split_and_concept_even_inside_a_wrapping_folder() {
    let (items, summary) = read_sample(
        Format::Folder,
        &[
            ("pets/train/cat/1.JPG", ""),
            ("pets/train/cat/deep/er/2.png", ""),
            ("pets/valid/dog/1.jpg", ""),
            ("pets/readme.txt", ""),
            ("__MACOSX/pets/._1.jpg", ""),
        ],
    );
    let found: Vec<_> =
        items.iter().map(|item| (item.id.as_str(), item.split.as_deref(), names(&item.concepts))).collect();
    assert_eq!(
        found,
        [
            ("train-cat-1", Some("train"), vec!["cat"]),
            ("train-cat-deep-er-2", Some("train"), vec!["cat"]),
            ("valid-dog-1", Some("val"), vec!["dog"]),
        ]
    );
    assert_eq!(summary.report.skipped[0].place.file, "pets/readme.txt");
    let (items, _) = read_sample(Format::Folder, &[("loose.jpg", ""), ("cat/1.jpg", "")]);
    assert_eq!(items.iter().map(|item| item.concepts.len()).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn coco_is_read_with_categories_at_the_end_and_broken_entries_reported() {
    // The runs are pycocotools' own text of a 2 x 3 mask with the second column inside.
    let coco = r#"{"info": {"x": "a \" ] }"}, "images": [
        {"id": 9, "file_name": "a.jpg", "width": 100, "height": 50, "license": 1},
        {"id": "t", "file_name": "sub/b.jpg", "width": 2, "height": 3, "coco_url": "http://x/b.jpg"}],
      "annotations": [
        {"id": 1, "image_id": 9, "category_id": 18, "bbox": [10, 5, 20, 10], "area": 200, "iscrowd": 0},
        {"id": 2, "image_id": 9, "category_id": 18, "bbox": [0,0,1,1], "segmentation": [[0,0,50,0,50,25]], "iscrowd": 0},
        {"id": 3, "image_id": "t", "category_id": 1, "segmentation": {"size": [3, 2], "counts": [3, 3]}, "iscrowd": 1},
        {"id": 4, "image_id": 9, "category_id": 77, "bbox": [0,0,1,1]},
        {"id": 5, "image_id": 1234, "category_id": 1, "bbox": [0,0,1,1]},
        {"id": 6, "image_id": 9, "category_id": 1, "segmentation": {"size": [3, 2], "counts": [3, 4]}}],
      "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}, {"id": 1, "name": "person"}]}"#;
    let (items, summary) =
        read_sample(Format::Coco, &[("annotations/instances_val2017.json", coco), ("val2017/a.jpg", "")]);
    assert_eq!(summary.concepts, [Concept::named("dog"), Concept::named("person")]);
    assert_eq!((items[0].id.as_str(), items[0].split.as_deref()), ("9", Some("val")));
    assert_eq!(items[0].content, Content::File("val2017/a.jpg".to_owned()));
    assert_eq!(items[1].content, Content::Url("http://x/b.jpg".to_owned()));
    check_box(&items[0].regions[0], [0.1, 0.1, 0.3, 0.3]);
    let ring = vec![[0.0, 0.0].into(), [0.5, 0.0].into(), [0.5, 0.5].into()];
    assert_eq!(items[0].regions[1].shape, Shape::Polygon { rings: vec![ring] });
    assert_eq!(
        items[1].regions[0].shape,
        Shape::MaskRle { width: 2, height: 3, runs: vec![1, 1, 1, 1, 1, 1] }
    );
    assert_eq!(items[1].regions[0].metadata["iscrowd"], true);
    let reasons: Vec<String> =
        summary.report.skipped.iter().map(|s| format!("{}: {}", s.place, s.reason)).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    for (reason, wanted) in
        reasons.iter().zip(["annotation 4: category 77", "annotation 6: the runs", "annotation 5: its image"])
    {
        assert!(reason.contains(wanted), "{reason}");
    }
}

#[test]
fn broken_json_is_an_error_that_names_the_file() {
    for (text, wanted) in
        [("{\"images\": [{\"id\": 1", "cut off"), ("{]", "key was expected"), ("{\"a\" 1}", "colon")]
    {
        let result =
            read(Format::Coco, &files(&[("c.json", text)]), &ReadOptions::default(), &mut |_| Ok(()));
        let message = result.unwrap_err().to_string();
        assert!(message.contains("c.json") && message.contains(wanted), "{message}");
    }
}

#[test]
fn voc_is_read_from_the_development_kits_layout() {
    let xml = r#"<annotation><folder>VOC2007</folder><filename>000005.jpg</filename>
        <source><database>The VOC2007 Database</database></source>
        <size><width>500</width><height>375</height><depth>3</depth></size>
        <object><name>chair</name><pose>Rear</pose><truncated>0</truncated><difficult>1</difficult>
          <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>250</xmax><ymax>375</ymax></bndbox></object>
        <object><name>R&amp;D &lt;&#65;&gt;</name><bndbox><xmin>x</xmin><ymin>1</ymin><xmax>2</xmax><ymax>3</ymax></bndbox></object>
        </annotation>"#;
    let (items, summary) = read_sample(
        Format::Voc,
        &[
            ("VOC2007/Annotations/000005.xml", xml),
            ("VOC2007/Annotations/broken.xml", "<annotation><a></b>"),
            ("VOC2007/ImageSets/Main/val.txt", "000005\n"),
            ("VOC2007/ImageSets/Main/trainval.txt", "000005\n"),
            ("VOC2007/JPEGImages/000005.jpg", ""),
        ],
    );
    assert_eq!(items.len(), 1);
    assert_eq!((items[0].id.as_str(), items[0].split.as_deref()), ("000005", Some("val")));
    assert_eq!(items[0].content, Content::File("VOC2007/JPEGImages/000005.jpg".to_owned()));
    check_box(&items[0].regions[0], [0.0, 0.0, 0.5, 1.0]);
    let metadata = json!({"difficult": true, "pose": "Rear"});
    assert_eq!(Some(&items[0].regions[0].metadata), metadata.as_object());
    assert_eq!(summary.report.n_skipped, 2, "{:?}", summary.report.skipped);
}

#[test]
fn xml_that_expands_itself_is_refused() {
    let bomb = r#"<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><annotation><filename>&y;</filename></annotation>"#;
    let (items, summary) = read_sample(Format::Voc, &[("a.xml", bomb)]);
    assert!(items.is_empty());
    assert!(summary.report.skipped[0].reason.contains("entity"), "{:?}", summary.report.skipped);
}

#[test]
fn yolo_is_read_from_both_usual_layouts() {
    let label = "0 0.5 0.5 0.2 0.4\n1 0 0 1 0 0.5 0.5\n7 0.5 0.5 0.1 0.1\n0 50 50 20 40\n0 0.5\n0 0.5 0.5 0.2 0.4 0.25\n";
    let layouts: [&[(&str, &str)]; 3] = [
        &[
            ("d/data.yaml", "path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n"),
            ("d/images/train/a.jpg", ""),
            ("d/labels/train/a.txt", label),
        ],
        &[
            ("data.yaml", "train: ../train/images\nval: ../valid/images\nnames:\n  0: cat\n  1: dog\n"),
            ("train/images/a.jpg", ""),
            ("train/labels/a.txt", label),
        ],
        &[
            ("data.yaml", "train: train.txt\nnames: {0: cat, 1: dog}\n"),
            ("train.txt", "./images/a.jpg\n"),
            ("images/a.jpg", ""),
            ("labels/a.txt", label),
        ],
    ];
    for layout in layouts {
        let (items, summary) = read_sample(Format::Yolo, layout);
        assert_eq!(items.len(), 1, "{layout:?} {:?}", summary.report);
        assert_eq!(items[0].split.as_deref(), Some("train"));
        let regions = &items[0].regions;
        check_box(&regions[0], [0.4, 0.3, 0.6, 0.7]);
        assert_eq!(names(&regions[1].concepts), ["dog"]);
        assert!(matches!(&regions[1].shape, Shape::Polygon { rings } if rings[0].len() == 3));
        assert_eq!(regions[2].concepts[0].value, 0.25);
        assert_eq!(summary.report.n_skipped, 3, "{:?}", summary.report.skipped);
        assert_eq!(summary.report.skipped[0].place.line, Some(3));
    }
}

#[test]
fn the_vendors_csv_is_read_as_its_sdk_does() {
    let csv = "inputid,input,concepts,metadata,geopoints\n\
        \"1\",\"https://x.org/a.jpg\",\"cat,dog\",\"{'k': 'v', 'n': 1}\",\"139.5,-35.25\"\n\
        \"2\",\"imgs/b.jpg\",\"\",\"\",\"\"\n\
        \"3\",\"gone.jpg\",\"cat\",\"{'k'\",\"\"\n\
        \"4\",\"gone.jpg\",\"cat\",\"\",\"1;2\"\n";
    let (items, summary) = read_sample(Format::Csv, &[("inputs.csv", csv), ("imgs/b.jpg", "")]);
    assert_eq!(items[0].content, Content::Url("https://x.org/a.jpg".to_owned()));
    assert_eq!(names(&items[0].concepts), ["cat", "dog"]);
    assert_eq!(Some(&items[0].metadata), json!({"k": "v", "n": 1}).as_object());
    assert_eq!(items[0].geo, Some(Geo { longitude: 139.5, latitude: -35.25 }));
    assert_eq!(items[1].content, Content::File("imgs/b.jpg".to_owned()));
    let lines: Vec<_> = summary.report.skipped.iter().map(|skipped| skipped.place.line).collect();
    assert_eq!(lines, [Some(4), Some(5)], "{:?}", summary.report.skipped);
}

#[test]
fn a_foreign_csv_is_read_by_its_header_or_by_a_mapping() {
    let csv = "filename,width,height,class,xmin,ymin,xmax,ymax,Camera\n\
        a.jpg,100,50,cat,10,5,20,10,left\na.jpg,100,50,dog,0,0,100,50,left\nb.jpg,100,50,cat,x,0,1,1,right\n";
    let (items, summary) = read_sample(Format::Csv, &[("l.csv", csv)]);
    assert_eq!((items.len(), summary.report.n_skipped), (1, 1));
    assert_eq!((items[0].id.as_str(), items[0].regions.len()), ("a", 2), "{items:?}");
    check_box(&items[0].regions[0], [0.1, 0.1, 0.2, 0.2]);
    assert_eq!(items[0].metadata["Camera"], "left");
    let columns = CsvColumns {
        input: Some("Bild".to_owned()),
        concepts: Some("Art".to_owned()),
        ..CsvColumns::default()
    };
    let csv = CsvOptions {
        columns: Some(columns),
        delimiter: Some(b';'),
        concept_separator: Some('|'),
        ..CsvOptions::default()
    };
    let options = ReadOptions { csv, ..ReadOptions::default() };
    let table = files(&[("t.csv", "Bild;Art;Rest\nhttp://x/1.jpg;Katze|Hund;z\n")]);
    let (items, _) = read_all(Format::Csv, &table, &options);
    assert_eq!(names(&items[0].concepts), ["Katze", "Hund"]);
    assert!(items[0].metadata.is_empty());
    let none = files(&[("t.csv", "a,b\n1,2\n")]);
    let error = read(Format::Csv, &none, &ReadOptions::default(), &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("no column"), "{error}");
}

#[test]
fn mvtec_is_read_with_categories_and_masks() {
    let (items, summary) = read_sample(
        Format::Mvtec,
        &[
            ("bottle/train/good/000.png", ""),
            ("bottle/test/good/000.png", ""),
            ("bottle/test/broken_large/000.png", ""),
            ("bottle/ground_truth/broken_large/000_mask.png", "png"),
            ("bottle/ground_truth/broken_large/009_mask.png", "png"),
            ("bottle/readme.txt", ""),
        ],
    );
    assert_eq!(items.len(), 3);
    let broken = &items[0];
    assert_eq!((names(&broken.concepts), broken.split.as_deref()), (vec!["broken_large"], Some("test")));
    assert_eq!(broken.regions[0].shape, Shape::MaskPng { png: b"png".to_vec() });
    assert_eq!(broken.metadata["category"], "bottle");
    assert_eq!(summary.report.n_skipped, 1, "{:?}", summary.report.skipped);
}

#[test]
fn label_studio_is_read_with_every_kind_of_result() {
    let tasks = json!([{
        "id": 5, "data": {"image": "/data/local-files/?d=set/a.jpg", "batch": 3}, "meta": {"k": "v"},
        "annotations": [{"was_cancelled": false, "result": [
            {"id": "x", "type": "rectanglelabels", "original_width": 200, "original_height": 100,
             "value": {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0, "rotation": 0, "rectanglelabels": ["cat"]}},
            {"id": "t", "type": "rectanglelabels", "original_width": 200, "original_height": 100,
             "value": {"x": 50.0, "y": 50.0, "width": 10.0, "height": 10.0, "rotation": 90, "rectanglelabels": ["cat"]}},
            {"id": "p", "type": "polygonlabels", "value": {"points": [[0, 0], [50, 0], [50, 100]], "polygonlabels": ["dog"]}},
            {"id": "k", "type": "keypointlabels", "value": {"x": 25, "y": 75, "width": 1, "keypointlabels": ["eye"]}},
            {"id": "c", "type": "choices", "value": {"choices": ["indoor", "night"]}},
            {"id": "e", "type": "ellipselabels", "value": {"x": 1, "y": 1, "radiusX": 1, "radiusY": 1, "ellipselabels": ["o"]}}
        ]}, {"was_cancelled": true, "result": []}], "predictions": []
    }]);
    let (items, summary) =
        read_sample(Format::LabelStudio, &[("export.json", &tasks.to_string()), ("set/a.jpg", "")]);
    let item = &items[0];
    assert_eq!(
        (item.id.as_str(), item.width, &item.content),
        ("5", Some(200), &Content::File("set/a.jpg".to_owned()))
    );
    assert_eq!(names(&item.concepts), ["indoor", "night"]);
    assert_eq!(Some(&item.metadata), json!({"k": "v", "batch": 3}).as_object());
    check_box(&item.regions[0], [0.1, 0.2, 0.4, 0.6]);
    // Turned by 90 degrees about its top left corner (100, 50): 20 x 10 pixels hang down to the left.
    let turned = [[0.5, 0.5], [0.5, 0.7], [0.45, 0.7], [0.45, 0.5]].map(Point::from).to_vec();
    assert!(
        is_close(&item.regions[1].shape, &Shape::Polygon { rings: vec![turned] }, 1e-9),
        "{:?}",
        item.regions[1]
    );
    assert_eq!(item.regions[3].shape, Shape::Point { x: 0.25, y: 0.75 });
    assert_eq!(summary.report.n_skipped, 1, "{:?}", summary.report.skipped);
    assert!(summary.report.skipped[0].place.to_string().contains("result e"));
}

#[test]
fn cvat_is_read_with_tags_attributes_and_masks() {
    let xml = r#"<?xml version="1.0"?><annotations><version>1.1</version><meta><task><labels>
        <label><name>car</name><attributes></attributes></label><label><name>sunny</name></label></labels></task></meta>
      <image id="3" name="sub/a.jpg" subset="Train" width="100" height="50">
        <tag label="sunny" source="manual"></tag>
        <box label="car" occluded="1" xtl="10.00" ytl="5.00" xbr="20.00" ybr="10.00" z_order="2"><attribute name="colour">red</attribute></box>
        <points label="car" occluded="0" points="10,10;20,20" z_order="0"/>
        <mask label="car" occluded="0" rle="1, 2, 1" left="98" top="48" width="2" height="2" z_order="0"></mask>
        <polyline label="car" points="1,1;2,2"/>
      </image><track id="0" label="car"/></annotations>"#;
    let (items, summary) =
        read_sample(Format::Cvat, &[("annotations.xml", xml), ("images/Train/sub/a.jpg", "")]);
    let item = &items[0];
    assert_eq!(
        (item.id.as_str(), item.split.as_deref(), names(&item.concepts)),
        ("3", Some("train"), vec!["sunny"])
    );
    assert_eq!(item.content, Content::File("images/Train/sub/a.jpg".to_owned()));
    check_box(&item.regions[0], [0.1, 0.1, 0.2, 0.2]);
    let metadata = json!({"colour": "red", "occluded": "1", "z_order": "2"});
    assert_eq!(Some(&item.regions[0].metadata), metadata.as_object());
    assert_eq!(item.regions.len(), 4);
    let mask = Bitmap::of(&item.regions[3].shape).unwrap().unwrap();
    let inside: Vec<usize> = (0..5000).filter(|i| mask.inside[*i]).collect();
    assert_eq!(inside, [48 * 100 + 99, 49 * 100 + 98]);
    assert_eq!(summary.report.n_skipped, 2, "{:?}", summary.report.skipped);
    assert_eq!(summary.concepts.len(), 2);
}

#[test]
fn manifest_lines_of_both_clouds_are_read() {
    let manifest = [
        json!({"source-ref": "s3://b/a.jpg", "boxes": {"image_size": [{"width": 100, "height": 50, "depth": 3}],
            "annotations": [{"class_id": 1, "left": 10, "top": 5, "width": 10, "height": 5}]},
            "boxes-metadata": {"objects": [{"confidence": 0.5}], "class-map": {"1": "dog"}, "type": "groundtruth/object-detection"}}),
        json!({"source-ref": "s3://b/b.jpg", "label": 0,
            "label-metadata": {"class-name": "cat", "confidence": 0.75, "type": "groundtruth/image-classification"}}),
        json!({"source-ref": "s3://b/c.jpg", "m-ref": "s3://b/m.png", "m-metadata": {"type": "groundtruth/semantic-segmentation"}}),
        json!({"x": 1}),
    ];
    let manifest: String = manifest.iter().map(|line| format!("{line}\n")).collect();
    let (items, summary) =
        read_sample(Format::GroundTruth, &[("output.manifest", &manifest), ("b/b.jpg", "")]);
    check_box(&items[0].regions[0], [0.1, 0.1, 0.2, 0.2]);
    assert_eq!(items[0].regions[0].concepts[0].value, 0.5);
    assert_eq!((names(&items[1].concepts), items[1].concepts[0].value), (vec!["cat"], 0.75));
    assert_eq!((items.len(), summary.report.n_skipped), (3, 2), "{:?}", summary.report.skipped);

    let lines = [
        json!({"imageGcsUri": "gs://b/a.jpg", "boundingBoxAnnotations": [{"displayName": "dog", "xMin": "0.1", "yMin": 0.1, "xMax": 1, "yMax": 1}]}),
        json!({"imageGcsUri": "gs://b/a.jpg", "classificationAnnotation": {"displayName": "cat"},
            "dataItemResourceLabels": {"aiplatform.googleapis.com/ml_use": "validation"}}),
        json!({"textContent": "abc", "textSegmentAnnotations": [{"startOffset": 1, "endOffset": 3, "displayName": "x"}]}),
    ];
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let (items, summary) = read_sample(Format::Vertex, &[("import.jsonl", &lines)]);
    assert_eq!((items.len(), summary.report.n_skipped), (2, 1), "{:?}", summary.report.skipped);
    assert_eq!((items[0].split.as_deref(), names(&items[0].concepts)), (Some("val"), vec!["cat"]));
    assert_eq!((items[1].spans[0].start, items[1].spans[0].end), (1, 3));
}

#[test]
fn json_lines_without_their_header_or_of_a_later_version_are_refused() {
    for header in ["{\"id\":\"a\"}", "{\"format\":\"ocellus-collection\",\"version\":2}", "text"] {
        let collection = files(&[("c.jsonl", header)]);
        assert!(
            read(Format::JsonLines, &collection, &ReadOptions::default(), &mut |_| Ok(())).is_err(),
            "{header}"
        );
    }
    let lines = "{\"format\":\"ocellus-collection\",\"version\":1}\n{\"id\":\"a\"}\n{broken\n\n{\"id\":\"b\",\"content\":{\"file\":\"i/b.jpg\"}}\n";
    let (items, summary) = read_sample(Format::JsonLines, &[("sub/c.jsonl", lines)]);
    assert_eq!(items.len(), 2);
    assert_eq!(items[1].content, Content::File("sub/i/b.jpg".to_owned()));
    assert_eq!(summary.report.skipped[0].place.line, Some(3));
}

#[test]
fn a_record_over_the_limit_is_reported_or_an_error_and_never_held() {
    let limits = Limits { max_record_bytes: 200, ..Limits::default() };
    let long = "x".repeat(1000);
    let lines = format!(
        "{{\"format\":\"ocellus-collection\",\"version\":1}}\n{{\"id\":\"{long}\"}}\n{{\"id\":\"b\"}}\n"
    );
    let collection = files(&[("c.jsonl", &lines)]).with_limits(limits.clone());
    let (items, summary) = read_all(Format::JsonLines, &collection, &ReadOptions::default());
    assert_eq!((items.len(), summary.report.n_skipped), (1, 1));
    let coco = format!("{{\"images\":[{{\"id\":\"{long}\"}}]}}");
    let collection = files(&[("c.json", &coco)]).with_limits(limits);
    let result = read(Format::Coco, &collection, &ReadOptions::default(), &mut |_| Ok(()));
    assert!(matches!(result, Err(Error::Limit { .. })));
}

#[test]
fn the_table_for_the_documents_names_every_format() {
    let table = capabilities_markdown();
    for format in Format::ALL {
        assert!(table.contains(&format!("| {} |", format.name())));
        assert_eq!(Format::from_name(format.name()), Some(format));
    }
}
