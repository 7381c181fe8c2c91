//! Measurements for a person at a terminal: a line while they run, a table when they are done.

use super::{
    Ratio,
    plot::{duration, sparkline},
};
use stagegate_base::text::clean;

/// Blocks that the line while measuring shows.
const SPARKS: usize = 32;

/// One probe of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The probe's name.
    pub probe: String,
    /// The control's median in nanoseconds; `None` where there is none.
    pub baseline: Option<u64>,
    /// The candidate's median in nanoseconds; `None` where nothing was answered well.
    pub now: Option<u64>,
    /// Candidate to control.
    pub ratio: Option<Ratio>,
    /// The verdict, such as `no slower than 2 %`.
    pub words: String,
}

/// Writes a table: probe, baseline, now, ratio with its interval, verdict.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let head = ["probe", "baseline", "now", "ratio", "verdict"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        [
            one_line(&row.probe),
            median(row.baseline),
            median(row.now),
            row.ratio.map_or("-".into(), ratio),
            one_line(&row.words),
        ]
    });
    let lines: Vec<[String; 5]> = std::iter::once(head).chain(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let [probe, baseline, now, ratio] = [0, 1, 2, 3].map(width);
    lines
        .iter()
        .map(|[p, b, n, r, v]| {
            format!("{p:probe$}  {b:>baseline$}  {n:>now$}  {r:ratio$}  {v}").trim_end().to_owned() + "\n"
        })
        .collect()
}

/// How far a measurement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasurementProgress {
    /// So many seconds of those that it may take.
    Seconds(u64, u64),
    /// All of its blocks so far, of so many.
    BlocksOf(usize),
}

/// Writes the line that stands while a probe is measured: `orders  ▁▂▁▃  12.3 ms  41 blocks, 18 of 60 s`.
///
/// `medians` are those of the candidate's blocks so far, in nanoseconds.
#[must_use]
pub fn progress(probe: &str, medians: &[u64], gone: MeasurementProgress) -> String {
    let last = medians.last().map_or_else(String::new, |ns| format!("  {}", time(*ns)));
    let sparks = sparkline(medians, SPARKS);
    let blocks = medians.len();
    let gone = match gone {
        MeasurementProgress::Seconds(gone, all) => format!("{blocks} blocks, {gone} of {all} s"),
        MeasurementProgress::BlocksOf(all) => format!("{blocks} of {all} blocks"),
    };
    format!("{}  {sparks}{last}  {gone}", one_line(probe))
}

fn median(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), time)
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn time(ns: u64) -> String {
    duration(ns as f64)
}

fn ratio(ratio: Ratio) -> String {
    format!("{:.3} ({:.3} to {:.3})", ratio.estimate, ratio.low, ratio.high)
}

fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_probe_in_columns() {
        let rows = [
            Row {
                probe: "orders".into(),
                baseline: Some(12_300_000),
                now: Some(13_700_000),
                ratio: Some(Ratio { estimate: 1.113, low: 1.08, high: 1.14 }),
                words: "slower by 8-14 %".into(),
            },
            Row {
                probe: "a-probe-with-a-long-name".into(),
                baseline: None,
                now: Some(950_000),
                ratio: None,
                words: "no\u{1b}[31m samples".into(),
            },
        ];
        let want = "\
probe                     baseline      now  ratio                   verdict
orders                     12.3 ms  13.7 ms  1.113 (1.080 to 1.140)  slower by 8-14 %
a-probe-with-a-long-name         -   950 µs  -                       no samples
";
        assert_eq!(table(&rows), want);
    }

    #[test]
    fn the_line_while_measuring_shows_the_blocks_so_far() {
        assert_eq!(progress("orders", &[], MeasurementProgress::Seconds(0, 60)), "orders    0 blocks, 0 of 60 s");
        assert_eq!(
            progress("orders", &[1_000_000, 2_000_000, 1_500_000], MeasurementProgress::Seconds(18, 60)),
            "orders  ▁█▄  1.5 ms  3 blocks, 18 of 60 s"
        );
        assert_eq!(
            progress("orders", &[1_000_000], MeasurementProgress::BlocksOf(72)),
            "orders  ▁  1 ms  1 of 72 blocks"
        );
    }
}
