//! The service as the Dockerfile packs it: from a root that holds nothing else, can't be written, and gives no power.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use leaver_simulator::proxy::Proxy;
use serde_json::json;

use crate::process::until;
use crate::stepped::slim_agent;
use crate::support::{ALICE, Service, World, program, termination};
use crate::tools::{output, repository};

/// How long a process of an unoptimised build may take.
const LIMIT: Duration = Duration::from_secs(60);

fn script() -> Command {
    let mut command = Command::new(repository().join(".ci/image"));
    command.env("LEAVER_BIN", program());
    command
}

fn made(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    output(script().arg("make").arg(&root));
    root
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn the_image_has_one_program_its_libraries_and_nothing_else_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let root = made(folder.path());
    let mut found = Vec::new();
    files(&root, &mut found);
    let programs: Vec<_> = found
        .iter()
        .map(|path| path.strip_prefix(&root).unwrap())
        .filter(|path| !path.starts_with("lib") && !path.starts_with("lib64") && !path.starts_with("etc"))
        .collect();
    assert_eq!(programs, [Path::new("usr/local/bin/leaver")]);
    let version = output(script().arg("run").arg(&root).arg("--version"));
    assert!(version.starts_with("leaver "), "{version}");
}

#[tokio::test]
async fn the_service_does_its_work_without_root_capabilities_or_a_file_to_write() {
    let world = World::new().await;
    world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let root = made(world.folder.path());
    // The image sees the machine's loopback and not its folders, in which the database's socket is.
    let proxy = Proxy::start(world.database.url()).unwrap();
    let url = proxy.url_for(world.database.url()).unwrap();
    let config = world.edited_config("[worker]\npoll = \"50ms\"\n", |text| {
        text.replace(&format!("{:?}", world.database.url()), &format!("{url:?}"))
    });
    let inside = root.join("etc/leaver/leaver.toml");
    std::fs::copy(&config, &inside).unwrap();
    let mut command = script();
    command.arg("run").arg(&root).arg("serve");
    let mut service = Service::run(command, &config);

    let status = std::fs::read_to_string(format!("/proc/{}/status", service.child.id())).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    assert_eq!(field("NoNewPrivs:"), "1", "{status}");
    if std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).unwrap() == 0 {
        assert_eq!(field("Uid:").split_whitespace().collect::<BTreeSet<_>>(), BTreeSet::from(["65532"]));
        assert_eq!(u64::from_str_radix(field("CapEff:"), 16), Ok(0), "{status}");
        assert_eq!(u64::from_str_radix(field("CapPrm:"), 16), Ok(0), "{status}");
    }
    let mounts = std::fs::read_to_string(format!("/proc/{}/mountinfo", service.child.id())).unwrap();
    let at_root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    assert!(at_root.split(' ').nth(5).unwrap().split(',').any(|option| option == "ro"), "{at_root}");

    let health = || {
        let mut command = script();
        command.arg("run").arg(&root).args(["health", "--url", &service.public]);
        command.output().unwrap()
    };
    until("it is ready", LIMIT, async || health().status.success()).await;
    let (code, receipt) = service.deliver(&termination("e1", "W1", "jane@example.com")).await;
    assert_eq!(code, 202, "{receipt}");
    let path = format!("/api/v1/offboardings/{}", receipt["offboardings"][0]["id"].as_str().unwrap());
    until("it is done", LIMIT, async || {
        service.api(reqwest::Method::GET, &path, ALICE).await.1["status"] == json!("done")
    })
    .await;
    let (_, shown) = service.api(reqwest::Method::GET, &path, ALICE).await;
    assert_eq!(shown["outcome"], json!("offboarded"), "{shown}");
    output(Command::new("kill").arg(service.child.id().to_string()));
    assert!(service.child.wait().unwrap().success(), "an orderly stop");
}
