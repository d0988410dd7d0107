//! The picture: how the latencies are spread, and the course of the run, as an SVG that suits dark
//! and light pages.

use std::fmt::Write;

use super::{
    args::Scenario,
    outcome::{Outcome, Sample},
    plan::Plan,
    report::{ms, with_commas},
    tally::Latencies,
};

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 660.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = WIDTH - 32.0;
/// The two plots, from top to bottom.
const SPREAD: (f64, f64) = (112.0, 300.0);
const COURSE: (f64, f64) = (402.0, 592.0);
/// Bars of the histogram for each factor of ten.
const BARS_PER_DECADE: f64 = 20.0;
const GRID_LINES: f64 = 4.0;
/// The room for the name of a quantile.
const NAME_WIDTH: f64 = 80.0;

const STYLE: &str = "
  svg { --paper: #fbfaf8; --ink: #22252a; --soft: #646a73; --grid: #e4e2dd; --bar: #0f766e; --mark: #c2410c; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #15171b; --ink: #eceae5; --soft: #9aa1ab; --grid: #2c3037; --bar: #3dd6c3; --mark: #fb8b4b; }
  }
  .paper { fill: var(--paper); stroke: var(--grid); }
  text { font: 14px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; fill: var(--soft); font-variant-numeric: tabular-nums; }
  .title { font-size: 20px; font-weight: 650; fill: var(--ink); }
  .head { font-weight: 600; fill: var(--ink); }
  .grid { stroke: var(--grid); }
  .axis { stroke: var(--soft); }
  .bar { fill: var(--bar); fill-opacity: 0.8; }
  .mark { stroke: var(--mark); stroke-width: 1.5; stroke-dasharray: 4 3; }
  .mark-name { fill: var(--mark); }
  .line { fill: none; stroke: var(--bar); stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round; }
  .area { fill: var(--bar); fill-opacity: 0.16; }
  .asked { fill: none; stroke: var(--mark); stroke-width: 1.5; stroke-dasharray: 4 3; }
";

/// A bar of the histogram.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    /// Latencies above this.
    pub from_ms: f64,
    /// And up to this.
    pub to_ms: f64,
    /// How many.
    pub count: u64,
}

/// The latencies in bars that are equally wide on a logarithmic scale; none is left out between.
pub fn bars(latencies: &Latencies) -> Vec<Bar> {
    let place = |us: u64| (us.max(1) as f64).log10().mul_add(BARS_PER_DECADE, 0.0).floor() as i32;
    let edge_ms = |place: i32| 10_f64.powf(f64::from(place) / BARS_PER_DECADE) / 1e3;
    if latencies.0.is_empty() {
        return Vec::new();
    }
    let (first, last) = (place(latencies.0.min()), place(latencies.0.max()));
    let bar = |place| Bar {
        from_ms: edge_ms(place),
        to_ms: edge_ms(place + 1),
        count: 0,
    };
    let mut bars: Vec<Bar> = (first..=last).map(bar).collect();
    for recorded in latencies.0.iter_recorded() {
        let at = (place(recorded.value_iterated_to()) - first).clamp(0, last - first);
        bars[usize::try_from(at).expect("not negative")].count += recorded.count_since_last_iteration();
    }
    bars
}

/// Draws a run.
pub fn svg(plan: &Plan, outcome: &Outcome) -> String {
    let is_ramp = plan.scenario == Scenario::Ramp;
    let mut latencies = Latencies::default();
    for stream in &outcome.streams {
        latencies.join(&stream.latencies);
    }
    let latencies = if is_ramp { &outcome.connects } else { &latencies };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n<rect class=\"paper\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"12\"/>\n",
        title(plan),
        WIDTH - 1.0,
        HEIGHT - 1.0,
    );
    text(&mut svg, "title", (28.0, 38.0), "start", &title(plan));
    let what = if is_ramp { "handshakes" } else { "deliveries" };
    let head = format!(
        "{} {what} by latency, counted from when each was due",
        with_commas(latencies.0.len())
    );
    text(&mut svg, "head", (28.0, 68.0), "start", &head);
    spread(&mut svg, latencies);
    let (head, rates) = if is_ramp {
        ("connections, and what was asked (dashed)", false)
    } else {
        ("deliveries per second", true)
    };
    text(&mut svg, "head", (28.0, COURSE.0 - 28.0), "start", head);
    course(&mut svg, plan, &outcome.samples, rates);
    svg += "</svg>\n";
    svg
}

fn title(plan: &Plan) -> String {
    let rates: f64 = plan.streams.iter().map(|stream| stream.rate).sum();
    let rates = match plan.streams.as_slice() {
        _ if rates == 0.0 => format!("{:.0} per second", plan.connect_rate),
        [one] => format!("{rates:.0} {} per second", one.kind.name()),
        _ => format!("{rates:.0} messages per second"),
    };
    let connections = with_commas(plan.connections() as u64);
    format!("{}: {connections} connections, {rates}", plan.scenario.name())
}

fn spread(svg: &mut String, latencies: &Latencies) {
    let bars = bars(latencies);
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
        return;
    };
    let (low, high) = (
        first.from_ms.log10(),
        last.to_ms.log10().max(first.from_ms.log10() + 1.0),
    );
    let x = |ms: f64| LEFT + (RIGHT - LEFT) * (ms.log10() - low) / (high - low);
    let (top, bottom) = SPREAD;
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(1) as f64;
    let step = nice_step(most / GRID_LINES);
    let highest = (most / step).ceil() * step;
    let y = |count: f64| bottom - (bottom - top) * count / highest;
    grid(svg, SPREAD, (step, highest));
    for bar in bars.iter().filter(|bar| 0 < bar.count) {
        let (from, to, top) = (x(bar.from_ms), x(bar.to_ms), y(bar.count as f64).min(bottom - 1.0));
        let (width, height) = ((to - from - 1.0).max(1.0), bottom - top);
        let _ = writeln!(
            svg,
            "<rect class=\"bar\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }
    let mut decade = low.floor();
    while decade <= high {
        for factor in [1.0, 2.0, 5.0] {
            let value = factor * 10_f64.powf(decade);
            if (low..=high).contains(&value.log10()) {
                let _ = writeln!(svg, "<path class=\"axis\" d=\"M{0:.1} {bottom}v5\"/>", x(value));
                text(svg, "", (x(value), bottom + 22.0), "middle", &format!("{value} ms"));
            }
        }
        decade += 1.0;
    }
    marks(svg, latencies, x);
}

/// Lines at the quantiles, whose names are moved apart where they would stand on each other.
fn marks(svg: &mut String, latencies: &Latencies, x: impl Fn(f64) -> f64) {
    let (top, bottom) = SPREAD;
    let marks = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
    let marks = marks.map(|(name, quantile)| (name, latencies.quantile_ms(quantile)));
    let mut right = RIGHT - NAME_WIDTH / 2.0;
    for (name, value) in marks.into_iter().rev() {
        let (at, name_at) = (x(value), x(value).min(right));
        right = name_at - NAME_WIDTH;
        let _ = writeln!(svg, "<path class=\"mark\" d=\"M{at:.1} {bottom}V{:.1}\"/>", top - 8.0);
        text(
            svg,
            "mark-name",
            (name_at, top - 14.0),
            "middle",
            &format!("{name} {}", ms(value)),
        );
    }
}

fn course(svg: &mut String, plan: &Plan, samples: &[Sample], rates: bool) {
    let points = points(samples, rates);
    let seconds = points.last().map_or(1.0, |(at, _)| at.max(0.1));
    let most = points.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let step = nice_step(most / GRID_LINES);
    let highest = (most / step).ceil() * step;
    grid(svg, COURSE, (step, highest));
    let (top, bottom) = COURSE;
    let x = |at: f64| LEFT + (RIGHT - LEFT) * at / seconds;
    let y = |value: f64| bottom - (bottom - top) * value / highest;
    let second = nice_step(seconds / 8.0);
    let mut at = 0.0;
    while at <= seconds {
        text(svg, "", (x(at), bottom + 22.0), "middle", &format!("{at}"));
        at += second;
    }
    text(
        svg,
        "",
        (f64::midpoint(LEFT, RIGHT), HEIGHT - 18.0),
        "middle",
        "seconds since the first connection was due",
    );
    let line: Vec<String> = points
        .iter()
        .map(|(at, value)| format!("{:.1} {:.1}", x(*at), y(*value)))
        .collect();
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else {
        return;
    };
    let line = line.join("L");
    let _ = writeln!(
        svg,
        "<path class=\"area\" d=\"M{:.1} {bottom}L{line}L{:.1} {bottom}Z\"/>\n<path class=\"line\" d=\"M{line}\"/>",
        x(*first),
        x(*last)
    );
    if !rates {
        let all = plan.connections() as f64;
        let reached = (all / plan.connect_rate).min(seconds);
        let value = (reached * plan.connect_rate).min(highest);
        let _ = writeln!(
            svg,
            "<path class=\"asked\" d=\"M{:.1} {bottom}L{:.1} {:.1}H{:.1}\"/>",
            x(0.0),
            x(reached),
            y(value),
            x(seconds)
        );
    }
}

/// Connections, or deliveries per second between two samples, over time.
fn points(samples: &[Sample], rates: bool) -> Vec<(f64, f64)> {
    if !rates {
        return samples
            .iter()
            .map(|sample| (sample.at_s.max(0.0), sample.open as f64))
            .collect();
    }
    let pairs = samples.windows(2).map(|pair| {
        let [from, to] = [pair[0], pair[1]];
        let seconds = (to.at_s - from.at_s).max(1e-3);
        (to.at_s.max(0.0), (to.received - from.received) as f64 / seconds)
    });
    pairs.collect()
}

fn grid(svg: &mut String, (top, bottom): (f64, f64), (step, highest): (f64, f64)) {
    let mut value = 0.0;
    while value <= highest {
        let y = bottom - (bottom - top) * value / highest;
        let class = if value == 0.0 { "axis" } else { "grid" };
        let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
        text(svg, "", (LEFT - 10.0, y + 5.0), "end", &with_commas(value as u64));
        value += step;
    }
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
