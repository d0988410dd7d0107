//! The encoder farm: it runs as its README says, in time, loses nothing, and saves what it should.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use super::{command_of, without_cargo};

/// How long it may take, once it is built.
const TIMEOUT: Duration = Duration::from_mins(1);

fn run(command: &str) -> Output {
    let mut bash = Command::new("bash");
    bash.args(["-c", command]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = without_cargo(&mut bash).output().expect("bash runs");
    assert!(
        output.status.success(),
        "{command}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn the_farm_loses_nothing_and_saves_nine_calls_of_ten_within_a_minute() {
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("panda.svg");
    let _ = std::fs::remove_file(&picture);
    run("cargo build --quiet --profile quick --no-default-features --locked --example panda");

    let begin = Instant::now();
    let output = run(&command_of("panda"));
    let took = begin.elapsed();
    assert!(took < TIMEOUT, "it took {took:?}");

    let said = String::from_utf8(output.stdout).expect("text");
    let last = said.lines().last().expect("a last line");
    let numbers: Vec<f64> = last
        .strip_prefix("calls without webhooks: ")
        .and_then(|rest| rest.strip_suffix(" %"))
        .map(|rest| rest.replace(" with: ", " ").replace(" saved: ", " "))
        .expect("the agreed line")
        .split(", ")
        .map(|number| number.trim().parse().expect("a number"))
        .collect();
    let [without, with, saved] = numbers[..] else {
        panic!("not three numbers: {last}");
    };
    assert!(50_000.0 <= without, "every report of every job: {last}");
    assert!((saved - 100.0 * (1.0 - with / without)).abs() < 0.06, "{last}");
    assert!(90.0 <= saved, "{last}");
    assert!(
        row(&said, "reports made while a viewer looked on")
            .iter()
            .all(|number| 100 < *number)
    );
    assert_eq!(row(&said, "missed after it had arrived"), [0, 0], "{said}");

    is_a_picture(&std::fs::read_to_string(&picture).expect("a picture"));
    std::fs::remove_file(&picture).expect("it is there");
}

/// The two numbers of a row of the table.
fn row(said: &str, name: &str) -> Vec<u32> {
    let row = said.lines().find_map(|line| line.trim_start().strip_prefix(name));
    let row = row
        .unwrap_or_else(|| panic!("no row {name:?}:\n{said}"))
        .replace(',', "");
    row.split_whitespace()
        .map(|number| number.parse().expect("a number"))
        .collect()
}

/// A well-formed SVG with both lines, each of many points, and words at the axes.
#[track_caller]
fn is_a_picture(svg: &str) {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("an end of the tag");
        let name = tag.split_whitespace().next().expect("a name");
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes something else");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    for class in ["line always", "line occupied"] {
        let (_, line) = svg.split_once(&format!("class=\"{class}\" d=\"")).expect("a line");
        let (line, _) = line.split_once('"').expect("its end");
        assert!(30 < line.matches('L').count(), "{class} has few points: {line}");
        assert!(!line.contains("NaN") && !line.contains("inf"), "{line}");
    }
    for words in [
        "API calls per second",
        "calls per second",
        "seconds since",
        "prefers-color-scheme: dark",
    ] {
        assert!(svg.contains(words), "{words:?} is not there");
    }
}
