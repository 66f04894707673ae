//! The samples that stand beside the built-in profiles, replayed; and every published case with them.
//! How a sample is compared is left to `samples`.

use serde_json::Value;

use super::builtin_profiles;
use super::samples::Samples;
use super::source::Source;

const CASES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hris-payload-cases.json"));

/// Good for every kind of proof: utf8 and base64, with a colon for user and password.
pub(super) fn source(profile: &str) -> Source {
    let secrets = [
        "user:a password of 32 bytes, no less",
        "a-token-of-32-bytes-without-space",
        "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    ];
    let build = |secret: &&str| {
        let toml = format!("profile = '{profile}'\nsecrets = ['{secret}']\nverified = true\nunverified = ''");
        Source::build("sample", &toml.parse().unwrap())
    };
    let built: Vec<_> = secrets.iter().map(build).collect();
    let Some(source) = built.iter().position(Result::is_ok) else { panic!("{profile}: {built:?}") };
    built.into_iter().nth(source).unwrap().unwrap()
}

#[test]
fn every_profile_reads_its_samples_as_expected_and_has_no_pointer_that_leads_nowhere() {
    let mut replayed = 0;
    for profile in builtin_profiles() {
        let source = source(profile);
        let (_, text) = source.built_in().unwrap();
        let samples = Samples::parse(text).unwrap_or_else(|error| panic!("{profile}: {error}"));
        replayed += source.replay(&samples).unwrap_or_else(|misfit| panic!("{profile}: {misfit}"));
    }
    println!("{replayed} sample bodies replayed");
}

#[test]
fn every_published_case_is_a_sample_of_its_profile() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    for case in &cases {
        let profile = case["profile"].as_str().unwrap();
        let (_, text) = source(profile).built_in().unwrap();
        let samples: Vec<Value> = serde_json::from_str(text).unwrap();
        let sample = samples.iter().find(|sample| sample["body"] == case["body"]);
        let sample = sample.unwrap_or_else(|| panic!("{profile}: {}", case["name"]));
        let Some(expected) = case["expect"].as_array() else {
            assert!(sample["expect"].is_string(), "{profile}: {}", case["name"]);
            continue;
        };
        for (expected, sample) in expected.iter().zip(sample["expect"].as_array().unwrap()) {
            for key in ["do", "email", "external_id", "event_id"] {
                assert_eq!(sample[key], expected[key], "{profile}: {}", case["name"]);
            }
            assert_eq!(sample["date_error"], expected["date_error"], "{profile}: {}", case["name"]);
        }
    }
}
