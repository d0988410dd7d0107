//! The picture: API calls per second in both runs, as an SVG that suits dark and light pages.

use std::{fmt::Write, time::Duration};

use crate::{report::with_commas, run::Outcome};

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 440.0;
/// The plot within the picture.
const LEFT: f64 = 78.0;
const RIGHT: f64 = WIDTH - 28.0;
const TOP: f64 = 112.0;
const BOTTOM: f64 = HEIGHT - 58.0;
/// A point of a line stands for so many seconds.
const SLICE: f64 = 0.25;
/// About so many lines across.
const GRID_LINES: f64 = 5.0;

const STYLE: &str = "
  svg { --paper: #fbfaf8; --ink: #22252a; --soft: #646a73; --grid: #e4e2dd; --always: #c2410c; --occupied: #0f766e; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #15171b; --ink: #eceae5; --soft: #9aa1ab; --grid: #2c3037; --always: #fb8b4b; --occupied: #3dd6c3; }
  }
  .paper { fill: var(--paper); stroke: var(--grid); }
  text { font: 14px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; fill: var(--soft); }
  .title { font-size: 20px; font-weight: 650; fill: var(--ink); }
  .key { fill: var(--ink); }
  .number { font-variant-numeric: tabular-nums; }
  .grid { stroke: var(--grid); }
  .axis { stroke: var(--soft); }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round; }
  .always { stroke: var(--always); }
  .occupied { stroke: var(--occupied); }
  .area { stroke: none; fill-opacity: 0.16; }
  .area.always, .dot.always { fill: var(--always); }
  .area.occupied, .dot.occupied { fill: var(--occupied); }
";

/// Draws both runs.
pub(crate) fn svg(always: &Outcome, occupied: &Outcome) -> String {
    let rates = [rates(&always.calls), rates(&occupied.calls)];
    let slices = rates.iter().map(Vec::len).max().unwrap_or_default();
    let seconds = (slices as f64 * SLICE).ceil().max(1.0);
    let step = nice_step(rates.iter().flatten().copied().fold(1.0, f64::max) / GRID_LINES);
    let highest = rates.iter().flatten().copied().fold(1.0, f64::max);
    let plane = Plane {
        seconds,
        per_second: (highest / step).ceil() * step,
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"API calls per second over time: {} calls when everything is published, {} when only occupied channels are published to\">\n\
         <style>{STYLE}</style>\n\
         <rect class=\"paper\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"12\"/>\n",
        with_commas(always.calls.len()),
        with_commas(occupied.calls.len()),
        WIDTH - 1.0,
        HEIGHT - 1.0,
    );
    text(&mut svg, "title", (28.0, 38.0), "start", "API calls per second");
    key(&mut svg, "always", 62.0, "publishing always", always);
    key(
        &mut svg,
        "occupied",
        86.0,
        "publishing when the channel is occupied",
        occupied,
    );
    plane.grid(&mut svg, step);
    for (class, rates) in ["always", "occupied"].into_iter().zip(&rates) {
        plane.line(&mut svg, class, rates);
    }
    svg += "</svg>\n";
    svg
}

/// The calls of each slice of time, as a rate per second. The last slice is not whole and left out.
fn rates(calls: &[Duration]) -> Vec<f64> {
    let mut rates = Vec::new();
    for call in calls {
        let slice = (call.as_secs_f64() / SLICE) as usize;
        if rates.len() <= slice {
            rates.resize(slice + 1, 0.0);
        }
        rates[slice] += 1.0 / SLICE;
    }
    rates.pop();
    rates
}

/// The next larger of 1, 2, 5, 10, 20, 50, …
fn nice_step(least: f64) -> f64 {
    let magnitude = 10_f64.powf(least.max(1.0).log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let factor = factors.into_iter().find(|factor| least <= factor * magnitude);
    factor.unwrap_or(10.0) * magnitude
}

fn text(svg: &mut String, class: &str, (x, y): (f64, f64), anchor: &str, words: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

fn key(svg: &mut String, class: &str, y: f64, name: &str, outcome: &Outcome) {
    let _ = writeln!(
        svg,
        "<circle class=\"dot {class}\" cx=\"34\" cy=\"{}\" r=\"5\"/>",
        y - 1.0
    );
    let words = format!("{name}: {} calls", with_commas(outcome.calls.len()));
    text(svg, "key", (48.0, y + 4.0), "start", &words);
}

/// What the axes span.
struct Plane {
    seconds: f64,
    per_second: f64,
}

impl Plane {
    fn x(&self, second: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * second / self.seconds
    }

    fn y(&self, per_second: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * per_second / self.per_second
    }

    fn grid(&self, svg: &mut String, step: f64) {
        let mut value = 0.0;
        while value <= self.per_second {
            let y = self.y(value);
            let class = if value == 0.0 { "axis" } else { "grid" };
            let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
            text(
                svg,
                "number",
                (LEFT - 10.0, y + 5.0),
                "end",
                &with_commas(value as usize),
            );
            value += step;
        }
        for second in (0..=self.seconds as usize).step_by(2) {
            let x = self.x(second as f64);
            text(svg, "number", (x, BOTTOM + 22.0), "middle", &second.to_string());
        }
        let middle = f64::midpoint(LEFT, RIGHT);
        text(
            svg,
            "",
            (middle, HEIGHT - 14.0),
            "middle",
            "seconds since the first job began",
        );
        let (x, y) = (24.0, f64::midpoint(TOP, BOTTOM));
        let _ = writeln!(
            svg,
            "<text transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"middle\">calls per second</text>"
        );
    }

    fn line(&self, svg: &mut String, class: &str, rates: &[f64]) {
        let points = rates.iter().enumerate().map(|(slice, rate)| {
            let (x, y) = (self.x((slice as f64 + 0.5) * SLICE), self.y(*rate));
            format!("{x:.1} {y:.1}")
        });
        let points: Vec<String> = points.collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return;
        };
        let x = |point: &str| point.split(' ').next().unwrap_or_default().to_owned();
        let line = points.join("L");
        let _ = writeln!(
            svg,
            "<path class=\"area {class}\" d=\"M{} {BOTTOM}L{line}L{} {BOTTOM}Z\"/>\n<path class=\"line {class}\" d=\"M{line}\"/>",
            x(first),
            x(last),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_become_rates_per_second() {
        let calls = [0, 100, 249, 250, 900, 1_000].map(Duration::from_millis);
        assert_eq!(rates(&calls), [12.0, 4.0, 0.0, 4.0]);
    }

    #[test]
    fn the_grid_has_round_steps() {
        assert_eq!(
            [1.0, 3.0, 90.0, 812.0, 1_001.0].map(nice_step),
            [1.0, 5.0, 100.0, 1_000.0, 2_000.0]
        );
    }
}
