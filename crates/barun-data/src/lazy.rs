//! Images that are made when they are asked for, and kept as far as memory is lent.
//!
//! What has been made stays until the room is used up; what finds no room is made anew each time. Nothing is thrown out
//! for something else: an epoch visits every image once in a random order, so that whatever was kept longest is as
//! likely to be next as anything.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};

/// Where images of one size come from: files, an archive, a generator.
pub trait ImageSource: fmt::Debug + Send + Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `[height, width, channels]` of each.
    fn shape(&self) -> [usize; 3];

    /// Makes image `index`: `height * width * channels` bytes, the same each time. Several threads may ask at once.
    ///
    /// # Errors
    /// What is wrong with the image, naming where it comes from.
    fn make(&self, index: usize) -> Result<Vec<u8>>;
}

/// The images of a source. A copy shares what has been made.
#[derive(Clone)]
pub struct LazyImages {
    inner: Arc<Inner>,
}

struct Inner {
    source: Box<dyn ImageSource>,
    made: Vec<OnceLock<Box<[u8]>>>,
    /// Bytes that may still be kept.
    room: AtomicUsize,
    most: usize,
}

impl LazyImages {
    /// Of a source, keeping at most so many bytes.
    pub fn new(source: impl ImageSource + 'static, room: usize) -> LazyImages {
        let made = (0..source.len()).map(|_| OnceLock::new()).collect();
        LazyImages {
            inner: Arc::new(Inner { source: Box::new(source), made, room: room.into(), most: room }),
        }
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.inner.made.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.inner.made.is_empty()
    }

    /// `[height, width, channels]` of each.
    pub fn shape(&self) -> [usize; 3] {
        self.inner.source.shape()
    }

    /// The most bytes that the kept images will take.
    pub fn bytes(&self) -> usize {
        self.inner.most.min(self.len() * self.width())
    }

    /// How many images are kept by now.
    pub fn kept(&self) -> usize {
        self.inner.made.iter().filter(|image| image.get().is_some()).count()
    }

    /// Image `index`, as it was kept or made just now.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], or what the source says.
    pub fn get(&self, index: usize) -> Result<Cow<'_, [u8]>> {
        let Inner { source, made, room, .. } = &*self.inner;
        let place = made.get(index).ok_or(Error::OutOfRange { index, len: self.len() })?;
        if let Some(image) = place.get() {
            return Ok(Cow::Borrowed(image));
        }
        let (image, width) = (source.make(index)?, self.width());
        if image.len() != width {
            let problem = format!("image {index} has {} bytes where its shape has {width}", image.len());
            return Err(Error::Inconsistent { name: format!("{source:?}"), problem });
        }
        let reserve = |left: usize| left.checked_sub(width);
        if room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve).is_err() {
            return Ok(Cow::Owned(image));
        }
        let mut image = Some(image.into_boxed_slice());
        let kept = place.get_or_init(|| image.take().unwrap_or_default());
        if image.is_some() {
            // Another thread was faster; this one's copy takes no room.
            room.fetch_add(width, Ordering::Relaxed);
        }
        Ok(Cow::Borrowed(kept))
    }

    /// The images `indices`, one after the other; those that are not kept are made on all threads of the machine.
    ///
    /// # Errors
    /// As [`get`](LazyImages::get), for the first image that cannot be made.
    pub fn get_all(&self, indices: &[usize]) -> Result<Vec<u8>> {
        let work = |indices: &[usize]| -> Result<Vec<u8>> {
            let mut pixels = Vec::with_capacity(indices.len() * self.width());
            for &index in indices {
                pixels.extend_from_slice(&self.get(index)?);
            }
            Ok(pixels)
        };
        let is_kept = |&index: &usize| self.inner.made.get(index).is_some_and(|image| image.get().is_some());
        if indices.iter().all(is_kept) {
            return work(indices);
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = indices.len().div_ceil(threads).max(1);
        let made = std::thread::scope(|scope| {
            let threads: Vec<_> =
                indices.chunks(share).map(|indices| scope.spawn(move || work(indices))).collect();
            threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
        });
        let mut all = Vec::with_capacity(indices.len() * self.width());
        for pixels in made {
            let reason = || "making an image panicked".to_string();
            all.extend(pixels.map_err(|_| Error::Loader { reason: reason() })??);
        }
        Ok(all)
    }

    fn width(&self) -> usize {
        self.shape().iter().product()
    }
}

impl fmt::Debug for LazyImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyImages").field("source", &self.inner.source).field("kept", &self.kept()).finish()
    }
}

/// Whether both are copies of one.
impl PartialEq for LazyImages {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of two pixels that show their index, and how often they were made.
    #[derive(Debug)]
    struct Counted(Arc<AtomicUsize>);

    impl ImageSource for Counted {
        fn len(&self) -> usize {
            10
        }
        fn shape(&self) -> [usize; 3] {
            [1, 2, 1]
        }
        fn make(&self, index: usize) -> Result<Vec<u8>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(vec![index as u8; if index == 9 { 3 } else { 2 }])
        }
    }

    #[test]
    fn images_are_kept_as_far_as_there_is_room_and_made_anew_beyond() {
        let made = Arc::new(AtomicUsize::new(0));
        let images = LazyImages::new(Counted(made.clone()), 7);
        for _ in 0..3 {
            for index in 0..5 {
                assert_eq!(images.get(index).unwrap()[..], [index as u8; 2]);
            }
        }
        // Three find room in 7 bytes, the other two are made each time.
        assert_eq!((images.kept(), made.load(Ordering::Relaxed)), (3, 3 + 2 * 3));
        assert_eq!(images.bytes(), 7);
    }

    #[test]
    fn several_threads_get_the_same_images() {
        let images = LazyImages::new(Counted(Arc::default()), 1000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..9).for_each(|index| assert_eq!(images.get(index).unwrap()[0], index as u8))
                });
            }
        });
        assert_eq!((images.kept(), images.bytes()), (9, 20));
        assert_eq!(images.get_all(&[3, 0, 8]).unwrap(), [3, 3, 0, 0, 8, 8]);
        assert!(images.get_all(&[1, 9]).is_err());
    }

    #[test]
    fn an_image_of_another_size_or_out_of_range_is_an_error() {
        let images = LazyImages::new(Counted(Arc::default()), 1000);
        let message = images.get(9).unwrap_err().to_string();
        assert!(message.contains("image 9 has 3 bytes where its shape has 2"), "{message}");
        assert!(matches!(images.get(10), Err(Error::OutOfRange { index: 10, len: 10 })));
    }
}
