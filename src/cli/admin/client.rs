//! Reaches the admin API of a running server.

use std::{io, net::IpAddr, path::PathBuf, time::Duration};

use awc::{
    ClientRequest, ClientResponse,
    error::{ConnectError, PayloadError, SendRequestError, WsClientError},
    http::{Method, StatusCode, Uri},
};
use bytes::Bytes;
use clap::Args;
use futures_core::Stream;
use futures_util::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};

use super::error::{ClientError, DownloadError};
use crate::{
    cli::{SHARED, escape},
    config::{ConfigError, Loaded},
    http::admin::wire,
    webhook::{DirectConnector, Tls, TlsFailed, target},
};

/// The variable that may hold the token.
const TOKEN_VARIABLE: &str = "VACANCY_ADMIN_TOKEN";
/// How long the server may take to answer; a replay may have much to read.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a copy of the ledger may take.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(3_600);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1_024 * 1_024;
/// Longest message of a stream that is read.
const MESSAGE_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// What stands in a path or a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where the server is, and how what it says is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ClientArgs {
    /// Where the admin API is; without, as admin.listen of the configuration says.
    #[arg(long, global = true, value_name = "URL", help_heading = SHARED)]
    pub(in crate::cli) url: Option<String>,
    /// A file with the token of the admin API; without, the variable VACANCY_ADMIN_TOKEN, and
    /// without that, admin.token of the configuration.
    #[arg(long, global = true, value_name = "FILE", help_heading = SHARED)]
    pub(super) token_file: Option<PathBuf>,
    /// A PEM file of certificates to trust besides the public ones, for https URLs.
    #[arg(long, global = true, value_name = "FILE", help_heading = SHARED)]
    pub(super) ca: Option<PathBuf>,
    /// Print JSON; of a list, an object a line.
    #[arg(long, global = true, help_heading = SHARED)]
    pub(in crate::cli) json: bool,
}

/// Asks the admin API.
pub(super) struct Client {
    base: String,
    /// The same URL as the HTTP client gets it; its connector speaks TLS.
    target: String,
    token: SecretString,
    token_from: String,
    http: awc::Client,
    /// Whether JSON is printed.
    pub(super) json: bool,
}

/// A stream of messages.
pub(super) type Messages = actix_codec::Framed<awc::BoxedSocket, awc::ws::Codec>;

impl Client {
    /// Knows where the server is and what it wants to be told. The configuration need not be valid
    /// where nothing is taken from it.
    pub(super) fn new(args: &ClientArgs, loaded: Result<Loaded, ConfigError>) -> Result<Self, ClientError> {
        let given = given_token(args)?;
        let known = if args.url.is_none() || given.is_none() {
            Some(loaded?)
        } else {
            None
        };
        let base = match (&args.url, &known) {
            (Some(url), _) => checked(url)?,
            (None, Some(loaded)) => base(loaded)?,
            (None, None) => unreachable!("without a URL the configuration was looked at"),
        };
        let (token, token_from) = match (given, known) {
            (Some(given), _) => given,
            (None, Some(loaded)) => configured_token(loaded)?,
            (None, None) => unreachable!("without a token the configuration was looked at"),
        };
        let (target, http) = https(&base, &trusted(args)?);
        let http = http.timeout(TIMEOUT).finish();
        Ok(Self {
            target,
            base,
            token,
            token_from,
            http,
            json: args.json,
        })
    }

    /// Where the server is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Asks for what a path has, with those of the parameters that are given.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
    ) -> Result<T, ClientError> {
        self.read(self.request(Method::GET, path, query).send().await).await
    }

    /// Asks for something to be done.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.read(self.request(Method::POST, path, &[]).send_json(body).await)
            .await
    }

    /// Asks for what a path has to be deleted, with those of the parameters that are given.
    pub(super) async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
    ) -> Result<T, ClientError> {
        self.read(self.request(Method::DELETE, path, query).send().await).await
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, Option<&str>)]) -> ClientRequest {
        let request = self.http.request(method, self.url(path, query));
        request.bearer_auth(self.token.expose_secret())
    }

    /// Opens a stream.
    pub(super) async fn stream(&self, path: &str, query: &[(&str, Option<&str>)]) -> Result<Messages, ClientError> {
        let request = self
            .http
            .ws(self.url(path, query))
            .bearer_auth(self.token.expose_secret())
            .max_frame_size(MESSAGE_BYTES_MAX);
        match request.connect().await {
            Ok((_, stream)) => Ok(stream),
            Err(WsClientError::InvalidResponseStatus(StatusCode::UNAUTHORIZED)) => Err(self.wrong_token()),
            Err(WsClientError::InvalidResponseStatus(status)) => Err(self.not_the_api(status)),
            Err(WsClientError::SendRequest(error)) => Err(self.unreachable(&error)),
            Err(other) => Err(ClientError::Unreachable {
                url: self.base.clone(),
                reason: other.to_string(),
            }),
        }
    }

    fn url(&self, path: &str, query: &[(&str, Option<&str>)]) -> String {
        let given = query.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        let pairs: Vec<String> = given.map(|(name, value)| format!("{name}={}", plain(value))).collect();
        let introduced = if pairs.is_empty() { "" } else { "?" };
        format!("{}/admin/v1{path}{introduced}{}", self.target, pairs.join("&"))
    }

    async fn read<T: DeserializeOwned, P>(
        &self,
        sent: Result<ClientResponse<P>, SendRequestError>,
    ) -> Result<T, ClientError>
    where
        P: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    {
        let mut response = self.answered(sent).await?;
        let body = self.body(&mut response).await?;
        self.parse(&body).map_err(|_| self.not_the_api(response.status()))
    }

    /// Reads what a path has piece by piece, however long it is.
    pub(super) async fn download(
        &self,
        path: &str,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), DownloadError> {
        let request = self.request(Method::GET, path, &[]);
        let request = request.timeout(DOWNLOAD_TIMEOUT).no_decompress();
        let mut response = self.answered(request.send().await).await?;
        while let Some(piece) = response.next().await {
            take(&piece.map_err(|error| self.broken_off(&error))?)?;
        }
        Ok(())
    }

    /// An answer that is not a refusal.
    async fn answered<P>(
        &self,
        sent: Result<ClientResponse<P>, SendRequestError>,
    ) -> Result<ClientResponse<P>, ClientError>
    where
        P: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    {
        let mut response = sent.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            return Err(self.wrong_token());
        }
        if status.is_success() {
            return Ok(response);
        }
        let body = self.body(&mut response).await?;
        Err(match serde_json::from_slice::<wire::Problem>(&body) {
            Ok(problem) => ClientError::Refused(escape::line(&problem.error)),
            Err(_) => self.not_the_api(status),
        })
    }

    async fn body<P>(&self, response: &mut ClientResponse<P>) -> Result<Bytes, ClientError>
    where
        P: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    {
        let body = response.body().limit(ANSWER_BYTES_MAX).await;
        body.map_err(|error| self.broken_off(&error))
    }

    fn broken_off(&self, error: &PayloadError) -> ClientError {
        ClientError::Unreachable {
            url: self.base.clone(),
            reason: error.to_string(),
        }
    }

    /// Parses an answer of the server. Texts in it are escaped, except for JSON output, which escapes them
    /// itself.
    pub(super) fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, serde_json::Error> {
        if self.json {
            return serde_json::from_slice(body);
        }
        let mut value: serde_json::Value = serde_json::from_slice(body)?;
        escape::texts(&mut value);
        serde_json::from_value(value)
    }

    fn unreachable(&self, error: &SendRequestError) -> ClientError {
        ClientError::Unreachable {
            url: self.base.clone(),
            reason: reason(error),
        }
    }

    fn wrong_token(&self) -> ClientError {
        ClientError::Token {
            url: self.base.clone(),
            token_from: self.token_from.clone(),
        }
    }

    fn not_the_api(&self, status: StatusCode) -> ClientError {
        ClientError::NotTheApi {
            url: self.base.clone(),
            what: format!("it answered {status}"),
        }
    }
}

/// The trusted certificates.
pub(super) fn trusted(args: &ClientArgs) -> Result<Tls, ClientError> {
    let Some(path) = &args.ca else {
        return Ok(Tls::public());
    };
    let refused = |reason: String| ClientError::Ca {
        path: path.clone(),
        reason,
    };
    let pem = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    Tls::trusting_also(&pem).map_err(|error| refused(error.to_string()))
}

/// The URL to request, and a client whose connections speak TLS if the URL is https.
pub(super) fn https(url: &str, tls: &Tls) -> (String, awc::ClientBuilder<DirectConnector, ()>) {
    let (target, is_tls) = target(url);
    let connector = awc::Connector::new().connector(DirectConnector::new(is_tls.then(|| tls.clone())));
    (target, awc::Client::builder().connector(connector).disable_redirects())
}

/// Why a request was not answered, in the words of the operating system where it has some.
pub(super) fn reason(error: &SendRequestError) -> String {
    if let SendRequestError::Connect(ConnectError::Io(error)) = error {
        let failed = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsFailed>());
        return match failed {
            Some(failed) => format!(
                "TLS failed ({}); use --ca FILE to trust a certificate that is not public",
                failed.without_settings()
            ),
            None => error.to_string(),
        };
    }
    if matches!(error, SendRequestError::Connect(ConnectError::Disconnected)) {
        return "the connection was closed".into();
    }
    if matches!(error, SendRequestError::Timeout) {
        return "it did not answer in time".into();
    }
    error.to_string()
}

/// A text in a path or a query.
pub(super) fn plain(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// The token that the command was given besides the configuration, with where it came from.
fn given_token(args: &ClientArgs) -> Result<Option<(SecretString, String)>, ClientError> {
    if let Some(path) = &args.token_file {
        let text = std::fs::read_to_string(path).map_err(|error| ClientError::TokenFile {
            path: path.clone(),
            error,
        })?;
        let from = format!("the file {}", path.display());
        return Ok(Some((text.trim().to_owned().into(), from)));
    }
    let set = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty());
    Ok(set.map(|token| (token.into(), format!("the variable {TOKEN_VARIABLE}"))))
}

fn configured_token(loaded: Loaded) -> Result<(SecretString, String), ClientError> {
    let config = loaded.source.to_string();
    match loaded.settings.admin.token {
        Some(token) => Ok((token, format!("admin.token in {config}"))),
        None => Err(ClientError::NoToken { config }),
    }
}

fn checked(url: &str) -> Result<String, ClientError> {
    let parsed: Option<Uri> = url.parse().ok();
    let is_absolute = |uri: &Uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"));
    if !parsed.is_some_and(|uri| is_absolute(&uri)) {
        return Err(ClientError::Url(url.to_owned()));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// The URL of the server on this machine that has these settings.
fn base(loaded: &Loaded) -> Result<String, ClientError> {
    let mut address = loaded.settings.admin.listen;
    if address.port() == 0 {
        return Err(ClientError::AnyPort);
    }
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(format!("http://{address}"))
}
