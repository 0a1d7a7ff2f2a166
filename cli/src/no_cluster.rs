//! Stands in for the parts of a cluster in a program that was built without them, and says so.

use std::path::Path;

use crate::args::{BudgetArgs, ClusterCommand, DoctorClusterArgs, OutputStyle, ServerArgs, TraceArgs};
use crate::doctor::Pending;
use crate::failure::Failure;
use crate::features;
use crate::view::View;

/// Says that the command is not there.
pub(crate) async fn carry_out(command: ClusterCommand, _: View, _: OutputStyle) -> Result<(), Failure> {
    let what = format!("`gristmill {}`", command.name());
    Err(Failure::Input(features::missing(&what, "cluster")))
}

fn unreachable_server() -> Failure {
    Failure::Input(features::missing("`--server` (or GRISTMILL_SERVER)", "cluster"))
}

/// Says that no coordinator can be reached.
pub(crate) async fn status(_: &ServerArgs, _: &Path, _: OutputStyle) -> Result<(), Failure> {
    Err(unreachable_server())
}

/// Says that no coordinator can be reached.
pub(crate) async fn budget(_: &ServerArgs, _: &BudgetArgs, _: OutputStyle) -> Result<(), Failure> {
    Err(unreachable_server())
}

/// Says that no coordinator can be reached.
pub(crate) async fn trace(_: &ServerArgs, _: &TraceArgs, _: OutputStyle) -> Result<(), Failure> {
    Err(unreachable_server())
}

/// Says of each server that is named that it cannot be checked.
pub(crate) fn sections(args: &DoctorClusterArgs) -> Vec<Pending> {
    let named = [
        ("redis", args.redis.is_some()),
        ("rabbitmq", args.broker.is_some() || args.management.is_some()),
        ("coordinator", args.server.server().is_some()),
    ];
    let named = named.into_iter().filter(|(_, named)| *named);
    let checks = named.map(|(subject, _)| {
        let text = features::missing("checking a cluster", "cluster").to_string();
        let (found, fix) = text.split_once("\nhelp: ").unwrap_or((&text, ""));
        Pending::unseen(subject, &["connection"], found, fix)
    });
    checks.collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    async fn said(line: &str) -> String {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let view = View::new(cli.progress);
        let result = match cli.command {
            Command::Cluster(command) => carry_out(command, view, cli.output).await,
            Command::Status(args) => status(&args.server.server().unwrap(), &args.run, cli.output).await,
            other => panic!("{other:?}"),
        };
        result.unwrap_err().text()
    }

    #[tokio::test]
    async fn commands_of_a_cluster_name_the_feature_and_how_to_get_it() {
        let said = said("gristmill submit job.yaml --server http://h:1 --watch").await;
        assert!(
            said.contains("`gristmill submit` needs the feature `cluster`"),
            "{said}"
        );
        assert!(
            said.contains("cargo install --path cli --locked --features cluster"),
            "{said}"
        );
    }

    #[tokio::test]
    async fn a_server_cannot_be_asked() {
        let said = said("gristmill status 0123 --server http://h:1").await;
        assert!(
            said.contains("`--server`") && said.contains("the feature `cluster`"),
            "{said}"
        );
    }
}
