//! How a connection to an endpoint comes about.

use std::{future::Future, net::SocketAddr, pin::Pin};

use actix_rt::net::TcpStream;
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Host, Resolver, ResolverService, tcp};

use super::guard;

/// Resolves a host and connects to an address that the guard permits.
///
/// What is connected to is what was asked about, be it from the resolver or the host itself, so
/// that no name can mean one address when it is looked at and another when it is used.
#[derive(Clone)]
pub(super) struct GuardedConnector {
    resolver: ResolverService,
    tcp: tcp::TcpConnectorService,
}

impl GuardedConnector {
    /// Connects to what a resolver finds.
    pub(super) fn new(resolver: &Resolver) -> Self {
        Self {
            resolver: resolver.service(),
            tcp: tcp::TcpConnector::default().service(),
        }
    }
}

impl<H: Host + 'static> Service<ConnectInfo<H>> for GuardedConnector {
    type Response = Connection<H, TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    actix_service::always_ready!();

    fn call(&self, wanted: ConnectInfo<H>) -> Self::Future {
        let Self { resolver, tcp } = self.clone();
        Box::pin(async move {
            let resolved = resolver.call(wanted).await?;
            let permitted = permitted(resolved.addrs()).map_err(|refused| ConnectError::Resolver(refused.into()))?;
            tcp.call(resolved.set_addrs(permitted)).await
        })
    }
}

/// The addresses that may be connected to, in order.
///
/// # Errors
/// When there is none, though there are addresses.
fn permitted(addresses: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, guard::Refused> {
    let mut permitted = Vec::new();
    let mut first_refused = None;
    for address in addresses {
        match guard::permit(address.ip()) {
            Ok(()) => permitted.push(address),
            Err(refused) => first_refused = first_refused.or(Some(refused)),
        }
    }
    match first_refused {
        Some(refused) if permitted.is_empty() => Err(refused),
        Some(_) | None => Ok(permitted),
    }
}
