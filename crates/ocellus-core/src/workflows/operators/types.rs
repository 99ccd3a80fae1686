//! The operators as people are told of them: their fields and their parameters.

/// A type of model that is an operator, as people are told of it.
#[derive(Clone, Copy, Debug)]
pub struct OperatorType {
    /// The id of the model type.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it does, with its parameters.
    pub description: &'static str,
    /// What it works on.
    pub input_fields: &'static [&'static str],
    /// What comes out.
    pub output_fields: &'static [&'static str],
    /// Its parameters: name, kind and meaning.
    pub params: &'static [OperatorParam],
}

/// A parameter of an operator.
#[derive(Clone, Copy, Debug)]
pub struct OperatorParam {
    /// Its name among the model's `params`.
    pub name: &'static str,
    /// What it must be.
    pub kind: ParamKind,
    /// What it means.
    pub description: &'static str,
    /// Whether the operator cannot do without.
    pub required: bool,
}

/// What a parameter must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParamKind {
    /// A number from one to another.
    Number(f64, f64),
    /// A text.
    Text,
    /// A list of objects with `id` or `name`, and `value` 0 to 1.
    Thresholds,
    /// An object with texts.
    Map,
    /// One of these words.
    Choice(&'static [&'static str]),
}

const THRESHOLDS: OperatorParam = OperatorParam {
    name: "concepts",
    kind: ParamKind::Thresholds,
    description: "The concepts that may pass, each with its threshold; all others are left out.",
    required: false,
};
const THRESHOLD: OperatorParam = OperatorParam {
    name: "threshold",
    kind: ParamKind::Number(0.0, 1.0),
    description: "The threshold of every concept, where `concepts` names none.",
    required: false,
};
const COMPARATOR: OperatorParam = OperatorParam {
    name: "concept_threshold_type",
    kind: ParamKind::Choice(&COMPARATORS),
    description: "How a value must stand to its threshold; GREATER_THAN_OR_EQUAL if not given.",
    required: false,
};
pub(super) const COMPARATORS: [&str; 5] =
    ["GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL", "EQUAL"];

/// Every operator.
pub const TYPES: &[OperatorType] = &[
    OperatorType {
        id: "concept-thresholder",
        title: "Concept Thresholder",
        description: "Lets concepts pass by their values.",
        input_fields: &["concepts"],
        output_fields: &["concepts"],
        params: &[THRESHOLDS, THRESHOLD, COMPARATOR],
    },
    OperatorType {
        id: "region-thresholder",
        title: "Region Thresholder",
        description: "Lets regions pass by the values of their concepts; a region without one left is taken out.",
        input_fields: &["regions[...].data.concepts"],
        output_fields: &["regions[...].data.concepts"],
        params: &[THRESHOLDS, THRESHOLD, COMPARATOR],
    },
    OperatorType {
        id: "image-crop",
        title: "Image Cropper",
        description: "Cuts regions out of the image, so that the next model looks at each of them.",
        input_fields: &["image", "regions[...].region_info"],
        output_fields: &["regions[...].data.image"],
        params: &[OperatorParam {
            name: "margin",
            kind: ParamKind::Number(1.0, 10.0),
            description: "By what the sides of a region are multiplied around its middle; 1 if not given.",
            required: false,
        }],
    },
    OperatorType {
        id: "image-tiling-operator",
        title: "Image Tiler",
        description: "Cuts the image into tiles, so that the next model looks at each of them.",
        input_fields: &["image"],
        output_fields: &["regions[...].data.image", "regions[...].region_info.bounding_box"],
        params: &[
            OperatorParam {
                name: "tile_size",
                kind: ParamKind::Number(16.0, 16_384.0),
                description: "The sides of a tile, pixels; 512 if not given.",
                required: false,
            },
            OperatorParam {
                name: "max_object_size",
                kind: ParamKind::Number(0.0, 16_383.0),
                description: "By how much tiles overlap, pixels, so that what is smaller is whole in one; 0 if not \
                              given.",
                required: false,
            },
        ],
    },
    OperatorType {
        id: "concept-synonym-mapper",
        title: "Concept Synonym Mapper",
        description: "Puts the app's synonyms in the place of concepts; what has none is left out.",
        input_fields: &["concepts"],
        output_fields: &["concepts"],
        params: &[
            OperatorParam {
                name: "knowledge_graph_id",
                kind: ParamKind::Text,
                description: "The knowledge graph whose relations of synonyms count; all of the app if empty.",
                required: false,
            },
            OperatorParam {
                name: "mapping",
                kind: ParamKind::Map,
                description: "Which concept stands for which, by id, in place of the app's relations.",
                required: false,
            },
        ],
    },
    OperatorType {
        id: "random-sample",
        title: "Random Sample",
        description: "Lets a share of the inputs pass, each by chance.",
        input_fields: &["any"],
        output_fields: &["any"],
        params: &[OperatorParam {
            name: "keep_fraction",
            kind: ParamKind::Number(0.0, 1.0),
            description: "The share that passes.",
            required: true,
        }],
    },
    OperatorType {
        id: "object-counter",
        title: "Object Counter",
        description: "Counts the regions.",
        input_fields: &["regions[...].data.concepts"],
        output_fields: &["metadata.object_count"],
        params: &[],
    },
    OperatorType {
        id: "merge-operator",
        title: "Merger",
        description: "Puts together what several nodes found: concepts, and regions by their ids. One of this server.",
        input_fields: &["concepts", "regions[...].data.concepts"],
        output_fields: &["concepts", "regions[...].data.concepts"],
        params: &[OperatorParam {
            name: "lift",
            kind: ParamKind::Choice(&["max", "mean"]),
            description: "Gives the whole image the concepts of its regions, with their greatest or mean value.",
            required: false,
        }],
    },
];
