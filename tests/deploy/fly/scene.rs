//! A checkout, a Fly account of the fake's, and an operator with keys.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use nexus_tests::fixture;
use serde_json::Value;
use tempfile::TempDir;
use xtask::build;

/// The commits that are deployed.
pub(crate) const OLD: &str = "aaaaaaaaaaaa";
pub(crate) const NEW: &str = "bbbbbbbbbbbb";

/// What an operator has, with values that must show nowhere.
pub(crate) const SECRETS: [(&str, &str); 8] = [
    ("NEXUS_PUBLIC_URL_US", "https://hunter2-edge.example.com"),
    ("NEXUS_SERVICE_KEY", "us1:hunter2-service"),
    ("NEXUS_TICKET_PUBLIC_KEYS", r#"{"k1":"hunter2-ticket"}"#),
    ("DEEPGRAM_API_KEY", "hunter2-deepgram"),
    ("ELEVENLABS_API_KEY", "hunter2-elevenlabs"),
    ("OPENAI_API_KEY", "hunter2-openai"),
    ("TWILIO_AUTH_TOKEN_US", "hunter2-twilio"),
    ("VOICE_URL_US", "wss://nexus-voice-us.fly.dev"),
];

/// Where the scripts keep what they remember of the app.
const KEPT: &str = "state/nexus-voice-us";

/// A word of every value but the public address.
const MARK: &str = "hunter2";

/// How a run of a script ended.
pub(crate) struct Run {
    pub(crate) success: bool,
    pub(crate) output: String,
    /// Every call of flyctl and curl, in order.
    pub(crate) calls: Vec<String>,
}

impl Run {
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.success, "{}", self.output);
        self
    }

    pub(crate) fn failed(self) -> Self {
        assert!(!self.success, "{}", self.output);
        self
    }

    /// Those that change something.
    pub(crate) fn changes(&self) -> Vec<&str> {
        const READ: [&str; 7] =
            ["auth", "apps list", "ips list", "secrets list", "machine list", "releases", "curl"];
        let reads = |call: &str| {
            READ.iter().any(|read| call.strip_prefix("flyctl ").unwrap_or(call).starts_with(read))
        };
        self.calls.iter().map(String::as_str).filter(|call| !reads(call)).collect()
    }
}

pub(crate) struct Scene {
    dir: TempDir,
    environment: BTreeMap<String, String>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for name in ["flyctl", "curl"] {
            symlink(env!("CARGO_BIN_EXE_fake-flyctl"), bin.join(name)).unwrap();
        }
        symlink(fixture::python().unwrap(), bin.join("python3")).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let mut environment: BTreeMap<String, String> = [
            ("PATH", path),
            ("HOME", text(dir.path().to_path_buf())),
            ("FAKE_FLY", text(dir.path().to_path_buf())),
            ("NEXUS_DEPLOY_STATE", text(dir.path().join("state"))),
            ("NEXUS_POLL_SECONDS", "0".to_owned()),
            ("NEXUS_HEALTH_SECONDS", "0".to_owned()),
            ("NEXUS_FLY_APP_US", "nexus-voice-us".to_owned()),
            ("NEXUS_FLY_APP_EU", "nexus-voice-eu".to_owned()),
            ("NEXUS_COMMIT", OLD.to_owned()),
            ("NEXUS_SMOKE_CALL", "echo a call over $NEXUS_VOICE_URL".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        environment.extend(SECRETS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Self { dir, environment }
    }

    /// With the old commit deployed in both regions: by a run of the script, whose traces are copied.
    pub(crate) fn deployed() -> Self {
        static FIRST: LazyLock<Scene> = LazyLock::new(|| {
            let scene = Scene::new();
            scene.everywhere(&[]).succeeded();
            scene
        });
        let scene = Self::new();
        let (from, to) = (FIRST.dir.path(), scene.dir.path());
        fs::create_dir_all(to.join(KEPT)).unwrap();
        for file in ["state.json".to_owned(), format!("{KEPT}/key"), format!("{KEPT}/secrets")] {
            fs::copy(from.join(&file), to.join(&file)).unwrap();
        }
        scene
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With cell eu's secrets too.
    pub(crate) fn with_eu_secrets(mut self) -> Self {
        for (name, value) in SECRETS {
            let name = name.strip_suffix("_US").unwrap_or(name);
            self = self.set(&format!("{name}_EU"), &value.replace("voice-us", "voice-eu"));
        }
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// `deploy-multi-region.sh --cell us` with these further flags.
    pub(crate) fn everywhere(&self, flags: &[&str]) -> Run {
        self.run("deploy-multi-region.sh", &[&["--cell", "us"], flags].concat())
    }

    pub(crate) fn run(&self, script: &str, flags: &[&str]) -> Run {
        let log = self.dir.path().join("calls.log");
        let _ = fs::remove_file(&log);
        let output = Command::new("bash")
            .arg(build::root().join("fly").join(script))
            .args(flags)
            .current_dir(self.dir.path())
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let calls = fs::read_to_string(&log).unwrap_or_default();
        let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        let run = Run {
            success: output.status.success(),
            calls: calls.lines().map(str::to_owned).collect(),
            output: texts.concat(),
        };
        for text in [&run.output, &calls, &self.remembered()] {
            assert!(!text.contains(MARK), "a secret shows: {text}");
        }
        run
    }

    /// All that the scripts keep.
    pub(crate) fn remembered(&self) -> String {
        let folder = self.dir.path().join(KEPT);
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap()).collect()
    }

    /// Forgets it, as a fresh machine has.
    pub(crate) fn forget(&self) {
        fs::remove_dir_all(self.dir.path().join("state")).unwrap();
    }

    /// The fake's account as it is.
    pub(crate) fn account(&self) -> Value {
        let text = fs::read_to_string(self.dir.path().join("state.json"));
        text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    /// Changes it behind the script's back.
    pub(crate) fn alter(&self, change: impl FnOnce(&mut Value)) {
        let mut account = self.account();
        change(&mut account);
        fs::write(self.dir.path().join("state.json"), account.to_string()).unwrap();
    }

    /// Each machine as `region group state tag`, sorted; every one must have the newest secrets when
    /// `fresh`.
    pub(crate) fn machines(&self, fresh: bool) -> Vec<String> {
        self.machines_of("us", fresh)
    }

    pub(crate) fn machines_of(&self, cell: &str, fresh: bool) -> Vec<String> {
        let account = self.account();
        let app = &account["apps"][format!("nexus-voice-{cell}")];
        let machines = app["machines"].as_array().cloned().unwrap_or_default();
        let mut rows: Vec<String> = machines
            .iter()
            .map(|machine| {
                if fresh {
                    assert_eq!(machine["secrets_version"], app["secrets_version"], "{account:#}");
                }
                ["region", "group", "state", "tag"]
                    .map(|name| machine[name].as_str().unwrap())
                    .join(" ")
            })
            .collect();
        rows.sort();
        rows
    }
}

/// Both regions with one machine of each group on this image.
pub(crate) fn fleet(tag: &str) -> Vec<String> {
    ["fra app", "fra spare", "iad app", "iad spare"]
        .map(|one| format!("{one} started {tag}"))
        .to_vec()
}
