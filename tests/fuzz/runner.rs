//! Runs a target over its corpus and over random inputs.

use std::{env, fs, path::PathBuf};

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngSeed, TestError, TestRunner},
};

/// How many random inputs a target gets in every run of the tests.
pub const CASES: u32 = 2_000;
/// The longest input of the corpus of which others are made, in bytes: long ones take their time.
const SEED_BYTES_MAX: usize = 1_000;

/// Runs `check`, which panics when a property does not hold, over the corpus and random inputs, of
/// which there are `cases` unless `VACANCY_FUZZ_CASES` says otherwise.
pub fn run<S: Strategy<Value = Vec<u8>>>(target: &str, cases: u32, inputs: S, check: impl Fn(&[u8])) {
    run_up_to(target, cases, u32::MAX, inputs, check);
}

/// As [`run`], with a bound for what `VACANCY_FUZZ_CASES` says, where an input takes its time.
pub fn run_up_to<S: Strategy<Value = Vec<u8>>>(
    target: &str,
    cases: u32,
    cases_max: u32,
    inputs: S,
    check: impl Fn(&[u8]),
) {
    for (name, input) in corpus(target) {
        println!("corpus/{target}/{name}");
        check(&input);
    }
    let told: Option<u32> = env::var("VACANCY_FUZZ_CASES")
        .ok()
        .map(|cases| cases.parse().expect("VACANCY_FUZZ_CASES is a number"))
        .map(|cases: u32| cases.min(cases_max));
    let config = Config {
        cases: told.unwrap_or(cases),
        failure_persistence: None,
        max_shrink_iters: 100_000,
        rng_seed: told.map_or(RngSeed::Fixed(4), |_| RngSeed::Random),
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&inputs, |input| {
        check(&input);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => {
            let path = keep(target, &input);
            panic!(
                "{reason}\nkept as {}: {}",
                path.display(),
                String::from_utf8_lossy(&input)
            );
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// The kept inputs of a target, by their names.
pub fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut kept: Vec<_> = fs::read_dir(folder(target))
        .unwrap_or_else(|error| panic!("{target} has no corpus: {error}"))
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    kept.sort();
    assert!(!kept.is_empty(), "{target} has no corpus");
    kept
}

fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fuzz/corpus", target]
        .into_iter()
        .collect()
}

/// Adds an input that failed to the corpus.
fn keep(target: &str, input: &[u8]) -> PathBuf {
    let path = folder(target).join(format!("found-{:016x}", Chance::of(input).next()));
    fs::write(&path, input).unwrap();
    path
}

/// A change of an input.
#[derive(Debug, Clone)]
enum Edit {
    Put(Index, u8),
    Flip(Index, u8),
    Insert(Index, &'static str),
    Delete(Index, usize),
    Repeat(Index, usize, usize),
}

impl Edit {
    fn apply(&self, input: &mut Vec<u8>) {
        let end = input.len() + 1;
        let span = |at: &Index, len: usize| {
            let from = at.index(end);
            from..end.min(from + len + 1) - 1
        };
        match self {
            Self::Put(at, byte) => {
                let at = span(at, 1);
                input.splice(at, [*byte]);
            }
            Self::Flip(at, bit) => {
                let at = at.index(end);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Insert(at, text) => {
                let at = at.index(end);
                input.splice(at..at, text.bytes());
            }
            Self::Delete(at, len) => {
                input.drain(span(at, *len));
            }
            Self::Repeat(at, len, times) => {
                let span = span(at, *len);
                let part = input[span.clone()].repeat(*times);
                input.splice(span.start..span.start, part);
            }
        }
    }
}

/// Inputs of the corpus with up to seven edits, which insert words of the dictionary among others.
pub fn mutated(target: &str, dictionary: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = corpus(target).into_iter().map(|(_, input)| input);
    let seeds: Vec<Vec<u8>> = seeds.filter(|seed| seed.len() <= SEED_BYTES_MAX).collect();
    let at = any::<Index>;
    let edit = prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Put(at, byte)),
        (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (at(), select(dictionary)).prop_map(|(at, word)| Edit::Insert(at, word)),
        (at(), 1..20_usize).prop_map(|(at, len)| Edit::Delete(at, len)),
        (at(), 1..8_usize, 1..70_usize).prop_map(|(at, len, times)| Edit::Repeat(at, len, times)),
    ];
    (select(seeds), vec(edit, 0..8)).prop_map(|(mut input, edits)| {
        for edit in edits {
            edit.apply(&mut input);
        }
        input
    })
}

/// Bytes of no form.
pub fn noise(bytes_max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..bytes_max)
}

/// A text, whatever the bytes.
pub fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

/// Choices that follow from an input, so that the input alone repeats a failure.
pub struct Chance(u64);

impl Chance {
    pub fn of(input: &[u8]) -> Self {
        let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(input.iter().fold(0xcbf2_9ce4_8422_2325, fnv))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}
