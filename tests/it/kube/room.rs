//! A room over workloads in a namespace, run by the real binary.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::ROUNDS;
use super::cluster::Namespace;
use crate::shop::{Keeper, Said, done, holdpoint, operated, people};

/// A room with ci and ada (operations: submit, control), kim (security), and whoever runs the test (`me`,
/// operations). Deleted when it is dropped.
#[derive(Debug)]
pub struct Room {
    dir: TempDir,
    files: Files,
}

#[derive(Debug, Default)]
struct Files {
    room: String,
    catalog: String,
}

impl Room {
    /// One that reaches its cluster, which it calls `scratch`, through a kubeconfig. It has no targets yet, and
    /// its policy asks nobody: a release begins as soon as somebody starts it.
    pub fn new(kubeconfig: &Path) -> Room {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("keys")).unwrap();
        let mut room = Room {
            dir,
            files: Files::default(),
        };
        room.files.room = "name = \"kube\"\nlook = \"300ms\"\n".into();
        room.files.catalog = "[environment.prod]\nproduction = true\nzone = \"UTC\"\n".into();
        room.cluster("scratch", kubeconfig);
        room.write("policy.toml", "[[approval]]\nneeds = {}\n");
        people(&|name, text| room.write(name, text));
        room
    }

    /// One more cluster to name in targets.
    pub fn cluster(&mut self, name: &str, kubeconfig: &Path) {
        self.files.room += &format!("\n[clusters.{name}]\nkubeconfig = {kubeconfig:?}\n");
        self.write("room.toml", &self.files.room);
    }

    /// The target `NAME-prod` of a service with its name, for a workload such as `deployment/web` with the
    /// image `shop/NAME`; `more` are further lines of it.
    pub fn target(&mut self, name: &str, namespace: &str, workload: &str, more: &str) {
        self.target_in("scratch", name, namespace, workload, more);
    }

    /// The same in another cluster.
    pub fn target_in(
        &mut self,
        cluster: &str,
        name: &str,
        namespace: &str,
        workload: &str,
        more: &str,
    ) {
        self.files.room += &format!(
            "\n[[target]]\nname = \"{name}-prod\"\nservice = {name:?}\nenvironment = \"prod\"\n\
             platform = \"kubernetes\"\ncluster = {cluster:?}\nnamespace = {namespace:?}\n\
             workload = {workload:?}\nimage = \"shop/{name}\"\n{more}\n"
        );
        self.service(name);
    }

    /// The target `NAME-prod` of a service with its name, four instances operated by commands, no cluster.
    pub fn operated(&mut self, name: &str) {
        let site = self.path().join("site");
        fs::create_dir_all(&site).unwrap();
        self.files.room += &operated(&site, name);
        self.service(name);
    }

    fn service(&mut self, name: &str) {
        self.files.catalog += &format!("\n[service.{name}]\nowner = \"team {name}\"\ntier = 1\n");
        self.write("room.toml", &self.files.room);
        self.write("catalog.toml", &self.files.catalog);
    }

    /// Writes one of its files.
    pub fn write(&self, name: &str, text: &str) {
        use std::io::Write;
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(0o600);
        let mut file = options.open(self.path().join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts its engine and waits until it can be asked.
    #[track_caller]
    pub fn serve(&self) -> Keeper {
        Keeper::start(self.path(), &["serve"])
    }

    pub fn cli(&self, words: &[&str]) -> Said {
        holdpoint(self.path(), words)
    }

    /// A command that must work, with `--json`.
    #[track_caller]
    pub fn done(&self, words: &[&str]) -> Value {
        done(self.path(), words)
    }

    /// Writes a plan that brings a version of a service, with the digest of that number, in these batches:
    /// `["25%", "full"]`; `more` are further lines, such as `start: auto`.
    pub fn plan(
        &self,
        service: &str,
        version: &str,
        digest: u32,
        batches: &[&str],
        more: &str,
    ) -> PathBuf {
        let batches = batches
            .iter()
            .map(|exposure| format!("  - {{ exposure: {exposure} }}\n"));
        let batches: String = batches.collect();
        let file = self.path().join(format!("{service}-{version}.yaml"));
        let digest = crate::shop::digest(digest);
        let plan = format!(
            "name: {service}-{version}\ntitle: {service} {version}\nenvironment: prod\nservices:\n  \
             - {{ service: {service}, version: {version:?}, digest: \"{digest}\" }}\n\
             batches:\n{batches}{more}"
        );
        fs::write(&file, plan).unwrap();
        file
    }

    /// Submits a plan, as ci, and says which release it is.
    #[track_caller]
    pub fn submit(&self, plan: &Path) -> String {
        let words = ["release", "submit", plan.to_str().unwrap(), "--as", "ci"];
        self.done(&words)["release"].as_str().unwrap().to_owned()
    }

    /// The release as it is.
    #[track_caller]
    pub fn show(&self, release: &str) -> Value {
        self.done(&["release", "show", release])
    }

    pub fn promote(&self, release: &str) {
        self.done(&["release", "promote", release, "--as", "ada"]);
    }

    pub fn promote_all(&self, release: &str, why: &str) {
        self.done(&[
            "release", "promote", release, "--all", "--why", why, "--as", "ada",
        ]);
    }

    pub fn roll_back(&self, release: &str, why: &str) {
        self.done(&["release", "rollback", release, "--why", why, "--as", "ada"]);
    }

    /// Waits until a release stands at a hold for somebody.
    #[track_caller]
    pub fn stands(&self, ns: &Namespace, release: &str, exposure: u64) -> Value {
        let there =
            |seen: &Value| seen["exposure"] == exposure && seen["waiting"]["word"] == "manual";
        let what = format!("{release} at {exposure} %");
        ns.until(&what, ROUNDS, |_| self.show(release), there)
    }

    /// Waits until a release is being observed.
    #[track_caller]
    pub fn observed(&self, ns: &Namespace, release: &str) {
        let there = |seen: &Value| seen["phase"] == "observing";
        ns.until("its observation", ROUNDS, |_| self.show(release), there);
    }

    #[track_caller]
    pub fn ends(&self, ns: &Namespace, release: &str, ending: &str) {
        let over = |seen: &Value| seen["phase"] == "closed";
        let seen = ns.until("its end", ROUNDS, |_| self.show(release), over);
        assert_eq!(seen["ending"], ending, "{seen}");
    }

    /// Waits until a call of a release has failed, and says why.
    #[track_caller]
    pub fn fails(&self, ns: &Namespace, release: &str) -> String {
        self.why(ns, release, "failed")
    }

    /// Waits until a call of a release is a question to a person, and says which.
    #[track_caller]
    pub fn asks(&self, ns: &Namespace, release: &str) -> String {
        self.why(ns, release, "unknown")
    }

    #[track_caller]
    fn why(&self, ns: &Namespace, release: &str, status: &str) -> String {
        let call = |seen: &Value| -> Option<String> {
            let batches = seen["batches"].as_array()?.iter();
            let moves = batches.flat_map(|batch| batch["moves"].as_array().into_iter().flatten());
            let mut calls = moves.flat_map(|m| m["instances"].as_array().into_iter().flatten());
            let failed = calls.find(|call| call["status"] == status)?;
            Some(failed["why"].as_str()?.to_owned())
        };
        let there = |seen: &Value| call(seen).is_some();
        let what = format!("a call of {release} that is {status}");
        call(&ns.until(&what, ROUNDS, |_| self.show(release), there)).unwrap()
    }
}
