//! From numbers to places: an axis with round ticks, linear or logarithmic.

use crate::number::at_axis;

/// How an axis is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Logarithmic where the numbers are positive and the largest is far beyond the smallest, else linear.
    #[default]
    Auto,
    /// Equal steps.
    Linear,
    /// Linear, with ticks at whole numbers only.
    Whole,
    /// Linear from 0.
    FromZero,
}

/// The largest number must be so many times the smallest for a logarithmic axis to help.
const FAR: f64 = 30.0;
/// About so many ticks an axis gets.
const TICKS: f64 = 5.0;

/// An axis: which numbers it shows, and its ticks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
    /// Numbers and what is written at them.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis on which all finite `numbers` have a place.
    pub fn of(numbers: impl Iterator<Item = f64>, scale: Scale) -> Axis {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for number in numbers.filter(|number| number.is_finite()) {
            (low, high) = (low.min(number), high.max(number));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        match scale {
            Scale::Auto if low > 0.0 && high / low >= FAR => Axis::log(low, high),
            Scale::Auto | Scale::Linear => Axis::linear(low, high, 0.0),
            Scale::Whole => Axis::whole(low, high),
            // Nothing but zeros has nothing below.
            Scale::FromZero if low == 0.0 && high == 0.0 => Axis::linear(0.0, 1.0, 0.0),
            Scale::FromZero => Axis::linear(low.min(0.0), high.max(0.0), 0.0),
        }
    }

    fn linear(low: f64, high: f64, least_step: f64) -> Axis {
        let (low, high) = apart(low, high);
        let step = round_step((high - low) / TICKS).max(least_step);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let count = ((high - low) / step).round() as usize;
        let ticks = (0..=count).map(|tick| {
            let number = low + tick as f64 * step;
            // What rounding has left of 0.
            let number = if number.abs() < step * 1e-9 { 0.0 } else { number };
            (number, at_axis(number, step, low.abs().max(high.abs())))
        });
        Axis { low, high, is_log: false, ticks: ticks.collect() }
    }

    /// From the first to the last number, without room beside them.
    fn whole(low: f64, high: f64) -> Axis {
        let low = low.floor();
        let (from, to) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
        let wide = Axis::linear(low, high, 1.0);
        let mut ticks: Vec<(f64, String)> =
            wide.ticks.into_iter().filter(|(tick, _)| (from..=to).contains(tick) && *tick >= low).collect();
        // The first epoch is worth a tick, where there is room.
        let step = if ticks.len() > 1 { ticks[1].0 - ticks[0].0 } else { f64::INFINITY };
        if ticks.first().is_none_or(|(tick, _)| *tick - low >= 0.5 * step) {
            ticks.insert(0, (low, format!("{low:.0}")));
        }
        Axis { low: from, high: to, is_log: false, ticks }
    }

    fn log(low: f64, high: f64) -> Axis {
        let decades = (high / low).log10();
        let within: &[f64] = if decades > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
        let all: Vec<f64> =
            powers.flat_map(|power| within.iter().map(move |part| part * 10_f64.powi(power))).collect();
        let from = all.iter().rev().find(|tick| **tick <= low * (1.0 + 1e-12)).copied().unwrap_or(low);
        let to = all.iter().find(|tick| **tick >= high * (1.0 - 1e-12)).copied().unwrap_or(high);
        let every = ((to / from).log10() / 8.0).ceil().max(1.0) as i32;
        let is_shown = |tick: &f64| within.len() > 1 || tick.log10().round() as i32 % every == 0;
        let shown = all.into_iter().filter(|tick| (from..=to).contains(tick)).filter(is_shown);
        let ticks = shown.map(|tick| (tick, at_axis(tick, tick, tick))).collect();
        Axis { low: from, high: to, is_log: true, ticks }
    }

    /// The same numbers on both axes of a square.
    pub fn shared(x: &Axis, y: &Axis) -> Axis {
        Axis::linear(x.low.min(y.low), x.high.max(y.high), 0.0)
    }

    /// Where `number` lies, from 0 to 1; none where it has no place.
    pub fn place(&self, number: f64) -> Option<f64> {
        let place = match self.is_log {
            true => (number / self.low).ln() / (self.high / self.low).ln(),
            false => (number - self.low) / (self.high - self.low),
        };
        place.is_finite().then_some(place.clamp(-0.01, 1.01))
    }

    /// The ends.
    pub fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Whether it is logarithmic.
    pub fn is_log(&self) -> bool {
        self.is_log
    }
}

/// Ends that are apart, also of numbers that are all the same.
fn apart(low: f64, high: f64) -> (f64, f64) {
    // Differences that are rounding are none.
    if high - low > 1e-9 * high.abs().max(low.abs()) {
        // What is further than numbers go is drawn as far as it goes.
        return (low.max(-1e300), high.min(1e300));
    }
    let room = if low == 0.0 { 1.0 } else { low.abs() / 2.0 };
    (low - room, high + room)
}

/// The next of 1, 2, 5, 10, 20, ...
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let part = step / power;
    let round = [1.0, 2.0, 5.0].into_iter().find(|round| part <= round * (1.0 + 1e-9)).unwrap_or(10.0);
    round * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(numbers: &[f64], scale: Scale) -> Vec<String> {
        Axis::of(numbers.iter().copied(), scale).ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_enclose_the_numbers() {
        assert_eq!(labels(&[0.12, 0.97], Scale::Linear), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&[0.955, 0.97], Scale::Auto).first().unwrap(), "0.955");
        assert_eq!(labels(&[3.0, 180.0], Scale::FromZero), ["0", "50", "100", "150", "200"]);
        assert_eq!(labels(&[0.0, 0.0], Scale::FromZero), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }

    #[test]
    fn epochs_have_whole_ticks_and_begin_with_the_first() {
        assert_eq!(labels(&[1.0, 10.0], Scale::Whole), ["1", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&[1.0, 3.0], Scale::Whole), ["1", "2", "3"]);
        assert_eq!(labels(&[1.0], Scale::Whole), ["1"]);
        assert_eq!(labels(&[1.0, 100.0], Scale::Whole), ["1", "20", "40", "60", "80", "100"]);
    }

    #[test]
    fn numbers_over_decades_get_a_logarithmic_axis() {
        let axis = Axis::of([0.01, 2.0].into_iter(), Scale::Auto);
        assert!(axis.is_log());
        assert_eq!(axis.place(0.01), Some(0.0));
        assert_eq!(axis.place(0.0), None);
        let middle = axis.place(0.1).unwrap();
        assert!((0.3..0.6).contains(&middle), "{middle}");
        assert!(!Axis::of([0.0, 2.0].into_iter(), Scale::Auto).is_log());
        let wide = labels(&[1e-12, 1.0], Scale::Auto);
        assert!(wide.len() <= 9 && wide.last().unwrap() == "1", "{wide:?}");
    }

    #[test]
    fn whatever_the_numbers_every_tick_has_a_place() {
        let odd: [&[f64]; 6] =
            [&[], &[f64::NAN, f64::INFINITY], &[5.0, 5.0], &[0.0], &[-1e308, 1e308], &[1e-300, 1e300]];
        for numbers in odd {
            for scale in [Scale::Auto, Scale::Linear, Scale::FromZero] {
                let axis = Axis::of(numbers.iter().copied(), scale);
                assert!((1..20).contains(&axis.ticks.len()), "{numbers:?} {scale:?}: {axis:?}");
                assert!(axis.ticks.iter().all(|(tick, _)| axis.place(*tick).is_some()), "{axis:?}");
            }
        }
    }
}
