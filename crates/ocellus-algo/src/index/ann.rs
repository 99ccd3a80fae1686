//! Approximate search in a navigable small-world graph (HNSW), for sets too large to scan.
//!
//! Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small
//! World graphs", 2018; the graph is usearch's. Writing is exclusive: concurrent inserts are known to lose points.

use std::path::Path;

use parking_lot::{Condvar, Mutex, RwLock};
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use super::Neighbor;
use super::dot::{Kernel, LANES};
use super::file;
use super::flat::{Flat, check_vector};
use crate::embed::l2_normalize;
use crate::error::{Error, Result};

/// Links per node (M of the paper).
const CONNECTIVITY: usize = 16;
/// Candidates looked at when inserting (efConstruction).
const EXPANSION_ADD: usize = 128;
/// Candidates looked at when searching (ef); raised to k by the library.
const EXPANSION_SEARCH: usize = 96;
/// Room for this many vectors is made at first, and doubled when it is full.
const MIN_CAPACITY: usize = 1024;

/// An approximate index over vectors under the slots of a `Flat`. All methods may be called from any thread; searches
/// run in parallel up to the number of threads given when it was made, and wait beyond that.
pub struct Ann {
    dim: usize,
    graph: RwLock<Index>,
    searches: Permits,
}

impl Ann {
    /// An empty index of vectors of `dim` numbers for at most `threads` simultaneous searches.
    ///
    /// # Errors
    /// `Backend` if there is no memory for it.
    pub fn new(dim: usize, threads: usize) -> Result<Ann> {
        Ann::with_capacity(dim, threads, MIN_CAPACITY)
    }

    /// Indexes every vector of `flat`, on the calling thread: minutes for 100 000 long vectors. Whoever has to keep
    /// `flat` writable meanwhile makes an empty index and adds the vectors in portions. `threads` as in `new`.
    ///
    /// # Errors
    /// As `new`.
    pub fn build(flat: &Flat, threads: usize) -> Result<Ann> {
        let ann = Ann::with_capacity(flat.dim(), threads, flat.len().max(MIN_CAPACITY))?;
        {
            let graph = ann.graph.write();
            for slot in flat.slots() {
                if let Some(v) = flat.get(slot) {
                    graph.add(u64::from(slot), &padded(v)).map_err(backend)?;
                }
            }
        }
        Ok(ann)
    }

    fn with_capacity(dim: usize, threads: usize, capacity: usize) -> Result<Ann> {
        let threads = threads.max(1);
        let graph = open_graph(dim)?;
        graph.reserve_capacity_and_threads(capacity, threads).map_err(backend)?;
        Ok(Ann { dim, graph: RwLock::new(graph), searches: Permits::new(threads) })
    }

    /// Numbers per vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.graph.read().size()
    }

    /// Whether there are no vectors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        self.graph.read().memory_usage()
    }

    /// Adds a vector, or replaces the one in that slot.
    ///
    /// # Errors
    /// `BadInput` if the vector has the wrong length or a number that is not finite, `Backend` if memory is short.
    pub fn add(&self, slot: u32, v: &[f32]) -> Result<()> {
        check_vector(v, self.dim)?;
        let mut v = padded(v);
        l2_normalize(&mut v);
        let graph = self.graph.write();
        let key = u64::from(slot);
        if graph.contains(key) {
            graph.remove(key).map_err(backend)?;
        }
        if graph.size() >= graph.capacity() {
            let capacity = (graph.capacity() * 2).max(MIN_CAPACITY);
            graph.reserve_capacity_and_threads(capacity, self.searches.n).map_err(backend)?;
        }
        graph.add(key, &v).map_err(backend)
    }

    /// Removes a vector; false if there was none.
    ///
    /// # Errors
    /// `Backend` if the library fails.
    pub fn remove(&self, slot: u32) -> Result<bool> {
        let graph = self.graph.write();
        let n_removed = graph.remove(u64::from(slot)).map_err(backend)?;
        Ok(n_removed > 0)
    }

    /// About the `k` vectors most similar to `q`, the most similar first, equal ones by slot.
    ///
    /// # Errors
    /// As `add`.
    pub fn search(&self, q: &[f32], k: usize) -> Result<Vec<Neighbor>> {
        check_vector(q, self.dim)?;
        let mut query = padded(q);
        l2_normalize(&mut query);
        let _permit = self.searches.take();
        let graph = self.graph.read();
        if k == 0 || graph.size() == 0 {
            return Ok(Vec::new());
        }
        let matches = graph.search(&query, k).map_err(backend)?;
        let mut neighbors: Vec<Neighbor> = matches
            .keys
            .iter()
            .zip(&matches.distances)
            .filter_map(|(&key, &distance)| {
                Some(Neighbor {
                    slot: u32::try_from(key).ok()?,
                    similarity: (1.0 - distance).clamp(-1.0, 1.0),
                })
            })
            .collect();
        neighbors.sort_by(|a, b| {
            let by_similarity = b.similarity.total_cmp(&a.similarity);
            by_similarity.then(a.slot.cmp(&b.slot))
        });
        Ok(neighbors)
    }

    /// Writes the index to a file, which appears under its name only when it is complete and on the disk.
    ///
    /// # Errors
    /// `Backend` naming the path if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let graph = self.graph.read();
        file::write(path, self.dim, |path| graph.save(path).map_err(backend))
    }

    /// Reads an index written by `save`. `threads` as in `new`.
    ///
    /// # Errors
    /// `Backend` if the file is missing, damaged in any byte, or of vectors of another length; it should be rebuilt
    /// from the vectors then.
    pub fn load(path: &Path, dim: usize, threads: usize) -> Result<Ann> {
        let threads = threads.max(1);
        let mut graph = open_graph(dim)?;
        file::verify(path, dim)?;
        graph.load(file::as_text(path)?).map_err(backend)?;
        use_own_kernel(&mut graph);
        let capacity = graph.size().max(MIN_CAPACITY);
        graph.reserve_capacity_and_threads(capacity, threads).map_err(backend)?;
        Ok(Ann { dim, graph: RwLock::new(graph), searches: Permits::new(threads) })
    }
}

fn open_graph(dim: usize) -> Result<Index> {
    let mut graph = Index::new(&IndexOptions {
        dimensions: dim.next_multiple_of(LANES),
        metric: MetricKind::IP,
        quantization: ScalarKind::F32,
        connectivity: CONNECTIVITY,
        expansion_add: EXPANSION_ADD,
        expansion_search: EXPANSION_SEARCH,
        multi: false,
    })
    .map_err(backend)?;
    use_own_kernel(&mut graph);
    Ok(graph)
}

/// Makes the graph measure with our kernel; the library's needs its SIMD companion, a long C build. On rows of length
/// 1 a dot product is the cosine. Loading a file undoes this.
fn use_own_kernel(graph: &mut Index) {
    let stride = graph.dimensions();
    let kernel = Kernel::detect();
    graph.change_metric::<f32>(Box::new(move |a, b| {
        #[expect(unsafe_code, reason = "usearch passes vectors as raw pointers")]
        // SAFETY: the graph calls this with two of its vectors or the query, all of `dimensions` = `stride` f32 that
        // live for the call.
        let (a, b) =
            unsafe { (std::slice::from_raw_parts(a, stride), std::slice::from_raw_parts(b, stride)) };
        let mut dot = [0.0];
        kernel.dot_rows(a, b, &mut dot);
        1.0 - dot[0]
    }));
}

fn padded(v: &[f32]) -> Vec<f32> {
    let mut row = vec![0.0; v.len().next_multiple_of(LANES)];
    row[..v.len()].copy_from_slice(v);
    row
}

fn backend(error: impl std::fmt::Display) -> Error {
    Error::Backend(format!("the vector index failed: {error}"))
}

/// A counting semaphore: the graph has one work space per reserved thread and refuses further searches.
struct Permits {
    n: usize,
    free: Mutex<usize>,
    returned: Condvar,
}

struct Permit<'a>(&'a Permits);

impl Permits {
    fn new(n: usize) -> Permits {
        Permits { n, free: Mutex::new(n), returned: Condvar::new() }
    }

    fn take(&self) -> Permit<'_> {
        let mut free = self.free.lock();
        while *free == 0 {
            self.returned.wait(&mut free);
        }
        *free -= 1;
        Permit(self)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.returned.notify_one();
    }
}
