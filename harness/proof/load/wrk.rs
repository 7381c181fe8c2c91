//! Runs `wrk` and reads what it prints.

use std::{error::Error, path::Path, process::Command};

/// What one run reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WrkResult {
    /// Requests a second.
    pub(crate) rate: f64,
    /// The 99th percentile of the latencies, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// Runs it on one thread.
pub(crate) fn run(program: &Path, url: &str, connections: usize, seconds: u64) -> Result<WrkResult, Box<dyn Error>> {
    let output = Command::new(program)
        .args(["--latency", "-t1", "-c", &connections.to_string(), "-d", &format!("{seconds}s"), url])
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    said(&text).ok_or_else(|| format!("{} printed no percentiles:\n{text}", program.display()).into())
}

fn said(text: &str) -> Option<WrkResult> {
    let after = |label: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(label))?;
        line.trim_start().strip_prefix(label).map(str::trim)
    };
    Some(WrkResult { rate: after("Requests/sec:")?.parse().ok()?, p99_ms: milliseconds(after("99%")?)? })
}

fn milliseconds(text: &str) -> Option<f64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..unit].parse().ok()?;
    match &text[unit..] {
        "us" => Some(number / 1e3),
        "ms" => Some(number),
        "s" => Some(number * 1e3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn rate_and_percentile_are_read_from_what_it_prints() {
        let text = "Running 1s test @ http://127.0.0.1:1/\n  Latency Distribution\n     50%  256.00us\n     99%    1.25ms\n\
                    Requests/sec:  60214.09\nTransfer/sec:      4.71MB\n";
        assert_eq!(super::said(text), Some(super::WrkResult { rate: 60214.09, p99_ms: 1.25 }));
        assert_eq!(super::said("unable to connect"), None);
    }
}
