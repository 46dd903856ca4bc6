//! What the README shows of the library compiles, and its two commands are the ones that are run before each change.

const README: &str = include_str!("../../../README.md");

#[test]
fn the_readmes_commands_are_the_ones_that_are_checked() {
    let script = include_str!("../../../.ci/run");
    assert!(README.contains("\n```sh\ncargo run --release -p barun-cli -- train digits\n```\n"));
    assert!(script.contains("cargo run --release -p barun-cli -- train digits"));
    assert!(README.contains("\n```sh\ncargo test --release --workspace\n```\n"));
    assert!(script.contains("cargo test --release --workspace"));
}

#[test]
fn every_example_is_listed() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(README.contains(&format!("| `{name}` |")), "{name}");
    }
}
