//! What the checks say of a real broker, right and wrong.

use std::time::{Duration, Instant};

use gristmill_domain::stage::Stage;
use gristmill_ports::check::{Check, State};
use gristmill_rabbitmq::{Broker, Management, Options, Tls, checks};
use gristmill_servers::rabbitmq::{Options as ServerOptions, Server};

use crate::stand::{DEADLINE, Stand, blocking, options};

fn named<'c>(checks: &'c [Check], name: &str) -> &'c Check {
    let found = checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {checks:#?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_amqp_shows_is_checked_without_a_management_api() {
    let server = blocking(Server::shared);
    let vhost = blocking(|| server.vhost());
    let bare = checks(options(server, &vhost), None).await;
    let queues = named(&bare, "queues");
    assert!(
        queues.state == State::Failed
            && queues.found.contains("`dead`, `generate`, `judge`, `embed`")
            && queues.fix.contains("gristmill broker setup"),
        "{queues:?}"
    );
    let listed = blocking(|| server.control(&["list_queues", "-p", &vhost, "name"]));
    assert!(!listed.contains("generate"), "nothing was declared: {listed}");

    let stand = Stand::new().await;
    let of_stages = [Stage::Generate, Stage::Judge];
    let mut consumers = Vec::new();
    for stage in of_stages {
        consumers.push(stand.broker.consumer(stage, 1).await.unwrap());
    }
    // A consumer subscribes in a task of its own.
    let until = Instant::now() + DEADLINE;
    let found = loop {
        let found = checks(options(stand.server, &stand.vhost), None).await;
        if named(&found, "consumers").found.contains("`embed`;") || Instant::now() > until {
            break found;
        }
    };
    let consumers = named(&found, "consumers");
    assert!(
        consumers.state == State::Warning && consumers.fix.contains("--stages embed"),
        "{consumers:?}"
    );
    for name in ["connection", "queues", "publishing"] {
        assert_eq!(named(&found, name).state, State::Ok, "{found:#?}");
    }
    for (name, command) in [
        ("version", "rabbitmqctl version"),
        ("policy", "rabbitmqctl list_policies"),
        ("alarms", "rabbitmq-diagnostics alarms"),
    ] {
        let check = named(&found, name);
        assert!(
            check.state == State::NotChecked
                && check.fix.contains("--management")
                && check.fix.contains(command),
            "{check:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_another_one_is_named() {
    let stand = Stand::new().await;
    blocking(|| stand.server.delete_queue(&stand.vhost, "judge"));
    let declare = format!(
        "rabbit_amqqueue:declare(rabbit_misc:r(<<\"{}\">>, queue, <<\"judge\">>), true, false, [], none, <<\"test\">>), ok.",
        stand.vhost
    );
    blocking(|| stand.server.control(&["eval", &declare]));
    let found = checks(options(stand.server, &stand.vhost), None).await;
    let queues = named(&found, "queues");
    assert!(
        queues.state == State::Failed
            && queues.found.contains("`judge` exists with other properties")
            && queues.fix.contains("delete_queue judge"),
        "{queues:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_hears_what_to_correct() {
    let server = blocking(Server::shared);
    let vhost = blocking(|| server.vhost());
    let url = server.url(&vhost);
    let port = server.port().to_string();
    let closed = blocking(gristmill_servers::ports::free).to_string();
    for (url, fix) in [
        (url.replace("guest:guest", "guest:s3cret"), "user and password"),
        (server.url("no-such-vhost"), "virtual host"),
        (url.replace(&port, &closed), "see whether it runs"),
        ("http://guest:s3cret@127.0.0.1".to_owned(), "write `amqp://"),
    ] {
        let found = checks(Options::new(&url), None).await;
        let rest = found.iter().skip(1);
        assert!(
            rest.len() > 0 && rest.clone().all(|check| check.state == State::NotChecked),
            "{found:#?}"
        );
        assert!(
            found[0].state == State::Failed && found[0].fix.contains(fix),
            "{url}: {found:#?}"
        );
        assert!(!format!("{found:?}").contains("s3cret"), "{found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_management_api_shows_version_policy_and_alarms() {
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
    let management = Management::new(&url, &Tls::default()).unwrap();
    let look = || checks(options(&server, &vhost), Some(&management));
    let before = look().await;
    let policy = named(&before, "policy");
    assert!(
        policy.state == State::Warning
            && policy.found.contains("generate (max-length)")
            && policy.fix.contains("rabbitmqctl set_policy"),
        "{policy:?}"
    );
    assert_eq!(named(&before, "version").state, State::Ok, "{before:#?}");
    broker.set_policy(setup, &management).await.unwrap();
    // Policies reach the queues a moment later.
    let until = Instant::now() + DEADLINE;
    let after = loop {
        let found = look().await;
        let seen = named(&found, "policy").state == State::Ok && named(&found, "replicas").state == State::Ok;
        if seen || Instant::now() > until {
            break found;
        }
    };
    for name in ["policy", "replicas", "alarms", "publishing"] {
        assert_eq!(named(&after, name).state, State::Ok, "{after:#?}");
    }

    let stranger = Management::new(&url.replace("guest:guest", "guest:s3cret"), &Tls::default()).unwrap();
    let found = checks(options(&server, &vhost), Some(&stranger)).await;
    let refused = named(&found, "management");
    assert!(
        refused.state == State::Failed && refused.fix.contains("`monitoring`"),
        "{refused:?}"
    );
    assert_eq!(
        named(&found, "queues").state,
        State::Ok,
        "what AMQP shows is checked all the same"
    );

    // An alarm of its disk: nobody has so much.
    blocking(|| server.control(&["set_disk_free_limit", "900000000000000"]));
    let until = Instant::now() + DEADLINE;
    let full = loop {
        let found = look().await;
        if named(&found, "alarms").state == State::Failed || Instant::now() > until {
            break found;
        }
    };
    let alarms = named(&full, "alarms");
    assert!(alarms.found.contains("its disk is short of space"), "{alarms:?}");
    let began = Instant::now();
    let found = look().await;
    let publishing = named(&found, "publishing");
    assert!(
        publishing.state == State::Failed && publishing.found.contains("it takes no messages now"),
        "{publishing:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(30), "it does not hang");
}
