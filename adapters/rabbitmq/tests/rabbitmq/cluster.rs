//! Three nodes, of which one dies: case 12 of the reliability table.

use std::collections::BTreeSet;
use std::time::Instant;

use gristmill_domain::stage::Stage;
use gristmill_ports::queue::Publisher;
use gristmill_rabbitmq::{Broker, Options};
use gristmill_servers::rabbitmq::{self, Server};

use crate::stand::{DEADLINE, blocking, next, publish, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_goes_on_when_its_leader_is_killed() {
    const COUNT: usize = 200;
    let nodes = blocking(|| {
        let starts = [(); 3].map(|()| std::thread::spawn(|| Server::start(&rabbitmq::Options::default())));
        let nodes = starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect::<anyhow::Result<Vec<_>>>()?;
        nodes[1].join(&nodes[0])?;
        nodes[2].join(&nodes[0])?;
        Ok(nodes)
    });
    let vhost = blocking(|| nodes[0].vhost());
    let urls: Vec<String> = nodes.iter().map(|node| node.url(&vhost)).collect();
    let mut options = Options::new(urls.join(","));
    options.patience = DEADLINE;
    options.publish_timeout = DEADLINE;
    let broker = Broker::connect(options).await.unwrap();
    broker.setup().await.unwrap();
    let mut consumer = broker.consumer(Stage::Generate, 8).await.unwrap();
    let batch = (0..COUNT / 2).map(|number| number.to_string().into_bytes());
    broker
        .publisher()
        .publish_all(Stage::Generate, batch.collect())
        .await
        .unwrap();
    // A replica that is still starting would leave no majority.
    let list = || nodes[1].control(&["list_queues", "-p", &vhost, "name", "leader", "online"]);
    let whole = |list: &str| nodes.iter().all(|node| list.matches(node.node()).count() >= 4);
    let mut listed = blocking(list);
    let start = Instant::now();
    while !whole(&listed) {
        assert!(start.elapsed() < DEADLINE, "{listed}");
        listed = blocking(list);
    }
    let leader = nodes
        .iter()
        .find(|node| listed.contains(&format!("generate\t{}", node.node())))
        .unwrap_or_else(|| panic!("{listed}"));
    blocking(|| leader.kill());
    for number in COUNT / 2..COUNT {
        publish(&broker, &number.to_string()).await;
    }
    let mut seen = BTreeSet::new();
    while seen.len() < COUNT {
        let delivery = next(&mut consumer).await;
        seen.insert(text(&delivery));
        // What was in hand when the node died comes again.
        let _late = delivery.receipt.ack().await;
    }
}
