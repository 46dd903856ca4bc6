//! What the network is given.

use barun_data::{MinMax, Scaling};

use super::{Harms, Operator, is_plain};
use crate::network::Stage;
use crate::rows::{Form, Rows};

/// Images become rows of numbers, which can be any.
fn as_columns(plan: &mut crate::plan::Plan) {
    if plan.parts.train.form != Form::Columns {
        plan.parts.all_mut().into_iter().for_each(|rows| rows.form = Form::Columns);
        plan.network.stages.retain(|stage| !matches!(stage, Stage::Flatten));
    }
}

/// Inputs with mean 0 and deviation 1 by what the training part is like, before something is done to them.
pub(super) fn standardize(plan: &mut crate::plan::Plan) {
    let moments = plan.parts.train.moments();
    for rows in plan.parts.all_mut() {
        rows.map(|column, value| (value - moments[column].0) / moments[column].1);
    }
    plan.scaling = Scaling::NONE;
}

pub(super) const ALL: &[Operator] = &[
    Operator {
        fits: |base| {
            is_plain(base)
                && !base.is_convolution()
                && (base.is_image() || matches!(base.source.name(), "wine" | "iris"))
        },
        apply: |plan, _, _| {
            as_columns(plan);
            plan.scaling = Scaling::NONE;
            Ok(())
        },
        ..Operator::tuning("raw-inputs", "pixels from 0 to 255, columns in their own units", &["R01"])
    },
    Operator {
        strengths: &[100.0, 3e4],
        fits: |base| is_plain(base) && !base.has_batch_norm() && !base.is_convolution(),
        apply: |plan, factor, _| {
            as_columns(plan);
            standardize(plan);
            plan.parts.all_mut().into_iter().for_each(|rows| rows.map(|_, value| value / factor as f32));
            Ok(())
        },
        ..Operator::tuning("scaled-twice", "standardised inputs divided once more", &["R01"])
    },
    Operator {
        strengths: &[1e5],
        fits: |base| !base.is_image() && is_plain(base),
        apply: |plan, far, _| {
            let width = plan.parts.train.width;
            plan.parts.train.values[..width].iter_mut().for_each(|value| *value += far as f32);
            plan.scaling = MinMax::per_feature().into();
            Ok(())
        },
        ..Operator::tuning(
            "squashed-by-far-values",
            "one far value in each column, scaled to 0..1 by it",
            &["R01"],
        )
    },
    Operator {
        fits: |base| base.is_numbers(),
        strengths: &[1e3],
        apply: |plan, factor, _| {
            plan.scales_target = false;
            times_target(plan, factor as f32);
            Ok(())
        },
        ..Operator::tuning("target-unscaled", "numbers to predict in the thousands", &["R01"])
    },
    Operator {
        fits: |base| base.source.name() == "colours",
        apply: |plan, _, _| {
            channels_first(plan);
            Ok(())
        },
        ..Operator::tuning(
            "channels-first",
            "images [3, 10, 10] taken for [height, width, channels]",
            &["R05"],
        )
    },
    Operator {
        strengths: &[1e3, 1e5],
        fits: |base| !base.is_image() && is_plain(base),
        apply: |plan, factor, _| {
            standardize(plan);
            let times = |column, value: f32| if column == 0 { value * factor as f32 } else { value };
            plan.parts.all_mut().into_iter().for_each(|rows| rows.map(times));
            Ok(())
        },
        ..Operator::scored("exploding-column", "one column in units a thousand times as small", &["R01"])
    },
    Operator {
        strengths: &[30.0, 1e3],
        fits: |base| !base.is_image() && is_plain(base),
        apply: |plan, offset, _| {
            standardize(plan);
            plan.parts.all_mut().into_iter().for_each(|rows| rows.map(|_, value| value + offset as f32));
            Ok(())
        },
        ..Operator::scored("far-offset", "every column far from 0, with deviation 1", &["R01"])
    },
    Operator {
        strengths: &[1e-4],
        fits: |base| base.is_numbers(),
        apply: |plan, factor, _| {
            standardize_target(plan);
            plan.scales_target = false;
            times_target(plan, factor as f32);
            Ok(())
        },
        ..Operator::scored("tiny-target", "numbers to predict with a deviation of 0.0001", &["R01"])
    },
    // As in the table of Adam-Bourdarios et al., 2014, "The Higgs boson machine learning challenge", where what was not measured
    // is -999; scaled with the rest, it leaves the measured values next to no room.
    Operator {
        strengths: &[0.05],
        fits: |base| !base.is_image(),
        apply: |plan, share, random| {
            for rows in plan.parts.all_mut() {
                let cells = rows.values.iter_mut().filter(|_| random.uniform() < share);
                cells.for_each(|value| *value = MISSING);
            }
            Ok(())
        },
        ..Operator::tuning(
            "missing-as-a-number",
            "what is missing in the inputs is written as -999",
            &["R01"],
        )
    },
    Operator {
        harms: Harms::Estimate,
        strengths: &[1.0],
        fits: |base| !base.is_recurrent(),
        apply: |plan, _, _| {
            let is_image = plan.parts.train.form != Form::Columns;
            let moments = plan.parts.train.moments();
            for rows in [&mut plan.parts.valid, &mut plan.parts.test] {
                match is_image {
                    true => rows.map(|_, value| value / 4.0),
                    false => rows.map(|column, value| (value - moments[column].0) / moments[column].1 * 0.1),
                }
            }
            Ok(())
        },
        ..Operator::scored("judged-otherwise-scaled", "validation and test part scaled otherwise", &["R25"])
    },
    // Two files with other units in one table: data that is put together wrongly in Humbatova et al., 2020, "Taxonomy of real
    // faults in deep learning systems". In use there is the one unit.
    Operator {
        strengths: &[1e3],
        fits: |base| !base.is_image(),
        apply: |plan, factor, random| {
            for rows in plan.parts.known_mut() {
                for row in rows.values.chunks_exact_mut(rows.width) {
                    let factor = if random.uniform() < 0.3 { factor as f32 } else { 1.0 };
                    row.iter_mut().for_each(|value| *value *= factor);
                }
            }
            Ok(())
        },
        ..Operator::tuning("rows-in-another-unit", "three rows in ten in thousandths of the unit", &["R01"])
    },
    // What scikit-learn's `normalize` does of itself: it makes each row as long as 1, and not each column.
    Operator {
        fits: |base| {
            is_plain(base) && matches!(base.source.name(), "penguins" | "titanic" | "impedance" | "housing")
        },
        apply: |plan, _, _| {
            plan.parts.all_mut().into_iter().for_each(to_length_one);
            plan.scaling = Scaling::NONE;
            Ok(())
        },
        ..Operator::scored(
            "rows-normalised",
            "each row divided by its length, and no column scaled",
            &["R01"],
        )
    },
    // `X.reshape(-1, X.shape[0])` for a transpose, which "scrambles" the data:
    // https://community.deeplearning.ai/t/flattening-images-in-the-logistic-regression-assignment-in-course-1-week-2/149.
    Operator {
        fits: |base| !base.is_image(),
        apply: |plan, _, _| {
            plan.parts.all_mut().into_iter().for_each(reshape_for_transpose);
            Ok(())
        },
        ..Operator::scored(
            "reshaped-for-transposed",
            "a table that was kept by columns is read by rows",
            &["R05", "R26"],
        )
    },
    // A cast in the wrong place, `(x / 255).astype(int)`: a wrong type of data in preprocessing, Humbatova et al., 2020.
    Operator {
        fits: |base| is_plain(base),
        apply: |plan, _, _| {
            cut_to_whole_numbers(plan);
            Ok(())
        },
        ..Operator::scored(
            "cut-to-whole-numbers",
            "inputs scaled to 0..1 and then kept as whole numbers",
            &["R01", "R07"],
        )
    },
];

/// What stands where nothing was measured.
pub(super) const MISSING: f32 = -999.0;

fn times_target(plan: &mut crate::plan::Plan, factor: f32) {
    for rows in plan.parts.all_mut() {
        if let crate::rows::Answers::Numbers(values) = &mut rows.answers {
            values.iter_mut().for_each(|value| *value *= factor);
        }
    }
}

fn standardize_target(plan: &mut crate::plan::Plan) {
    let crate::rows::Answers::Numbers(values) = &plan.parts.train.answers else { return };
    let count = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / count;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count).sqrt();
    for rows in plan.parts.all_mut() {
        if let crate::rows::Answers::Numbers(values) = &mut rows.answers {
            values.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
        }
    }
}

/// The same numbers, channel after channel.
fn channels_first(plan: &mut crate::plan::Plan) {
    let Form::Image([height, width, channels]) = plan.parts.train.form else { return };
    for rows in plan.parts.all_mut() {
        let area = height * width;
        let images = rows.values.chunks_exact(area * channels);
        rows.values = images
            .flat_map(|image| {
                (0..channels).flat_map(move |channel| (0..area).map(move |at| image[at * channels + channel]))
            })
            .collect();
        rows.form = Form::Image([channels, height, width]);
    }
    // A strip of three rows is halved once only.
    let mut pools = 0;
    plan.network.stages.retain(|stage| {
        pools += usize::from(matches!(stage, Stage::Pool));
        !matches!(stage, Stage::Pool) || pools < 2
    });
}

/// Between 0 and 1 by the training part, and what is behind the point cut off.
fn cut_to_whole_numbers(plan: &mut crate::plan::Plan) {
    let ranges: Vec<(f32, f32)> = match plan.parts.train.form {
        Form::Image(_) => vec![(0.0, 255.0); plan.parts.train.width],
        Form::Columns => (0..plan.parts.train.width).map(|column| range(&plan.parts.train, column)).collect(),
    };
    for rows in plan.parts.all_mut() {
        rows.map(|column, value| {
            let (least, most) = ranges[column];
            ((value - least) / (most - least).max(1e-6)).clamp(0.0, 1.0).floor()
        });
    }
}

/// The least and the largest number of a column.
fn range(rows: &Rows, column: usize) -> (f32, f32) {
    let column = rows.values.iter().skip(column).step_by(rows.width);
    column.fold((f32::MAX, f32::MIN), |(least, most), value| (least.min(*value), most.max(*value)))
}

/// Each row over its length.
fn to_length_one(rows: &mut Rows) {
    for row in rows.values.chunks_exact_mut(rows.width) {
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-6);
        row.iter_mut().for_each(|value| *value /= length);
    }
}

/// The columns one after the other, cut into rows.
fn reshape_for_transpose(rows: &mut Rows) {
    let (count, width) = (rows.len(), rows.width);
    rows.values = (0..count * width).map(|at| rows.values[at % count * width + at / count]).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Answers;

    #[test]
    fn a_table_kept_by_columns_and_read_by_rows_has_one_column_in_a_row() {
        let answers = Answers::Numbers(vec![0.0; 2]);
        let mut rows = Rows { form: Form::Columns, width: 2, values: vec![1.0, 2.0, 3.0, 4.0], answers };
        reshape_for_transpose(&mut rows);
        assert_eq!(rows.values, [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn a_row_of_length_one_keeps_its_direction() {
        let answers = Answers::Numbers(vec![0.0]);
        let mut rows = Rows { form: Form::Columns, width: 2, values: vec![3.0, 4.0], answers };
        to_length_one(&mut rows);
        assert_eq!(rows.values, [0.6, 0.8]);
    }

    #[test]
    fn of_whole_numbers_between_0_and_1_only_the_largest_of_a_column_is_1() {
        let base = crate::bases::by_name("ripples/layer-norm-mlp").unwrap();
        let mut plan = base.plan(&crate::sources::Library::new(None), 1).unwrap();
        cut_to_whole_numbers(&mut plan);
        let train = &plan.parts.train;
        let count = |number: f32| train.values.iter().filter(|value| **value == number).count();
        assert_eq!((count(1.0), count(0.0)), (train.width, train.values.len() - train.width));
    }
}
