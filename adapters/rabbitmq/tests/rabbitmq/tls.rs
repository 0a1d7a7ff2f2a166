//! Connections with TLS, both ends certified.

use gristmill_rabbitmq::{Broker, Options, Tls};
use gristmill_servers::rabbitmq::{self, Server};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::stand::{blocking, chain};

/// A certificate and its key, in PEM.
fn issued(names: &[&str], issuer: &Issuer<'_, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, issuer)
        .unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_of_ones_own_authority_is_trusted_and_trusts_back() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // A name of its own: a certificate whose subject is its issuer passes for self-signed.
    params.distinguished_name.push(DnType::CommonName, "an authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let (certificate, server_key) = issued(&["localhost"], &issuer);
    let server = blocking(|| {
        Server::start(&rabbitmq::Options {
            tls: Some(rabbitmq::Tls {
                authority: authority.clone(),
                certificate,
                key: server_key,
                clients_too: true,
            }),
            ..rabbitmq::Options::default()
        })
    });
    let vhost = blocking(|| server.vhost());
    let url = server.tls_url(&vhost).unwrap();

    let stranger = Broker::connect(Options::new(&url)).await.map(drop).unwrap_err();
    assert!(chain(&stranger).contains("certificate"), "{}", chain(&stranger));
    let mut options = Options::new(&url);
    options.tls = Tls {
        authorities: Some(authority),
        identity: Some(issued(&["worker"], &issuer)),
    };
    let broker = Broker::connect(options).await.unwrap();
    broker.setup().await.unwrap();
    broker.ready().await.unwrap();
}
