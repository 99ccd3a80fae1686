//! One file per format: its reader and, where it has one, its writer.

pub(crate) mod coco;
pub(crate) mod coco_writer;
pub mod csv;
pub(crate) mod csv_writer;
pub(crate) mod cvat;
pub(crate) mod cvat_writer;
pub(crate) mod folder;
pub(crate) mod ground_truth;
pub(crate) mod json_lines;
pub(crate) mod label_studio;
pub(crate) mod label_studio_writer;
pub(crate) mod mvtec;
pub(crate) mod vertex;
pub(crate) mod voc;
pub(crate) mod yolo;
mod yolo_yaml;
