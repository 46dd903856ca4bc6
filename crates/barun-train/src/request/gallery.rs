//! `barun gallery`: a picture of what a network gets to see.

use std::path::PathBuf;

use barun_data::images::grid;
use barun_data::{Augment, BatchFeatures, LoaderOptions, Order, Part, Targets};
use serde::Serialize;

use super::Machine;
use super::rows::in_turn;
use super::train::{divided, prepare};
use crate::build;
use crate::error::{Error, Result};
use crate::recipe::Recipe;

/// A picture of training images as they are and varied.
#[derive(Clone, Debug)]
pub struct GalleryRequest {
    /// What would be trained on.
    pub recipe: Recipe,
    /// The PNG file.
    pub out: PathBuf,
    /// How many images.
    pub rows: usize,
    /// How many variants of each.
    pub variants: usize,
    /// With what.
    pub machine: Machine,
}

/// What a gallery shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GalleryReport {
    /// The PNG file.
    pub picture: PathBuf,
    /// What is in each row, from the top; of images that are not varied, those of the first column.
    pub rows: Vec<String>,
    /// Images in a row. The first is as it is, the others are what the first epochs would make of it; where nothing is
    /// varied all are different images.
    pub columns: usize,
    /// Whether images are varied.
    pub varied: bool,
}

/// Writes a picture of training images: each row one image and what the first epochs make of it. [DATA-15]
///
/// # Errors
/// Data without images, whatever is wrong with the recipe's data, a file that cannot be written.
pub fn gallery(request: &GalleryRequest) -> Result<GalleryReport> {
    let data = prepare(&request.recipe, divided(&request.recipe, &request.machine)?)?;
    let part = data.train();
    let Some(shape) = part.dataset().features().image_shape() else {
        return Err(Error::NoImages { name: part.dataset().name().to_string() });
    };
    let augment = build::augment(&request.recipe.data.augment);
    let columns = request.variants + 1;
    let shown =
        part.only(&in_turn(&part, if augment.is_none() { request.rows * columns } else { request.rows }));
    let plain = images_of(&shown, Augment::NONE, 0, 0)?;
    let rows: Vec<Vec<Vec<u8>>> = if augment.is_none() {
        plain.chunks(columns).map(<[_]>::to_vec).collect()
    } else {
        let mut rows: Vec<Vec<Vec<u8>>> = plain.into_iter().map(|image| vec![image]).collect();
        for epoch in 0..request.variants {
            let varied = images_of(&shown, augment, request.recipe.train.seed, epoch as u64)?;
            rows.iter_mut().zip(varied).for_each(|(row, image)| row.push(image));
        }
        rows
    };
    grid::write(&request.out, &rows, shape)?;
    let step = if augment.is_none() { columns } else { 1 };
    let names = shown.indices().iter().step_by(step).map(|&index| name_of(&shown, index)).collect();
    Ok(GalleryReport { picture: request.out.clone(), rows: names, columns, varied: !augment.is_none() })
}

fn images_of(part: &Part, augment: Augment, seed: u64, epoch: u64) -> Result<Vec<Vec<u8>>> {
    let options = LoaderOptions {
        batch: part.len(),
        order: Order::Sequential,
        seed,
        augment,
        ..LoaderOptions::default()
    };
    let width = part.dataset().features().width();
    let mut images = Vec::with_capacity(part.len());
    for batch in part.loader(options)?.epoch(epoch) {
        if let BatchFeatures::Images(pixels) = &batch?.features {
            images.extend(pixels.chunks_exact(width).map(<[u8]>::to_vec));
        }
    }
    Ok(images)
}

fn name_of(part: &Part, index: usize) -> String {
    match part.dataset().targets() {
        Targets::Classes { labels, classes, .. } => classes[labels[index] as usize].clone(),
        Targets::Values { values, .. } => values[index].to_string(),
    }
}
