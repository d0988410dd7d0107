//! The table, the JSON and the picture of a run.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    chart::{bars, svg},
    outcome::{Outcome, Sample, ServerUse, StreamOutcome},
    place::Place,
    plan,
    report::{json, ms, table, with_commas},
    tally::Latencies,
};

fn latencies(each_us: &[u64]) -> Latencies {
    let due = Instant::now();
    let mut all = Latencies::default();
    for us in each_us {
        all.add(due, due + Duration::from_micros(*us));
    }
    all
}

fn place() -> Place {
    Place {
        workers: Some(2),
        ..Place::parse("http://127.0.0.1:6001").unwrap()
    }
}

/// Ten connections that were published to for two seconds, ten times a second.
fn outcome() -> Outcome {
    let sample = |at_s, received| Sample {
        at_s,
        open: 10,
        received,
    };
    Outcome {
        connects: latencies(&[250; 10]),
        connect_s: 0.5,
        open: 10,
        streams: vec![StreamOutcome {
            latencies: latencies(&[1_500; 200]),
            sent: 20,
            refused: 0,
            expected: 200,
            received: 200,
        }],
        late: latencies(&[100; 20]),
        sending_s: 2.0,
        server: Some(ServerUse {
            connecting_s: 0.001,
            sending_s: 0.002,
            resident: [10_000_000, 10_020_000, 11_000_000],
        }),
        client: vec![(0.25, 0.05)],
        samples: vec![sample(0.0, 0), sample(1.0, 50), sample(2.0, 200)],
        ..Outcome::default()
    }
}

const LINE: &str = "fanout --connections 10 --rate 10 --seconds 2 --connect-rate 20 --threads 1";

#[test]
fn the_table_says_what_was_asked_and_what_came_of_it() {
    let table = table(&plan(LINE).unwrap(), &place(), &outcome());
    for line in [
        "fanout: 10 connections in one channel, 10 publishes/s for 2 s, 64 B of data\n",
        "  at http://127.0.0.1:6001, started here with 2 workers, without TLS; ",
        "  connections       10 of 10 in 0.50 s: 20/s of 20/s asked\n",
        "    established     p50 0.25, p99 0.25, p99.9 0.25, max 0.25 ms\n",
        "  publishes         20 of 20: 10.0/s of 10.0/s asked\n",
        "    deliveries      200 of 200: 100/s\n",
        "    latency         p50 1.5, p99 1.5, p99.9 1.5, max 1.5 ms\n",
        "  server            100 µs of CPU a connection; 10.0 MB resident, 10.0 with all connected (2000 bytes each), 11.0 at the end; 10.00 µs of CPU a delivery, 0.00 processors\n",
        "  this client       1 thread: 25 % busy and 5 % waiting for a processor; took up what was due 0.10 ms late at p99\n",
    ] {
        assert!(table.contains(line), "{line}\nis not in\n{table}");
    }
    assert!(!table.contains("SATURATED") && !table.contains("failed"), "{table}");
}

#[test]
fn the_table_says_what_went_wrong_and_whose_figures_they_are() {
    let mut outcome = outcome();
    (outcome.failed, outcome.ended, outcome.server) = (3, 1, None);
    (outcome.streams[0].sent, outcome.streams[0].refused) = (15, 5);
    outcome.client = vec![(0.9, 0.05)];
    let table = table(&plan(LINE).unwrap(), &place(), &outcome);
    for line in [
        "    of which        3 failed, 1 were ended by the server\n",
        "15 of 20: 7.5/s of 10.0/s asked, 5 refused\n",
        "  server            unknown: give its process with --pid when it is on this machine\n",
        "  THE CLIENT WAS SATURATED: these figures are its own, not the server's.",
    ] {
        assert!(table.contains(line), "{line}\nis not in\n{table}");
    }
}

#[test]
fn the_json_has_the_counts_the_latencies_and_the_course() {
    let json = json(&plan(LINE).unwrap(), &place(), &outcome());
    for (pointer, value) in [
        ("/scenario", json!("fanout")),
        ("/url", json!("http://127.0.0.1:6001")),
        ("/tls", json!(false)),
        ("/workers", json!(2)),
        ("/payload_bytes", json!(64)),
        ("/connections/asked", json!(10)),
        ("/connections/established", json!(10)),
        ("/connections/latency/count", json!(10)),
        ("/streams/0/kind", json!("publishes")),
        ("/streams/0/asked_per_second", json!(10.0)),
        ("/streams/0/deliveries", json!(200)),
        ("/streams/0/deliveries_expected", json!(200)),
        ("/streams/0/latency/p99_ms", json!(1.5)),
        ("/server/resident_bytes/connected", json!(10_020_000)),
        ("/client/saturated", json!(false)),
        ("/course/2", json!({ "at_s": 2.0, "open": 10, "received": 200 })),
        ("/first_error", json!(null)),
    ] {
        assert_eq!(json.pointer(pointer), Some(&value), "{pointer}");
    }
    let bars = json
        .pointer("/streams/0/latency/histogram")
        .and_then(|bars| bars.as_array());
    let count: Option<u64> = bars.unwrap().iter().map(|bar| bar["count"].as_u64()).sum();
    assert_eq!(count, Some(200));
}

#[test]
fn bars_leave_no_latency_out_and_none_between() {
    let all = latencies(&[10, 100, 100, 1_000, 50_000]);
    let bars = bars(&all);
    assert_eq!(bars.iter().map(|bar| bar.count).sum::<u64>(), 5);
    assert!(
        bars.windows(2)
            .all(|pair| (pair[0].to_ms - pair[1].from_ms).abs() < 1e-9)
    );
    let (first, last) = (bars.first().unwrap(), bars.last().unwrap());
    assert!(first.from_ms <= 0.01 && 50.0 <= last.to_ms * 1.001);
    assert_eq!((first.count, last.count), (1, 1));
    assert!(super::chart::bars(&Latencies::default()).is_empty());
}

#[test]
fn the_picture_is_a_whole_svg_that_has_a_bar_a_line_and_the_quantiles() {
    let svg = svg(&plan(LINE).unwrap(), &outcome());
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    assert!(svg.ends_with("</svg>\n"));
    for part in [
        ">fanout: 10 connections, 10 publishes per second</text>",
        ">200 deliveries by latency, counted from when each was due</text>",
        "<rect class=\"bar\"",
        "<path class=\"line\"",
        ">p50 1.5</text>",
        ">p99.9 1.5</text>",
        ">deliveries per second</text>",
    ] {
        assert!(svg.contains(part), "{part}\nis not in\n{svg}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
}

#[test]
fn the_picture_of_a_ramp_has_what_was_asked_and_that_of_nothing_has_no_bars() {
    let ramp = plan("ramp --connections 10 --rate 20 --channels 1 --threads 1").unwrap();
    let drawn = svg(&ramp, &outcome());
    assert!(drawn.contains(">ramp: 10 connections, 20 per second</text>"), "{drawn}");
    assert!(drawn.contains("<path class=\"asked\""), "{drawn}");
    let nothing = svg(&ramp, &Outcome::default());
    assert!(
        nothing.contains(">0 handshakes by latency") && !nothing.contains("<rect class=\"bar\""),
        "{nothing}"
    );
    assert!(!nothing.contains("NaN") && !nothing.contains("inf"), "{nothing}");
}

#[test]
fn numbers_are_written_to_be_read() {
    assert_eq!(
        [0, 999, 1_000, 1_234_567].map(with_commas),
        ["0", "999", "1,000", "1,234,567"]
    );
    assert_eq!([0.2512, 1.04, 99.94, 137.4].map(ms), ["0.25", "1.0", "99.9", "137"]);
}
