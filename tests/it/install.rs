//! What an installation is made of: the files under `ops`, compose and Dockerfile, each held against its own rules and
//! against the program.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use leaver::commands::needed_permissions;
use leaver::config::Config;
use serde_json::Value;

use crate::tools::{hcl, output, python, repository, text, yaml};

/// The folder, below which secrets are mounted, and the name of each file in it that a text names.
fn referenced(text: &str, folder: &str) -> BTreeSet<String> {
    let start = format!("file:{folder}/");
    let names = text.split(&start).skip(1).filter_map(|rest| rest.split('"').next());
    names.map(str::to_owned).collect()
}

/// Loads a configuration whose secrets are elsewhere, with each of them there.
fn loads(configuration: &str, folder: &str) -> Config {
    let place = tempfile::tempdir().unwrap();
    for name in referenced(configuration, folder) {
        let value =
            if name.contains("url") { "postgres://u:p@db/leaver" } else { &format!("{name}-0123456789") };
        std::fs::write(place.path().join(&name), value).unwrap();
    }
    let path = place.path().join("leaver.toml");
    std::fs::write(&path, configuration.replace(folder, place.path().to_str().unwrap())).unwrap();
    Config::load(&path).unwrap()
}

fn strings(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn compose_gives_every_service_a_health_check_and_least_power_and_its_files_exist() {
    let compose = yaml("docker-compose.yml").remove(0);
    for (name, service) in compose["services"].as_object().unwrap() {
        let check = &service["healthcheck"];
        assert!(check["test"].is_array() || name == "migrate", "{name} has no health check");
        assert_ne!(check["test"][0], "CMD-SHELL", "{name}: the image has no shell");
        if let Some(image) = service["image"].as_str() {
            assert!(image.contains(':') && !image.ends_with(":latest"), "{name}: {image}");
            continue;
        }
        let target = service["build"]["target"].as_str().unwrap();
        assert!(text("Dockerfile").contains(&format!(" AS {target}\n")), "{name}: no stage {target}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(strings(&service["cap_drop"]), BTreeSet::from(["ALL".to_owned()]), "{name}");
        assert_eq!(strings(&service["security_opt"]).len(), 1, "{name}");
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let path = volume.as_str().unwrap().split(':').next().unwrap();
            assert!(repository().join(path).exists(), "{name}: {path}");
        }
        for needed in service["depends_on"].as_object().unwrap().keys() {
            assert!(compose["services"].get(needed).is_some(), "{name} depends on {needed}");
        }
    }
    for (name, secret) in compose["secrets"].as_object().unwrap() {
        assert!(repository().join(secret["file"].as_str().unwrap()).exists(), "{name}");
    }
    let configuration = text("ops/compose.toml");
    let given = strings(&compose["services"]["leaver"]["secrets"]);
    assert_eq!(referenced(&configuration, "/run/secrets"), given);
    let config = loads(&configuration, "/run/secrets");
    let ports = strings(&compose["services"]["leaver"]["ports"]);
    for (port, listener) in ports.iter().zip([config.server.listen, config.server.admin_listen]) {
        assert_eq!(*port, format!("127.0.0.1:{0}:{0}", listener.port()));
    }
}

#[test]
fn the_manifests_keep_to_the_schemas_of_kubernetes() {
    let mut files: Vec<_> = std::fs::read_dir(repository().join("ops/kubernetes"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let told = output(Command::new(python().join("kubernetes-validate")).arg("--strict").args(&files));
    assert!(!told.to_lowercase().contains("fail"), "{told}");
}

#[test]
fn the_manifests_ask_for_no_power_and_fit_each_other_and_the_program() {
    let documents: Vec<Value> = ["20-configuration", "30-migrate", "40-leaver", "50-network"]
        .iter()
        .flat_map(|name| yaml(&format!("ops/kubernetes/{name}.yaml")))
        .collect();
    let of = |kind: &str| documents.iter().filter(|one| one["kind"] == kind).collect::<Vec<_>>();
    let configuration = of("ConfigMap")[0]["data"]["leaver.toml"].as_str().unwrap();
    let config = loads(configuration, "/run/secrets/leaver");
    let secrets = of("Secret")[0]["stringData"].as_object().unwrap();
    assert_eq!(referenced(configuration, "/run/secrets/leaver"), secrets.keys().cloned().collect());
    for workload in [of("Job")[0], of("Deployment")[0]] {
        let pod = &workload["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["runAsUser"], 65532);
        assert_eq!(pod["automountServiceAccountToken"], false);
        let container = &pod["containers"][0];
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
        assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL");
        assert!(container["resources"]["limits"]["memory"].is_string());
        assert!(container["volumeMounts"].as_array().unwrap().iter().all(|mount| mount["readOnly"] == true));
    }
    let deployment = &of("Deployment")[0]["spec"];
    let pod = &deployment["template"]["spec"];
    assert!(deployment["replicas"].as_i64() >= Some(2));
    assert!(pod["terminationGracePeriodSeconds"].as_i64() >= Some(30), "an orderly stop takes up to 25 s");
    let container = &pod["containers"][0];
    let probes =
        ["startupProbe", "livenessProbe", "readinessProbe"].map(|probe| &container[probe]["httpGet"]);
    assert_eq!(probes.map(|probe| probe["path"].as_str().unwrap()), ["/livez", "/livez", "/readyz"]);
    let ports = container["ports"].as_array().unwrap();
    let listeners = [("webhooks", config.server.listen), ("admin", config.server.admin_listen)];
    for (port, (name, listener)) in ports.iter().zip(listeners) {
        assert_eq!((&port["name"], &port["containerPort"]), (&name.into(), &listener.port().into()));
    }
    let labels = deployment["template"]["metadata"]["labels"].as_object().unwrap();
    for selector in [of("Service")[0], of("Service")[1]].map(|service| &service["spec"]["selector"]) {
        assert!(selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value)));
    }
    let policy = &of("NetworkPolicy")[0]["spec"];
    assert_eq!(strings(&policy["policyTypes"]).len(), 2, "neither direction is left open");
    let open: Vec<_> =
        policy["ingress"].as_array().unwrap().iter().filter(|rule| rule["from"].is_null()).collect();
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_unit_is_understood_by_systemd_and_its_configuration_by_the_program() {
    let unit = text("ops/systemd/leaver.service");
    for line in ["DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="] {
        assert!(unit.lines().any(|given| given == line), "{line}");
    }
    let configuration = text("ops/systemd/leaver.toml");
    let credentials: BTreeSet<_> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("LoadCredential=")?.split(':').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(referenced(&configuration, "/run/credentials/leaver.service"), credentials);
    loads(&configuration, "/run/credentials/leaver.service");
    // Of machines without systemd the lines above are all that can be said.
    if Path::new("/usr/bin/systemd-analyze").exists() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("leaver.service");
        let program = crate::support::program().into_string().unwrap();
        std::fs::write(&file, unit.replace("/usr/local/bin/leaver", &program)).unwrap();
        let mut verify = Command::new("systemd-analyze");
        let told = verify.args(["verify", "--man=no"]).arg(&file).output().unwrap();
        let told = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(!told.contains("leaver.service"), "{told}");
        let mut security = Command::new("systemd-analyze");
        output(security.args(["security", "--offline=true", "--threshold=20"]).arg(&file));
    }
}

#[test]
fn terraform_grants_exactly_what_the_check_asks_for() {
    let config = loads(
        "[database]\nurl = \"postgres://u:p@db/leaver\"\n[genesys]\nregion = \"mypurecloud.com\"\n\
         client_id = \"leaver\"\nclient_secret = \"a-secret-of-genesys\"\n",
        "/nowhere",
    );
    for file in ["versions", "variables", "outputs"] {
        assert!(hcl(&format!("ops/terraform/{file}.tf")).is_object(), "{file}");
    }
    let document = hcl("ops/terraform/main.tf");
    let resource = |kind: &str| {
        let kind = format!("{kind:?}");
        let of_kind = document["resource"].as_array().unwrap().iter().find_map(|one| one.get(&kind));
        of_kind.unwrap_or_else(|| panic!("no {kind}"))["\"leaver\""].clone()
    };
    let word = |value: &Value| value.as_str().unwrap().trim_matches('"').to_owned();
    let mut granted = BTreeSet::new();
    for policy in resource("genesyscloud_auth_role")["permission_policies"].as_array().unwrap() {
        for action in policy["action_set"].as_array().unwrap() {
            granted.insert(format!(
                "{}:{}:{}",
                word(&policy["domain"]),
                word(&policy["entity_name"]),
                word(action)
            ));
        }
    }
    assert_eq!(granted, needed_permissions(&config).into_iter().map(str::to_owned).collect());
    let client = resource("genesyscloud_oauth_client");
    assert_eq!(word(&client["authorized_grant_type"]), "CLIENT-CREDENTIALS");
    assert_eq!(word(&client["roles"][0]["division_id"]), "*");
    assert!(client.get("expose_client_secret").is_none(), "the secret stays out of the state");
}

#[test]
fn the_build_reads_only_what_is_in_its_context() {
    let ignored = text(".dockerignore");
    let kept: BTreeSet<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for path in &kept {
        assert!(repository().join(path).exists(), "{path}");
    }
    for needed in
        ["Cargo.toml", "Cargo.lock", "askama.toml", "src", "simulator", "migrations", ".sqlx", ".cargo"]
    {
        assert!(kept.contains(needed), "{needed}");
    }
    assert!(ignored.lines().any(|line| line == "*"), "secrets and builds stay out");
}
