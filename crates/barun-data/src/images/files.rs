//! The files of a store as images of one shape.

use super::store::Store;
use crate::error::Result;
use crate::lazy::ImageSource;

/// Image files that are decoded when they are asked for.
#[derive(Debug)]
pub(super) struct ImageFiles {
    store: Store,
    files: Vec<usize>,
    shape: [usize; 3],
}

impl ImageFiles {
    pub fn new(store: Store, files: Vec<usize>, shape: [usize; 3]) -> ImageFiles {
        ImageFiles { store, files, shape }
    }
}

impl ImageSource for ImageFiles {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn make(&self, index: usize) -> Result<Vec<u8>> {
        self.store.image(self.files[index], self.shape)
    }
}

/// `work(0)`, `work(1)`, ... in order, done on all threads of the machine.
pub(super) fn each_in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = count.div_ceil(threads).max(1);
    let (starts, work) = ((0..count).step_by(share), &work);
    std::thread::scope(|scope| {
        let run = |start: usize| move || (start..count.min(start + share)).map(work).collect::<Vec<T>>();
        let threads: Vec<_> = starts.map(|start| scope.spawn(run(start))).collect();
        // A panic there is one here.
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
