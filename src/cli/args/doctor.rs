//! Options of `init` and `doctor`: what is there, and what is missing.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Options of a new room.
#[derive(Clone, Debug, Default, Args)]
pub struct InitArgs {
    /// Where; without one, --room, HOLDPOINT_ROOM or the standard directory.
    #[arg(value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Write what runs in a Kubernetes cluster as its targets.
    #[arg(long)]
    pub from_kube: bool,
    /// Only what runs in this namespace; else in all but the cluster's own.
    #[arg(long, value_name = "NAME", requires = "from_kube")]
    pub namespace: Option<String>,
    /// The context of the kubeconfig; else its current one.
    #[arg(long, value_name = "NAME", requires = "from_kube")]
    pub context: Option<String>,
    /// The kubeconfig; else that of the environment.
    #[arg(long, value_name = "FILE", requires = "from_kube", value_hint = ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
}

/// Options of the doctor.
#[derive(Clone, Debug, Default, Args)]
pub struct DoctorArgs {
    /// Who the printed rights are for: user:NAME, group:NAME, serviceaccount:NAMESPACE/NAME; without one,
    /// who each cluster takes you for.
    #[arg(long, value_name = "WHO")]
    pub subject: Option<String>,
    /// Print nothing but the rights that Kubernetes targets need, as YAML.
    #[arg(long, conflicts_with = "json")]
    pub rbac: bool,
}
