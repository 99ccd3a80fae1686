//! The list of algorithms in this crate, from which their documentation is generated and by which they are tested.

/// What a measure or an index is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// Stable name, also that of its module.
    pub id: &'static str,
    /// What it is for.
    pub family: Family,
    /// What it computes, in one sentence.
    pub summary: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// Name, value and meaning of each constant that shapes the result.
    pub parameters: &'static [Parameter],
}

/// What an algorithm is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Bytes to pixels, pixels to tensors.
    Image,
    /// A number or a few describing one image.
    Measure,
    /// Telling versions of one picture from different pictures.
    Identity,
    /// Finding vectors near a vector.
    Search,
    /// Telling how good answers are.
    Evaluation,
    /// Learning from labels.
    Learning,
    /// Laying vectors out in the plane.
    Layout,
}

/// A constant that shapes an algorithm's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its usual name.
    pub name: &'static str,
    /// Its value here.
    pub value: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

const fn parameter(name: &'static str, value: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, value, meaning }
}

/// Every algorithm of this crate.
pub const ALGORITHMS: &[Algorithm] = &[
    Algorithm {
        id: "preprocess",
        family: Family::Image,
        summary: "Resamples an image with an antialiasing convolution filter and normalises it for a model.",
        source: "Duff, \"Filtering for image resizing\"; Keys, \"Cubic convolution interpolation for digital image processing\", IEEE TASSP 29(6), 1981",
        parameters: &[parameter("filter", "per model", "bilinear, Catmull-Rom cubic or Lanczos 3")],
    },
    Algorithm {
        id: "detect",
        family: Family::Image,
        summary: "Reads a detector's numbers: boxes per class and boxes that may hold anything, doubles suppressed, and what the network saw in a box.",
        source: "Liu et al., \"SSD: single shot multibox detector\", ECCV 2016; Viola and Jones, \"Rapid object detection using a boosted cascade of simple features\", CVPR 2001 (sums over boxes)",
        parameters: &[
            parameter("overlap", "0.5", "boxes of one class that overlap by more are one"),
            parameter("min_score", "0.2", "boxes below are dropped"),
            parameter("max_proposals", "300", "boxes that may hold anything, on one image"),
        ],
    },
    Algorithm {
        id: "face",
        family: Family::Image,
        summary: "Reads the YuNet detector's boxes and landmarks and turns a picture so that a face stands as a network expects it.",
        source: "Wu, Peng and Yu, \"YuNet: a tiny millisecond-level face detector\", Machine Intelligence Research 20, 2023; Umeyama, \"Least-squares estimation of transformation parameters between two point patterns\", IEEE TPAMI 13(4), 1991",
        parameters: &[
            parameter("overlap", "0.3", "faces that overlap by more are one"),
            parameter("min_score", "0.6", "places below hold no face"),
        ],
    },
    Algorithm {
        id: "color",
        family: Family::Measure,
        summary: "Finds an image's dominant colours by weighted k-means in Oklab and names them after the nearest W3C colour.",
        source: "Arthur and Vassilvitskii, \"k-means++: the advantages of careful seeding\", SODA 2007; Ottosson, \"A perceptual color space for image processing\", 2020",
        parameters: &[
            parameter("max_side", "128", "pixels of the longer side that is counted"),
            parameter("same_color_distance", "0.08", "clusters nearer than this in Oklab are joined"),
            parameter("min_fraction", "0.01", "clusters covering less are joined to their nearest"),
        ],
    },
    Algorithm {
        id: "focus",
        family: Family::Measure,
        summary: "Measures sharpness as the variance of the Laplacian in the sharpest quarter of the image.",
        source: "Pech-Pacheco et al., \"Diatom autofocusing in brightfield microscopy: a comparative study\", ICPR 2000",
        parameters: &[
            parameter("max_side", "1024", "pixels of the longer side at which sharpness is measured"),
            parameter("tiles", "8 x 8", "parts of the image, of which the sharpest quarter counts"),
            parameter("half_sharp", "300", "tile variance at which the sharpness is 0.5"),
        ],
    },
    Algorithm {
        id: "fingerprint",
        family: Family::Identity,
        summary: "Hashes an image's low frequencies and judges, with the cosine of the embeddings, whether two images are versions of one picture.",
        source: "Zauner, \"Implementation and benchmarking of perceptual image hash functions\", 2010",
        parameters: &[
            parameter(
                "hash",
                "64 bits",
                "signs of the 8 x 8 lowest frequencies of 32 x 32 grey pixels against their median",
            ),
            parameter(
                "logistic",
                "-0.551; -0.2631 per bit; 10.054 per cosine",
                "bias and weights of the hashes' distance and the cosine, fitted on photographs",
            ),
        ],
    },
    Algorithm {
        id: "flat",
        family: Family::Search,
        summary: "Compares the query with every vector and returns exactly the most similar ones.",
        source: "exhaustive search; the reference for every other index",
        parameters: &[],
    },
    Algorithm {
        id: "ann",
        family: Family::Search,
        summary: "Walks a navigable small-world graph to vectors that are very probably the most similar ones.",
        source: "Malkov and Yashunin, \"Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World graphs\", IEEE TPAMI 42(4), 2020",
        parameters: &[
            parameter("connectivity", "16", "links per node (M)"),
            parameter("expansion_add", "128", "candidates when inserting (efConstruction)"),
            parameter("expansion_search", "96", "candidates when searching (ef)"),
        ],
    },
    Algorithm {
        id: "agreement",
        family: Family::Evaluation,
        summary: "Compares what was said with the truth: precision, recall, F1, areas under curves and confusion, for whole items and for boxes.",
        source: "Everingham et al., \"The PASCAL visual object classes challenge\", IJCV 88, 2010; Lin et al., \"Microsoft COCO\", ECCV 2014",
        parameters: &[
            parameter("said_from", "0.5", "score from which on something counts as said"),
            parameter("iou", "0.5; 0.5 to 0.95", "overlap from which on a box counts as found"),
        ],
    },
    Algorithm {
        id: "groups",
        family: Family::Identity,
        summary: "Groups versions of one picture and parts of one source, which no test set may tear apart.",
        source: "Rousseeuw and Croux, \"Alternatives to the median absolute deviation\", JASA 88, 1993",
        parameters: &[
            parameter("least_probability", "0.9", "of being versions of one picture"),
            parameter("deviations", "5", "by which a pair must stand out from the set"),
            parameter("exact_up_to", "20000", "items of which every pair is looked at"),
        ],
    },
    Algorithm {
        id: "evaluate",
        family: Family::Evaluation,
        summary: "Judges probabilities on items not learned from: curves, areas, F1, confusion, calibration, thresholds, intervals, comparison of two, doubted labels.",
        source: "Fawcett, Pattern Recognition Letters 27, 2006; Naeini et al., AAAI 2015; Efron and Tibshirani, \"An introduction to the bootstrap\", 1993; Northcutt et al., JAIR 70, 2021",
        parameters: &[
            parameter("said_from", "0.5", "probability from which on a concept counts as said"),
            parameter("bins", "15", "of the reliability curve"),
            parameter("draws", "1000", "test sets drawn for intervals, at most"),
        ],
    },
    Algorithm {
        id: "linear",
        family: Family::Learning,
        summary: "Tells concepts by regularised logistic regression, each for itself or by softmax, with C chosen by cross-validation over groups.",
        source: "Nocedal, \"Updating quasi-Newton matrices with limited storage\", Mathematics of Computation 35(151), 1980; Cour, Sapp and Taskar, \"Learning from partial labels\", JMLR 12, 2011",
        parameters: &[
            parameter(
                "C",
                "0.1 to 3162 in half powers of ten",
                "tried until the loss of held-out rows has risen twice",
            ),
            parameter(
                "scale",
                "mean squared length 1",
                "of centred rows, so that C means the same everywhere",
            ),
            parameter(
                "tolerance",
                "1e-3 on the way, 1e-5 at the end",
                "share of the first slope at which a fit is done",
            ),
            parameter(
                "background",
                "0.5 a row, the positives' number in all",
                "how much rows without any concept count at most",
            ),
            parameter(
                "implied negatives",
                "up to the number of positives",
                "rows with other concepts, for a concept that has fewer negatives than positives",
            ),
        ],
    },
    Algorithm {
        id: "means",
        family: Family::Learning,
        summary: "Tells concepts by the nearest mean of their rows, along the line between the means.",
        source: "Tibshirani et al., \"Diagnosis of multiple cancer types by shrunken centroids of gene expression\", PNAS 99(10), 2002",
        parameters: &[
            parameter("shrinkage", "1 row", "rows in the middle of everything that are added to each mean"),
            parameter(
                "tried below",
                "10 examples",
                "of the rarest concept; from 4 on beside logistic regression",
            ),
        ],
    },
    Algorithm {
        id: "neighbours",
        family: Family::Learning,
        summary: "Tells concepts by how much nearer the nearest rows with a concept are than those without.",
        source: "Gilad-Bachrach, Navot and Tishby, \"Margin based feature selection\", ICML 2004",
        parameters: &[
            parameter("nearest", "3", "rows whose cosines are averaged"),
            parameter(
                "alike",
                "95 % of the examples; 0.7 if there is one",
                "the cosine from which on a row has the only concept, where nothing is known to lack it",
            ),
            parameter("kept rows", "4096", "at most, spread evenly"),
        ],
    },
    Algorithm {
        id: "calibrate",
        family: Family::Learning,
        summary: "Turns scores into probabilities that hold, fitted on rows that were not learned from.",
        source: "Platt, \"Probabilistic outputs for support vector machines\", 1999; Kull, Silva Filho and Flach, \"Beta calibration\", AISTATS 2017; Guo et al., \"On calibration of modern neural networks\", ICML 2017",
        parameters: &[
            parameter("beta from", "150", "rows of each kind; with fewer, both slopes are the same"),
            parameter(
                "prior",
                "slope 1 by 1 row, offset 0 by a quarter",
                "how firmly scores are left as they are",
            ),
        ],
    },
    Algorithm {
        id: "folds",
        family: Family::Learning,
        summary: "Divides rows for cross-validation: a group is never divided, and every part has its share of every concept.",
        source: "Sechidis, Tsoumakas and Vlahavas, \"On the stratification of multi-label data\", ECML PKDD 2011",
        parameters: &[parameter(
            "folds",
            "5",
            "unless asked for otherwise, and no more than there are groups",
        )],
    },
    Algorithm {
        id: "projection",
        family: Family::Learning,
        summary: "Learns a linear projection in which rows of one concept lie close together.",
        source: "Fisher, \"The use of multiple measurements in taxonomic problems\", 1936; Ledoit and Wolf, \"A well-conditioned estimator for large-dimensional covariance matrices\", JMVA 88(2), 2004",
        parameters: &[
            parameter(
                "dimensions",
                "128",
                "unless asked for otherwise: discriminants first, then main directions of all rows",
            ),
            parameter("damped", "0.3", "how much directions count that tell no concepts apart"),
        ],
    },
    Algorithm {
        id: "clusters",
        family: Family::Learning,
        summary: "Groups rows that point in the same direction from the middle of all rows.",
        source: "Dhillon and Modha, \"Concept decompositions for large sparse text data using clustering\", Machine Learning 42, 2001; Hruschka, de Castro and Campello, \"Evolutionary algorithms for clustering gene-expression data\", ICDM 2004",
        parameters: &[
            parameter(
                "clusters",
                "1 to 64, or 1.5 times the root of the rows",
                "that of the best simplified silhouette on 3000 rows, unless asked for otherwise",
            ),
            parameter("rounds", "30", "at most"),
            parameter("starts", "3", "of which the best counts, up to 3000 rows"),
        ],
    },
    Algorithm {
        id: "active",
        family: Family::Learning,
        summary: "Orders unlabelled items by what looking at them should teach: uncertain ones, away from what is labelled.",
        source: "Lewis and Gale, SIGIR 1994; Sener and Savarese, \"Active learning for convolutional neural networks: a core-set approach\", ICLR 2018",
        parameters: &[parameter("worth", "uncertainty times distance", "what the next item has most of")],
    },
    Algorithm {
        id: "map",
        family: Family::Layout,
        summary: "Lays vectors out in the plane by t-SNE from their principal components, and measures how far to trust the result.",
        source: "Halko, Martinsson and Tropp, SIAM Review 53(2), 2011; van der Maaten and Hinton, JMLR 9, 2008; Linderman et al., Nature Methods 16, 2019; Venna and Kaski, ICANN 2001",
        parameters: &[
            parameter("n_components", "50", "principal components among which neighbours are found"),
            parameter(
                "perplexity",
                "30",
                "effective number of neighbours of a point, a third of those looked for",
            ),
            parameter(
                "n_epochs",
                "1000",
                "steps of the layout, a quarter of them with exaggerated attraction",
            ),
        ],
    },
];
