//! Confident learning: how often a label is not the class that its row surely has.
//!
//! Northcutt, Jiang, Chuang, 2021, "Confident learning: estimating uncertainty in dataset labels", JAIR 70. Of held-out rows
//! with labels `y` and probabilities `p`:
//!
//! ```text
//! t_j     = mean of p_j over the rows labelled j                              how sure the network is of class j
//! class   = argmax of p_j over the classes with p_j >= t_j                    none where there is no such class
//! C[i][j] = rows labelled i that surely are of class j                        the confident joint
//! Q[i][j] = C[i][j] / sum_j C[i][j] * rows labelled i / rows                  calibrated to the labels
//! ```
//!
//! What lies off the diagonal are rows whose label is doubtful. A threshold for each class makes up for a network that is
//! less sure of one class than of another, as it is of one that is often called by another name.

/// How often rows labelled one class surely are of another.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfidentJoint {
    classes: usize,
    /// `[label, class]`.
    counts: Vec<usize>,
    /// Rows of each label.
    labelled: Vec<usize>,
    /// The class that each row surely has.
    sure: Vec<Option<usize>>,
}

impl ConfidentJoint {
    /// Of `[rows, classes]` probabilities and the label of each row.
    pub fn of(probabilities: &[f64], labels: &[usize], classes: usize) -> ConfidentJoint {
        let rows = || probabilities.chunks_exact(classes.max(1)).zip(labels);
        let mut labelled = vec![0; classes];
        let mut thresholds = vec![0.0; classes];
        for (row, &label) in rows() {
            labelled[label] += 1;
            thresholds[label] += row[label];
        }
        for (threshold, &count) in thresholds.iter_mut().zip(&labelled) {
            // Of a class that no row has nothing is sure.
            *threshold = if count > 0 { *threshold / count as f64 } else { f64::INFINITY };
        }
        let class_of = |row: &[f64]| {
            let reached = (0..classes).filter(|&class| row[class] >= thresholds[class]);
            reached.max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)))
        };
        let sure: Vec<Option<usize>> = rows().map(|(row, _)| class_of(row)).collect();
        let mut counts = vec![0; classes * classes];
        for (&label, class) in labels.iter().zip(&sure) {
            if let Some(class) = class {
                counts[label * classes + class] += 1;
            }
        }
        ConfidentJoint { classes, counts, labelled, sure }
    }

    /// Rows labelled `label` that surely are of class `class`.
    pub fn count(&self, label: usize, class: usize) -> usize {
        self.counts[label * self.classes + class]
    }

    /// The class that the row at `row` surely has; none where no class is sure.
    pub fn class_of(&self, row: usize) -> Option<usize> {
        self.sure[row]
    }

    /// The share of all rows that is labelled `label` and of class `class`, as it would be found if all rows were sure.
    pub fn share(&self, label: usize, class: usize) -> f64 {
        let sure: usize = (0..self.classes).map(|class| self.count(label, class)).sum();
        let of_label = if sure == 0 {
            f64::from(u8::from(label == class))
        } else {
            self.count(label, class) as f64 / sure as f64
        };
        of_label * self.labelled[label] as f64 / self.labelled.iter().sum::<usize>().max(1) as f64
    }

    /// The share of all rows whose label is not their class.
    pub fn doubtful_share(&self) -> f64 {
        let pairs = (0..self.classes).flat_map(|label| (0..self.classes).map(move |class| (label, class)));
        pairs.filter(|(label, class)| label != class).map(|(label, class)| self.share(label, class)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thresholds: (.8 + .6 + .1) / 3 = .5, (.8 + .6) / 2 = .7 and .7.
    const SAID: [[f64; 3]; 6] = [
        [0.8, 0.1, 0.1],
        [0.6, 0.3, 0.1],
        [0.1, 0.8, 0.1],
        [0.1, 0.8, 0.1],
        [0.3, 0.6, 0.1],
        [0.1, 0.2, 0.7],
    ];
    const LABELS: [usize; 6] = [0, 0, 0, 1, 1, 2];

    #[test]
    fn the_joint_is_that_of_the_hand() {
        let joint = ConfidentJoint::of(&SAID.concat(), &LABELS, 3);
        let sure: Vec<Option<usize>> = (0..6).map(|row| joint.class_of(row)).collect();
        assert_eq!(sure, [Some(0), Some(0), Some(1), Some(1), None, Some(2)]);
        let counts: Vec<usize> = (0..9).map(|pair| joint.count(pair / 3, pair % 3)).collect();
        assert_eq!(counts, [2, 1, 0, 0, 1, 0, 0, 0, 1]);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(joint.share(0, 0), 1.0 / 3.0) && near(joint.share(0, 1), 1.0 / 6.0));
        assert!(near(joint.share(1, 1), 1.0 / 3.0) && near(joint.share(2, 2), 1.0 / 6.0));
        assert!(near(joint.doubtful_share(), 1.0 / 6.0));
    }

    #[test]
    fn of_several_classes_that_are_reached_the_likeliest_is_sure_and_never_one_without_rows() {
        let joint = ConfidentJoint::of(&[0.3, 0.4, 0.3, 0.2, 0.2, 0.6], &[0, 1], 3);
        assert_eq!((joint.class_of(0), joint.class_of(1)), (Some(1), Some(1)));
        assert_eq!(joint.share(2, 2), 0.0);
    }
}
