//! A probe's measurement as a picture (SVG): how its latencies are spread, and how its blocks went over time.
//!
//! In: blocks. Out: text that stands alone or in an HTML page; it loads nothing and holds no script. Every text that
//! the user wrote is escaped.

use stagegate_base::text::xml_escaped;
use std::fmt::Write;

use super::{Arm, Block};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Room for the labels of an axis.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 34.0;
const TOP: f64 = 26.0;
const RIGHT: f64 = 12.0;
/// Classes of latency in a spread: few for few requests, so that a line is no comb.
const CLASSES: [usize; 2] = [10, 60];

/// Where values become places.
struct Scale {
    from: f64,
    to: f64,
    at: [f64; 2],
}

impl Scale {
    fn of(&self, value: f64) -> f64 {
        let share = if self.to > self.from { (value - self.from) / (self.to - self.from) } else { 0.5 };
        self.at[0] + share.clamp(0.0, 1.0) * (self.at[1] - self.at[0])
    }
}

/// Draws a probe: the spread of the latencies of each arm, below it each block's median over time.
///
/// Arms without a good response are left out; where there is none at all the picture states so.
#[must_use]
pub fn svg(probe: &str, blocks: &[Block]) -> String {
    let good: Vec<&Block> = blocks.iter().filter(|block| block.latencies.count > 0).collect();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {WIDTH} {}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"11\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        2.0 * HEIGHT,
        xml_escaped(probe)
    );
    if good.is_empty() {
        text.push_str(&label(WIDTH / 2.0, HEIGHT, "middle", "no request succeeded"));
    } else {
        text.push_str(&spread(&good));
        let _ = write!(text, "<g transform=\"translate(0 {HEIGHT})\">\n{}</g>\n", over_time(&good));
    }
    text.push_str("</svg>\n");
    text
}

/// Draws the spread of single latencies, or of the blocks' percentiles where single ones were not kept.
fn spread(blocks: &[&Block]) -> String {
    let arms = arms(blocks);
    let values: Vec<(Arm, Vec<f64>)> = arms.iter().map(|arm| (*arm, latencies(blocks, *arm))).collect();
    let (low, high) = central(values.iter().flat_map(|(_, ns)| ns.iter().copied()));
    let x = Scale { from: low.ln(), to: high.ln(), at: [LEFT, WIDTH - RIGHT] };
    let count = class_count(values.iter().map(|(_, ns)| ns.len()).min().unwrap_or_default());
    let shares: Vec<(Arm, Vec<f64>)> = values.iter().map(|(arm, ns)| (*arm, classes(ns, low, high, count))).collect();
    let most = shares.iter().flat_map(|(_, shares)| shares.iter().copied()).fold(0.0, f64::max);
    let y = Scale { from: 0.0, to: most, at: [HEIGHT - BOTTOM, TOP] };
    let mut text = heading("share of requests by latency", &arms);
    text.push_str(&axis_below(&x, low, high));
    for (arm, shares) in &shares {
        let points: Vec<(f64, f64)> =
            shares.iter().enumerate().map(|(i, share)| (middle(&x, i, count), y.of(*share))).collect();
        text.push_str(&line(*arm, &points));
    }
    text
}

/// Draws each block's median and the span from its quickest to its 95th percentile.
fn over_time(blocks: &[&Block]) -> String {
    let arms = arms(blocks);
    let values = blocks.iter().flat_map(|b| [b.latencies.p50, b.latencies.p95]).map(nanoseconds);
    let (low, high) = central(values);
    let end = blocks.iter().map(|b| b.started_us + b.took_us).max().map_or(1.0, nanoseconds);
    let x = Scale { from: 0.0, to: end, at: [LEFT, WIDTH - RIGHT] };
    let y = Scale { from: low.ln(), to: high.ln(), at: [HEIGHT - BOTTOM, TOP] };
    let mut text = heading("median of each block over time, up to its p95", &arms);
    text.push_str(&axis_left(&y, low, high));
    let seconds = duration(end * 1e3);
    text.push_str(&label(LEFT, HEIGHT - 14.0, "start", "0 s"));
    text.push_str(&label(WIDTH - RIGHT, HEIGHT - 14.0, "end", &seconds));
    for arm in &arms {
        let of_arm: Vec<&&Block> = blocks.iter().filter(|block| block.arm == *arm).collect();
        let at = |block: &Block| x.of(nanoseconds(block.started_us + block.took_us / 2));
        for block in &of_arm {
            let (p50, p95) = (y.of(nanoseconds(block.latencies.p50).ln()), y.of(nanoseconds(block.latencies.p95).ln()));
            let _ = writeln!(
                text,
                "<path d=\"M{0:.1} {p50:.1}V{p95:.1}\" stroke=\"{1}\" stroke-opacity=\".35\"/>\
                 <circle cx=\"{0:.1}\" cy=\"{p50:.1}\" r=\"2\" fill=\"{1}\"/>",
                at(block),
                colour(*arm)
            );
        }
        let points: Vec<(f64, f64)> =
            of_arm.iter().map(|block| (at(block), y.of(nanoseconds(block.latencies.p50).ln()))).collect();
        text.push_str(&line(*arm, &points));
    }
    text
}

/// Returns the arms that are there, in their usual order.
fn arms(blocks: &[&Block]) -> Vec<Arm> {
    [Arm::Candidate, Arm::Control, Arm::ControlAgain, Arm::Reference]
        .into_iter()
        .filter(|arm| blocks.iter().any(|block| block.arm == *arm))
        .collect()
}

fn latencies(blocks: &[&Block], arm: Arm) -> Vec<f64> {
    let of_arm = blocks.iter().filter(|block| block.arm == arm);
    let mut ns: Vec<f64> = Vec::new();
    for block in of_arm {
        if block.samples_ns.is_empty() {
            let l = &block.latencies;
            ns.extend([l.min, l.p50, l.p90, l.p95, l.p99].map(nanoseconds));
        } else {
            ns.extend(block.samples_ns.iter().copied().map(nanoseconds));
        }
    }
    ns
}

/// Returns the bounds between which 99 of 100 values lie, a little wider, so that one outlier does not flatten all.
fn central(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut values: Vec<f64> = values.map(|value| value.max(1.0)).collect();
    values.sort_by(f64::total_cmp);
    let at = |per_cent: usize| values.get((values.len() * per_cent / 100).min(values.len().saturating_sub(1))).copied();
    let (low, high) = (at(0).unwrap_or(1.0), at(99).unwrap_or(1.0));
    (low / 1.05, (high * 1.05).max(low * 1.1))
}

/// Returns how many classes suit so many values.
fn class_count(values: usize) -> usize {
    (2 * values.isqrt()).clamp(CLASSES[0], CLASSES[1])
}

/// Returns the share of values in each of the classes between two bounds; what lies beyond is in the outer ones.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a class is a small number, made from a share that was clamped"
)]
fn classes(ns: &[f64], low: f64, high: f64, count: usize) -> Vec<f64> {
    let mut counts = vec![0_u32; count];
    for value in ns {
        let share = ((value.max(1.0).ln() - low.ln()) / (high.ln() - low.ln())).clamp(0.0, 1.0);
        counts[((share * count as f64) as usize).min(count - 1)] += 1;
    }
    counts.into_iter().map(|count| f64::from(count) / ns.len().max(1) as f64).collect()
}

#[expect(clippy::cast_precision_loss, reason = "some dozens of classes")]
fn middle(x: &Scale, class: usize, count: usize) -> f64 {
    x.at[0] + (class as f64 + 0.5) / count as f64 * (x.at[1] - x.at[0])
}

fn heading(text: &str, arms: &[Arm]) -> String {
    let mut out = label(LEFT, 14.0, "start", text);
    let mut right = WIDTH - RIGHT;
    for arm in arms.iter().rev() {
        let _ = writeln!(
            out,
            "<text x=\"{right:.1}\" y=\"14\" text-anchor=\"end\" fill=\"{}\">{}</text>",
            colour(*arm),
            name(*arm)
        );
        right -= 84.0;
    }
    out
}

fn axis_below(x: &Scale, low: f64, high: f64) -> String {
    let foot = HEIGHT - BOTTOM;
    let mut out = format!("<path d=\"M{LEFT} {foot}H{}\" stroke=\"#999\"/>\n", WIDTH - RIGHT);
    for value in ticks(low, high) {
        let at = x.of(value.ln());
        let _ = writeln!(out, "<path d=\"M{at:.1} {TOP}V{:.1}\" stroke=\"#eee\"/>", foot + 4.0);
        out.push_str(&label(at, HEIGHT - 14.0, "middle", &duration(value)));
    }
    out
}

fn axis_left(y: &Scale, low: f64, high: f64) -> String {
    let mut out = format!("<path d=\"M{LEFT} {TOP}V{}\" stroke=\"#999\"/>\n", HEIGHT - BOTTOM);
    for value in ticks(low, high) {
        let at = y.of(value.ln());
        let _ = writeln!(out, "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"#eee\"/>", WIDTH - RIGHT);
        out.push_str(&label(LEFT - 6.0, at + 4.0, "end", &duration(value)));
    }
    out
}

/// Returns round values between two bounds: 1, 2 and 5 of each power of ten, or finer where they lie close.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let coarse: &[f64] = &[1.0, 2.0, 5.0];
    let fine: &[f64] = &[1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0];
    let within = |steps: &[f64]| -> Vec<f64> {
        (0..12)
            .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
            .filter(|value| (low..=high).contains(value))
            .collect()
    };
    let ticks = within(coarse);
    if ticks.len() >= 3 { ticks } else { within(fine) }
}

fn line(arm: Arm, points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
    }
    let dash = if arm == Arm::ControlAgain { " stroke-dasharray=\"4 3\"" } else { "" };
    format!("<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"{dash}/>\n", colour(arm))
}

fn label(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#444\">{}</text>\n", xml_escaped(text))
}

fn colour(arm: Arm) -> &'static str {
    match arm {
        Arm::Candidate => "#c2410c",
        Arm::Control => "#1d4ed8",
        Arm::ControlAgain => "#60a5fa",
        Arm::Reference => "#6b7280",
    }
}

fn name(arm: Arm) -> &'static str {
    match arm {
        Arm::Candidate => "candidate",
        Arm::Control => "control",
        Arm::ControlAgain => "control again",
        Arm::Reference => "reference",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
fn nanoseconds(ns: u64) -> f64 {
    ns as f64
}

/// Writes nanoseconds with a unit that suits them, to three digits.
#[must_use]
pub fn duration(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let text = match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

/// Draws values as a line of block characters, the last `width` of them, from the least to the greatest.
#[must_use]
pub fn sparkline(values: &[u64], width: usize) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &values[values.len().saturating_sub(width)..];
    let (Some(low), Some(high)) = (shown.iter().min(), shown.iter().max()) else { return String::new() };
    let range = u128::from(high - low).max(1);
    let step = |value: &u64| STEPS[usize::try_from(u128::from(value - low) * 7 / range).unwrap_or(7)];
    shown.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::Latencies;
    use super::*;

    fn block(arm: Arm, rotation: u32, samples: &[u64]) -> Block {
        Block {
            arm,
            rotation,
            intended_us: 0,
            started_us: u64::from(rotation) * 1_000,
            took_us: 900,
            sent: samples.len() as u64,
            latencies: Latencies::of(samples),
            samples_ns: samples.to_vec(),
            errors: Default::default(),
            timeouts: 0,
            bytes: 0,
            smallest: 0,
            largest: 0,
            intended_rate: None,
            achieved_rate: 0.0,
            lag_us: 0,
        }
    }

    /// Two arms of three blocks; the candidate takes a fifth longer.
    fn two_arms() -> Vec<Block> {
        let samples = |factor: u64| (0..20_u64).map(|i| (1_000 + i * i) * factor * 100).collect::<Vec<u64>>();
        (0..3).flat_map(|i| [block(Arm::Candidate, i, &samples(12)), block(Arm::Control, i, &samples(10))]).collect()
    }

    #[test]
    fn a_picture_has_the_spread_of_each_arm_and_its_blocks_over_time() {
        let picture = svg("orders", &two_arms());
        assert_eq!(picture.matches("<circle").count(), 6);
        assert_eq!(picture.matches(r##"fill="none" stroke="#c2410c""##).count(), 2);
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("performance-plot.svg", picture));
    }

    #[rstest]
    #[case::nothing(&[])]
    #[case::only_errors(&[block(Arm::Candidate, 0, &[])])]
    fn without_a_good_response_the_picture_states_so(#[case] blocks: &[Block]) {
        assert!(svg("orders", blocks).contains("no request succeeded"));
    }

    #[test]
    fn one_value_and_values_without_samples_are_drawn_too() {
        let mut one = block(Arm::Candidate, 0, &[5]);
        assert!(!svg("x", std::slice::from_ref(&one)).contains("NaN"));
        one.samples_ns.clear();
        assert!(svg("x", &[one]).contains("<circle"));
    }

    #[test]
    fn a_name_is_text_and_never_markup() {
        let picture = svg("</title><script>alert(1)</script>\u{202e}", &[]);
        assert!(!picture.contains("<script") && !picture.contains('\u{202e}'), "{picture}");
        assert!(picture.contains("&lt;script&gt;"));
    }

    #[rstest]
    #[case(950.0, "950 ns")]
    #[case(1_500.0, "1.5 µs")]
    #[case(12_340_000.0, "12.3 ms")]
    #[case(2e9, "2 s")]
    #[case(100e6, "100 ms")]
    fn a_duration_has_a_unit_that_suits_it(#[case] ns: f64, #[case] want: &str) {
        assert_eq!(duration(ns), want);
    }

    #[rstest]
    #[case(&[], "")]
    #[case(&[5, 5], "▁▁")]
    #[case(&[9, 0, 7, 14], "▁▄█")]
    #[case(&[0, u64::MAX, 0], "▁█▁")]
    fn a_sparkline_goes_from_the_least_to_the_greatest(#[case] values: &[u64], #[case] want: &str) {
        assert_eq!(sparkline(values, 3), want);
    }
}
