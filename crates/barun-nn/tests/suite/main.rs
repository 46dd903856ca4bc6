//! What a user of the crate sees: every requirement's test is named by its id.

mod activations;
mod bf16;
mod common;
mod convolution;
mod ensembles;
mod fixtures;
mod forks;
mod gradients;
mod initializers;
mod layers;
mod losses;
mod memory;
mod models;
mod normalization;
mod optimizers;
mod regularization;
mod schedules;
mod sequences;
mod step_options;
mod steps;
mod watching;
