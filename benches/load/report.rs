//! What was measured, as a table and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{
    args::Scenario,
    chart,
    outcome::{Outcome, StreamOutcome},
    place::Place,
    plan::{Plan, Stream},
    tally::Latencies,
};

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// The table.
pub fn table(plan: &Plan, place: &Place, outcome: &Outcome) -> String {
    let mut text = heading(plan, place);
    let mut line = |name: &str, words: String| {
        let _ = writeln!(text, "  {name:<17} {words}");
    };
    let count = plan.connections();
    line(
        "connections",
        format!(
            "{} of {} in {:.2} s: {:.0}/s of {:.0}/s asked",
            with_commas(outcome.connects.0.len()),
            with_commas(count as u64),
            outcome.connect_s,
            outcome.connects.0.len() as f64 / outcome.connect_s,
            plan.connect_rate
        ),
    );
    if !outcome.connects.0.is_empty() {
        line("  established", latencies(&outcome.connects));
    }
    if 0 < outcome.failed + outcome.ended {
        line(
            "  of which",
            format!("{} failed, {} were ended by the server", outcome.failed, outcome.ended),
        );
    }
    for (stream, came) in plan.streams.iter().zip(&outcome.streams) {
        if 0 < stream.messages && 0.0 < outcome.sending_s {
            line(stream.kind.name(), sent(stream, came, outcome.sending_s));
            line("  deliveries", delivered(came, outcome.sending_s));
            line("  latency", latencies(&came.latencies));
        }
    }
    line("server", server(plan, outcome));
    line("this client", client(outcome));
    if outcome.is_client_saturated() {
        text.push_str("  THE CLIENT WAS SATURATED: these figures are its own, not the server's. Give it more --threads or a machine of its own, or ask for less.\n");
    }
    text
}

fn heading(plan: &Plan, place: &Place) -> String {
    let channels: usize = plan.streams.iter().map(|stream| stream.channels).sum();
    let workers = place.workers.map_or(String::new(), |workers| {
        format!(", started here with {workers} workers")
    });
    let tls = if place.is_tls { "with TLS" } else { "without TLS" };
    let rates: Vec<String> = plan
        .streams
        .iter()
        .filter(|stream| 0.0 < stream.rate)
        .map(rate)
        .collect();
    let sends = match rates.as_slice() {
        [] => String::new(),
        rates => format!(
            ", {} for {} s, {} B of data",
            rates.join(" and "),
            plan.seconds,
            plan.payload
        ),
    };
    format!(
        "{}: {} connections in {}{sends}\n  at {}{workers}, {tls}; {} processors\n",
        plan.scenario.name(),
        with_commas(plan.connections() as u64),
        match channels {
            1 => "one channel".into(),
            channels => format!("{} channels", with_commas(channels as u64)),
        },
        place.url,
        std::thread::available_parallelism().map_or(1, usize::from),
    )
}

fn rate(stream: &Stream) -> String {
    format!("{:.0} {}/s", stream.rate, stream.kind.name())
}

fn sent(stream: &Stream, came: &StreamOutcome, seconds: f64) -> String {
    let refused = match came.refused {
        0 => String::new(),
        refused => format!(", {refused} refused"),
    };
    let achieved = came.sent as f64 / seconds.max(stream.messages as f64 / stream.rate);
    format!(
        "{} of {}: {achieved:.1}/s of {:.1}/s asked{refused}",
        with_commas(came.sent),
        with_commas(stream.messages),
        stream.rate
    )
}

fn delivered(came: &StreamOutcome, seconds: f64) -> String {
    let of = |count| with_commas(count);
    format!(
        "{} of {}: {}/s",
        of(came.received),
        of(came.expected),
        of((came.received as f64 / seconds) as u64)
    )
}

fn latencies(latencies: &Latencies) -> String {
    let all = QUANTILES.map(|(name, quantile)| format!("{name} {}", ms(latencies.quantile_ms(quantile))));
    format!("{} ms", all.join(", "))
}

/// Milliseconds to two or three digits.
pub fn ms(value: f64) -> String {
    match value {
        ..1.0 => format!("{value:.2}"),
        1.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn server(plan: &Plan, outcome: &Outcome) -> String {
    let Some(server) = &outcome.server else {
        return "unknown: give its process with --pid when it is on this machine".into();
    };
    let [before, connected, end] = server.resident;
    let count = plan.connections() as f64;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let bytes_each = connected.saturating_sub(before) as f64 / count;
    let mut words = format!(
        "{:.0} µs of CPU a connection; {:.1} MB resident, {:.1} with all connected ({bytes_each:.0} bytes each)",
        server.connecting_s / count * 1e6,
        mb(before),
        mb(connected),
    );
    let (received, _) = outcome.deliveries();
    if plan.scenario != Scenario::Ramp && 0 < received {
        let _ = write!(
            words,
            ", {:.1} at the end; {:.2} µs of CPU a delivery, {:.2} processors",
            mb(end),
            server.sending_s / received as f64 * 1e6,
            server.sending_s / outcome.sending_s.max(1e-9),
        );
    }
    words
}

fn client(outcome: &Outcome) -> String {
    let threads = outcome.client.iter().map(|(ran, waited)| {
        let [ran, waited] = [ran, waited].map(|part| part * 100.0);
        format!("{ran:.0} % busy and {waited:.0} % waiting for a processor")
    });
    let threads: Vec<String> = threads.collect();
    let late = match outcome.late.0.len() {
        0 => String::new(),
        _ => format!(
            "; took up what was due {} ms late at p99",
            ms(outcome.late.quantile_ms(0.99))
        ),
    };
    format!("{} thread: {}{late}", outcome.client.len(), threads.join("; "))
}

/// Everything, for programs.
pub fn json(plan: &Plan, place: &Place, outcome: &Outcome) -> Value {
    let streams = plan.streams.iter().zip(&outcome.streams).map(|(stream, came)| {
        json!({
            "kind": stream.kind.name(),
            "connections": stream.connections,
            "joining_and_leaving": stream.churners,
            "channels": stream.channels,
            "asked_per_second": stream.rate,
            "sent": came.sent,
            "refused": came.refused,
            "deliveries": came.received,
            "deliveries_expected": came.expected,
            "latency": numbers(&came.latencies),
        })
    });
    let server = outcome.server.as_ref().map(|server| {
        json!({
            "cpu_connecting_s": server.connecting_s,
            "cpu_sending_s": server.sending_s,
            "resident_bytes": {
                "before": server.resident[0],
                "connected": server.resident[1],
                "end": server.resident[2],
            },
        })
    });
    let client = outcome
        .client
        .iter()
        .map(|(ran, waited)| json!({ "ran": ran, "waited": waited }));
    json!({
        "scenario": plan.scenario.name(),
        "url": place.url,
        "tls": place.is_tls,
        "workers": place.workers,
        "processors": std::thread::available_parallelism().map_or(1, usize::from),
        "payload_bytes": plan.payload,
        "connections": {
            "asked": plan.connections(),
            "asked_per_second": plan.connect_rate,
            "established": outcome.connects.0.len(),
            "open_at_end": outcome.open,
            "failed": outcome.failed,
            "ended": outcome.ended,
            "seconds": outcome.connect_s,
            "latency": numbers(&outcome.connects),
        },
        "sending_s": outcome.sending_s,
        "streams": streams.collect::<Vec<_>>(),
        "server": server,
        "client": {
            "threads": client.collect::<Vec<_>>(),
            "late_p99_ms": outcome.late.quantile_ms(0.99),
            "saturated": outcome.is_client_saturated(),
        },
        "course": outcome.samples.iter().map(|sample| json!({
            "at_s": sample.at_s, "open": sample.open, "received": sample.received,
        })).collect::<Vec<_>>(),
        "first_error": outcome.first_error,
    })
}

fn numbers(latencies: &Latencies) -> Value {
    let quantiles = QUANTILES.map(|(name, quantile)| (format!("{name}_ms"), latencies.quantile_ms(quantile).into()));
    let mut all: serde_json::Map<String, Value> = quantiles.into_iter().collect();
    all.insert("count".into(), latencies.0.len().into());
    let bars = chart::bars(latencies);
    all.insert(
        "histogram".into(),
        bars.iter()
            .map(|bar| json!({ "up_to_ms": bar.to_ms, "count": bar.count }))
            .collect(),
    );
    Value::Object(all)
}

/// A number with commas between thousands.
pub fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
