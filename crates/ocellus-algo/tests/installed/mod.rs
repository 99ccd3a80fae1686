//! The files that `make setup` installs, for tests on the real network.

use std::path::{Path, PathBuf};

use ocellus_algo::nn::{Runtime, Session, SessionOptions};
use ocellus_algo::preprocess::{Channels, Filter, Layout, Resize, Spec};

const WEIGHTS: &str =
    "models/45243edc60215ab6432ed1be55c75ee2c26c2a9cd415f4ddcb002a25f3fd4473/efficientnet-lite0.onnx";
const CURE: &str = "run `python3 scripts/setup.py --group test` before the tests";

/// The root of the source tree.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where `make setup` installs; the same rule as in `scripts/setup.py`.
pub fn cache() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the setup script goes by the same variables")]
    let dir = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = dir("OCELLUS_CACHE").or_else(|| dir("XDG_CACHE_HOME"));
    base.or_else(|| dir("HOME").map(|home| home.join(".cache"))).expect("HOME is set").join("ocellus")
}

/// A session of EfficientNet-Lite0.
pub fn efficientnet() -> Session {
    let runtime = Runtime::load(&cache().join("runtime/libonnxruntime.so.1.31.1")).expect(CURE);
    Session::open(&runtime, &cache().join(WEIGHTS), &SessionOptions { intra_threads: 1 }).expect(CURE)
}

/// The network's preprocessing as the manifest has it, but for the resizing.
pub fn spec(resize: Resize) -> Spec {
    Spec {
        width: 224,
        height: 224,
        resize,
        filter: Filter::Bicubic,
        channels: Channels::Rgb,
        layout: Layout::Nchw,
        mean: [127.0; 3],
        std: [128.0; 3],
    }
}
