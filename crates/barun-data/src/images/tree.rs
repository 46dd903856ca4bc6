//! Which class and which part each file of a folder belongs to, told by the names of the folders it lies in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::decode::is_image_name;
use super::some_of;
use super::store::Store;
use crate::error::{Error, Result};

/// Names of folders that divide a set. The validation part is divided anew, together with the training part.
const PARTS: [(&str, Part); 7] = [
    ("train", Part::Train),
    ("training", Part::Train),
    ("valid", Part::Valid),
    ("validation", Part::Valid),
    ("val", Part::Valid),
    ("test", Part::Test),
    ("testing", Part::Test),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Train,
    Valid,
    Test,
}

/// A file with its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Labelled {
    /// Its number in the store.
    pub file: usize,
    /// Its class.
    pub class: usize,
}

/// All images with their classes, those of the test part last.
#[derive(Debug)]
pub(super) struct Tree {
    pub images: Vec<Labelled>,
    pub classes: Vec<String>,
    /// How many of the images, the last ones, are the test part.
    pub test: usize,
    pub notes: Vec<String>,
    origin: std::path::PathBuf,
}

impl Tree {
    /// Of the files of a store, where `levels` folder names make a class.
    pub fn of(store: &Store, levels: usize) -> Result<Tree> {
        let names: Vec<String> = (0..store.len()).map(|file| store.name(file)).collect();
        Tree::of_names(store.path(), &names, levels)
    }

    fn of_names(origin: &Path, names: &[String], levels: usize) -> Result<Tree> {
        let none = |problem: String| Error::NoImages { path: origin.to_path_buf(), problem };
        let mut files: Vec<(Vec<&str>, usize)> = Vec::new();
        let mut others = Vec::new();
        for (file, name) in names.iter().enumerate() {
            let folders: Vec<&str> =
                name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
            // What systems leave behind: .DS_Store, ._cat.jpg, __MACOSX.
            if folders.iter().any(|part| part.starts_with('.') || *part == "__MACOSX") {
                continue;
            }
            match is_image_name(name) {
                true => files.push((folders, file)),
                false => others.push(name.clone()),
            }
        }
        files.sort();
        let mut notes = Vec::new();
        if !others.is_empty() {
            let (count, named) = (others.len(), some_of(others.into_iter()));
            notes.push(format!("{count} files are no PNG, JPEG or WebP and are left out: {named}"));
        }
        if files.is_empty() {
            return Err(none(format!("there is no PNG, JPEG or WebP file in it{}", told(&notes))));
        }
        strip_wrapping_folders(&mut files, levels);
        let is_divided = is_divided(&files, levels);
        let mut outside = Vec::new();
        let mut labelled: Vec<(Part, String, usize)> = Vec::new();
        for (folders, file) in files {
            let (part, below) = match is_divided.then(|| part_of(folders[0])).flatten() {
                Some(part) => (part, &folders[1..]),
                None => (Part::Train, &folders[..]),
            };
            // The last name is the file's own.
            match below.len() > levels {
                true => labelled.push((part, below[..levels].join("/"), file)),
                false => outside.push(names[file].clone()),
            }
        }
        if labelled.is_empty() {
            return Err(none(format!(
                "its {} images lie in no class folders; put those of each class into a folder with the class's name",
                outside.len()
            )));
        }
        if !outside.is_empty() {
            let (count, named) = (outside.len(), some_of(outside.into_iter()));
            notes.push(format!("{count} images lie outside the class folders and are left out: {named}"));
        }
        let count = |wanted: Part| labelled.iter().filter(|(part, _, _)| *part == wanted).count();
        let (valid, test) = (count(Part::Valid), count(Part::Test));
        if valid > 0 {
            notes.push(format!(
                "the {valid} images of the validation folder are divided anew, together with those to train on"
            ));
        }
        let names_of = |is_test: bool| -> BTreeSet<&String> {
            let chosen = labelled.iter().filter(|(part, _, _)| (*part == Part::Test) == is_test);
            chosen.map(|(_, class, _)| class).collect()
        };
        let known = names_of(false);
        if let Some(stranger) = names_of(true).into_iter().find(|class| !known.contains(class)) {
            return Err(none(format!(
                "the test folder has the class '{stranger}', which has no image to train on; add some, or remove it"
            )));
        }
        let classes: Vec<String> = known.into_iter().cloned().collect();
        let numbers: BTreeMap<&String, usize> = classes.iter().zip(0..).collect();
        labelled.sort_by_key(|(part, _, _)| *part == Part::Test);
        let images =
            labelled.iter().map(|(_, class, file)| Labelled { file: *file, class: numbers[class] }).collect();
        Ok(Tree { images, classes, test, notes, origin: origin.to_path_buf() })
    }

    /// Removes the images at the given positions, ascending.
    pub fn remove(&mut self, positions: &[usize]) {
        let first_of_test = self.images.len() - self.test;
        self.test -= positions.iter().filter(|&&at| at >= first_of_test).count();
        let mut at = 0;
        self.images.retain(|_| {
            at += 1;
            positions.binary_search(&(at - 1)).is_err()
        });
    }

    /// Whether there are classes to tell apart, each with images.
    pub fn check(&self, notes: &mut Vec<String>) -> Result<()> {
        let none = |problem: String| Error::NoImages { path: self.origin.clone(), problem };
        if let [only] = &self.classes[..] {
            return Err(none(format!(
                "there is only one class folder with images, '{only}'; a classifier needs at least two"
            )));
        }
        let mut counts = vec![0usize; self.classes.len()];
        let trained = &self.images[..self.images.len() - self.test];
        trained.iter().for_each(|image| counts[image.class] += 1);
        if let Some(empty) = counts.iter().position(|&count| count == 0) {
            return Err(none(format!("no image of the class '{}' can be read", self.classes[empty])));
        }
        let single = counts.iter().zip(&self.classes).filter(|(count, _)| **count == 1);
        let single: Vec<String> = single.map(|(_, class)| class.clone()).collect();
        if !single.is_empty() {
            let (count, named) = (single.len(), some_of(single.into_iter()));
            notes.push(format!(
                "{count} classes have a single image, which is trained on, so that nothing measures them: {named}"
            ));
        }
        Ok(())
    }
}

fn told(notes: &[String]) -> String {
    notes.iter().map(|note| format!(" ({note})")).collect()
}

/// `archive/pets/cat/1.png` is `cat/1.png`, where all files begin like that.
fn strip_wrapping_folders(files: &mut [(Vec<&str>, usize)], levels: usize) {
    loop {
        let Some(first) = files.first().and_then(|(folders, _)| folders.first().copied()) else { return };
        let is_wrapped = files.iter().all(|(folders, _)| folders[0] == first && folders.len() > levels + 1);
        if !is_wrapped {
            return;
        }
        files.iter_mut().for_each(|(folders, _)| {
            folders.remove(0);
        });
    }
}

/// Whether the topmost folders are parts, not classes: each has a part's name, one is to train on, and there are
/// folders below.
fn is_divided(files: &[(Vec<&str>, usize)], levels: usize) -> bool {
    let inside = files.iter().filter(|(folders, _)| folders.len() > 1);
    let parts: Option<BTreeSet<Part>> = inside.map(|(folders, _)| part_of(folders[0])).collect();
    parts.is_some_and(|parts| parts.contains(&Part::Train))
        && files.iter().any(|(folders, _)| folders.len() > levels + 1)
}

fn part_of(folder: &str) -> Option<Part> {
    let known = PARTS.iter().find(|(name, _)| folder.eq_ignore_ascii_case(name));
    known.map(|(_, part)| *part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(names: &[&str]) -> Result<Tree> {
        leveled(names, 1)
    }

    fn leveled(names: &[&str], levels: usize) -> Result<Tree> {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        Tree::of_names(Path::new("pets"), &names, levels)
    }

    /// Name and class of each image, and how many are tested on.
    fn told(names: &[&str]) -> (Vec<String>, usize) {
        let tree = tree(names).unwrap();
        let told =
            tree.images.iter().map(|image| format!("{}:{}", names[image.file], tree.classes[image.class]));
        (told.collect(), tree.test)
    }

    #[test]
    fn each_folder_is_a_class_in_alphabetical_order() {
        let (images, test) = told(&["dog/b.png", "cat/x/2.JPG", "cat/1.webp", "dog/a.jpeg"]);
        assert_eq!(images, ["cat/1.webp:cat", "cat/x/2.JPG:cat", "dog/a.jpeg:dog", "dog/b.png:dog"]);
        assert_eq!(test, 0);
    }

    #[test]
    fn a_test_folder_comes_last_and_a_validation_folder_is_trained_on() {
        let names = ["a/Train/x/1.png", "a/test/x/2.png", "a/val/y/3.png", "a/Train/y/4.png"];
        let (images, test) = told(&names);
        assert_eq!(images, ["a/Train/x/1.png:x", "a/Train/y/4.png:y", "a/val/y/3.png:y", "a/test/x/2.png:x"]);
        assert_eq!(test, 1);
        assert!(tree(&names).unwrap().notes[0].contains("1 images of the validation folder"));
    }

    #[test]
    fn folders_around_everything_and_left_overs_of_systems_do_not_matter() {
        let (images, _) =
            told(&["z/pets/cat/1.png", "z/pets/dog/2.png", "z/pets/cat/._1.png", "__MACOSX/z/cat/1.png"]);
        assert_eq!(images, ["z/pets/cat/1.png:cat", "z/pets/dog/2.png:dog"]);
    }

    #[test]
    fn a_class_may_be_called_train() {
        let (images, test) = told(&["train/1.png", "car/2.png", "test/3.png"]);
        assert_eq!((images.len(), test), (3, 0));
        let (images, test) = told(&["train/1.png", "test/3.png"]);
        assert_eq!((images, test), (vec!["test/3.png:test".into(), "train/1.png:train".to_string()], 0));
    }

    #[test]
    fn two_folder_names_can_make_a_class() {
        let tree = leveled(&["i/Latin/c1/1.png", "i/Latin/c2/2.png", "i/Greek/c1/3.png"], 2).unwrap();
        assert_eq!(tree.classes, ["Greek/c1", "Latin/c1", "Latin/c2"]);
    }

    #[test]
    fn what_is_left_out_is_noted() {
        let tree = tree(&["readme.txt", "loose.png", "cat/1.png", "dog/2.png", "dog/3.gif"]).unwrap();
        assert_eq!(
            tree.notes,
            [
                "2 files are no PNG, JPEG or WebP and are left out: readme.txt, dog/3.gif",
                "1 images lie outside the class folders and are left out: loose.png",
            ]
        );
    }

    #[test]
    fn a_folder_that_is_no_set_says_what_is_missing() {
        let refused = |names: &[&str]| {
            let checked = tree(names).and_then(|tree| tree.check(&mut Vec::new()));
            checked.unwrap_err().to_string()
        };
        assert!(refused(&[]).contains("there is no PNG, JPEG or WebP file in it"));
        assert!(refused(&["1.png", "2.png"]).contains("its 2 images lie in no class folders"));
        assert!(
            refused(&["a/cat/1.png", "a/cat/2.png"]).contains("only one class folder with images, 'cat'")
        );
        let other = refused(&["train/cat/1.png", "train/dog/1.png", "test/owl/1.png"]);
        assert!(other.contains("the test folder has the class 'owl'"), "{other}");
    }

    #[test]
    fn removing_keeps_the_test_part_last() {
        let mut tree =
            tree(&["train/a/1.png", "train/b/2.png", "train/b/5.png", "test/a/3.png", "test/b/4.png"])
                .unwrap();
        tree.remove(&[1, 4]);
        assert_eq!(tree.images.iter().map(|image| image.file).collect::<Vec<_>>(), [0, 2, 3]);
        assert_eq!(tree.test, 1);
        let mut notes = Vec::new();
        tree.check(&mut notes).unwrap();
        assert!(notes[0].contains("2 classes have a single image") && notes[0].contains("a, b"), "{notes:?}");
        tree.remove(&[0]);
        assert!(tree.check(&mut notes).unwrap_err().to_string().contains("no image of the class 'a'"));
    }
}
