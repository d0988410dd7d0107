//! What an endpoint's settings mean to the webhooks.

use std::io;

use crate::{
    app::Keys,
    config::{AppSettings, EndpointSettings, Settings},
    signature::StandardKey,
    webhook::{self, Signer, Tls, TlsIdentity, TlsParts},
};

/// The endpoints of an app.
///
/// # Errors
/// When a secret or a certificate cannot be used; the configuration refuses those.
pub(super) fn endpoints(
    app: &AppSettings,
    settings: &Settings,
    keys: &Keys,
) -> io::Result<Vec<webhook::EndpointSettings>> {
    let named = |endpoint: &EndpointSettings, error: &dyn std::error::Error| {
        io::Error::other(format!("app {} endpoint {}: {error}", app.id, endpoint.id))
    };
    let one = |endpoint: &EndpointSettings| {
        let standard = endpoint
            .secrets
            .iter()
            .map(StandardKey::parse)
            .collect::<Result<_, _>>();
        Ok(webhook::EndpointSettings {
            app: app.id.clone(),
            id: endpoint.id.clone(),
            url: endpoint.url.clone(),
            headers: endpoint.headers.clone(),
            timeout: settings.webhooks.timeout,
            retry_after_max: settings.webhooks.retry_after_max,
            signer: Signer {
                key: keys.oldest().key.clone(),
                signing: keys.oldest().signing.clone(),
                standard: standard.map_err(|error| named(endpoint, &error))?,
            },
            extras: endpoint.extras,
            link_local: endpoint.link_local,
            tls: Tls::new(&tls_parts(endpoint)).map_err(|error| named(endpoint, &error))?,
        })
    };
    app.webhooks.iter().map(one).collect()
}

fn tls_parts(endpoint: &EndpointSettings) -> TlsParts {
    let identity = endpoint.tls.identity.as_ref().map(|identity| TlsIdentity {
        cert: identity.cert.clone(),
        key: identity.key.clone(),
    });
    TlsParts {
        roots: endpoint.tls.roots.clone(),
        identity,
    }
}
