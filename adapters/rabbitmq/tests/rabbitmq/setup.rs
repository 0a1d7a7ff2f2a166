//! Declaring queues, and saying what is wrong with those that are there.

use std::time::Duration;

use gristmill_domain::stage::Stage;
use gristmill_ports::queue::Publisher;
use gristmill_rabbitmq::{Broker, Error, Management, Tls};
use gristmill_servers::rabbitmq::{Options as ServerOptions, Server};

use crate::stand::{Stand, blocking, chain, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn setup_may_be_repeated_and_its_policy_can_be_set() {
    let stand = Stand::new().await;
    let once = stand.broker.setup().await.unwrap();
    let names: Vec<&str> = once.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["dead", "generate", "judge", "embed"]);
    assert_eq!(once, stand.broker.setup().await.unwrap());
    let listed = blocking(|| {
        stand
            .server
            .control(&["list_queues", "-p", &stand.vhost, "name", "type", "durable"])
    });
    for name in names {
        assert!(listed.contains(&format!("{name}\tquorum\ttrue")), "{listed}");
    }
    // The one for the version that runs here.
    let policy = &once.policies[0];
    let definition = format!("{{\"max-length\":{}}}", policy.definition["max-length"]);
    blocking(|| {
        stand.server.control(&[
            "set_policy",
            "-p",
            &stand.vhost,
            "--apply-to",
            policy.apply_to,
            &policy.name,
            &policy.pattern,
            &definition,
        ])
    });
    let applied = blocking(|| {
        stand
            .server
            .control(&["list_queues", "-p", &stand.vhost, "name", "policy"])
    });
    assert!(
        applied.contains("generate\ttasks") && !applied.contains("dead\ttasks"),
        "{applied}"
    );
    assert!(once.to_string().contains("rabbitmqctl set_policy"), "{once}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_is_set_through_the_management_api() {
    let server = blocking(|| {
        Server::start(&ServerOptions {
            management: true,
            ..ServerOptions::default()
        })
    });
    let vhost = blocking(|| server.vhost());
    let broker = Broker::connect(options(&server, &vhost)).await.unwrap();
    let setup = broker.setup().await.unwrap();
    let url = server.management_url().unwrap();
    let stranger = url.replace("guest:guest", "guest:s3cret");
    let stranger = Management::new(&stranger, &Tls::default()).unwrap();
    let refused = broker.set_policy(setup.clone(), &stranger).await.unwrap_err();
    let text = chain(&refused);
    assert!(
        text.contains("does not let the user in") && !text.contains("s3cret"),
        "{text}"
    );
    let management = Management::new(&url, &Tls::default()).unwrap();
    for _ in 0..2 {
        let setup = broker.set_policy(setup.clone(), &management).await.unwrap();
        assert_eq!(
            setup.policy_set.as_ref(),
            Some(&setup.policies[0]),
            "the one for this version"
        );
        assert!(setup.to_string().contains("The policy is set"), "{setup}");
    }
    let applied = blocking(|| server.control(&["list_queues", "-p", &vhost, "name", "policy"]));
    for queue in ["generate", "judge", "embed"] {
        assert!(applied.contains(&format!("{queue}\ttasks")), "{applied}");
    }
    assert!(!applied.contains("dead\ttasks"), "{applied}");
    let listed = blocking(|| server.control(&["list_policies", "-p", &vhost]));
    assert!(listed.contains("{\"max-length\":1000000}"), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_another_one_is_named_with_the_way_out() {
    let stand = Stand::new().await;
    blocking(|| stand.server.delete_queue(&stand.vhost, "judge"));
    let declare = format!(
        "rabbit_amqqueue:declare(rabbit_misc:r(<<\"{}\">>, queue, <<\"judge\">>), true, false, [], none, <<\"test\">>), ok.",
        stand.vhost
    );
    blocking(|| stand.server.control(&["eval", &declare]));
    let error = stand.broker.setup().await.unwrap_err();
    assert!(
        matches!(&error, Error::Mismatch { queue, .. } if queue == "judge"),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("`judge`") && text.contains("delete_queue judge") && text.contains("broker setup"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_an_error_in_time() {
    let stand = Stand::new().await;
    let mut options = options(stand.server, &stand.vhost);
    options.publish_timeout = Duration::from_secs(1);
    let broker = Broker::connect(options).await.unwrap();
    blocking(|| {
        stand.server.control(&[
            "set_policy",
            "-p",
            &stand.vhost,
            "short",
            "^generate$",
            "{\"max-length\":1}",
        ])
    });
    let publisher = broker.publisher();
    // The broker counts in its own time.
    let mut error = None;
    for _ in 0..100 {
        if let Err(full) = publisher.publish(Stage::Generate, b"x".to_vec()).await {
            error = Some(full);
            break;
        }
    }
    let text = chain(&error.unwrap());
    assert!(text.contains("takes no more messages"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_said_at_once() {
    let stand = Stand::new().await;
    let mut options = options(stand.server, &stand.vhost);
    options.urls = options.urls.replace("guest:guest", "guest:s3cret");
    let error = Broker::connect(options).await.map(drop).unwrap_err();
    let text = chain(&error);
    assert!(
        text.contains("ACCESS_REFUSED") && !text.contains("s3cret"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_of_a_cluster_is_passed_over() {
    let stand = Stand::new().await;
    let mut options = options(stand.server, &stand.vhost);
    options.urls = format!("amqp://guest:guest@127.0.0.1:1/{}, {}", stand.vhost, options.urls);
    let broker = Broker::connect(options).await.unwrap();
    broker.ready().await.unwrap();
}
