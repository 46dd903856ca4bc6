//! Recurrent layers.

use barun_nn::Init;

use super::Operator;
use crate::network::{Recurrent, Stage};

pub(super) const ALL: &[Operator] = &[
    Operator {
        strengths: &[8.0],
        fits: |base| base.is_recurrent(),
        apply: |plan, gain, _| {
            plan.network.each(|stage| {
                if let Stage::Recurrent(_, _, first, _) = stage {
                    *first = Init::Orthogonal(gain);
                }
            });
            Ok(())
        },
        ..Operator::tuning(
            "recurrent-huge",
            "recurrent weights eight times too large",
            &["R04", "R10", "R12"],
        )
    },
    Operator {
        fits: |base| base.is_recurrent(),
        apply: |plan, _, _| {
            plan.network.each(|stage| {
                if let Stage::Recurrent(kind, _, first, _) = stage {
                    (*kind, *first) = (Recurrent::Rnn, Init::Normal(0.01));
                }
            });
            Ok(())
        },
        ..Operator::scored("recurrent-fading", "a simple recurrent layer with tiny weights", &["R04", "R09"])
    },
    Operator {
        strengths: &[-6.0],
        fits: |base| base.is_recurrent(),
        apply: |plan, bias, _| {
            plan.network.each(|stage| {
                if let Stage::Recurrent(_, _, _, forget_bias) = stage {
                    *forget_bias = bias;
                }
            });
            Ok(())
        },
        ..Operator::scored("forgetful", "forget gates that are shut", &["R04", "R09", "R12"])
    },
    // Zeros behind short sequences, which a state must be kept through: Dwarampudi & Reddy, 2019, "Effects of padding on LSTMs and
    // CNNs".
    Operator {
        strengths: &[60.0],
        fits: |base| base.is_recurrent(),
        apply: |plan, zeros, _| {
            super::inputs::standardize(plan);
            for rows in plan.parts.all_mut() {
                (0..zeros as usize).for_each(|_| rows.add_column(|_| 0.0));
            }
            Ok(())
        },
        ..Operator::scored("padded-behind", "sequences with sixty zeros behind them", &["R09"])
    },
];
