//! The listener as rig itself asks it, on a connection of its own each time: in plain HTTP, or over TLS as the load does.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use agent::tls::TlsError;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use model::identity::{Incarnation, STAMP_HEADER};
use model::tls::SERVER_NAME;
use model::topology::HeaderMatch;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::balancer::Site;

/// How long one answer may take.
const WITHIN: Duration = Duration::from_secs(2);

/// An address, and what is spoken there.
#[derive(Clone)]
pub(super) struct BalancerListener {
    pub(super) address: SocketAddr,
    /// `None`: plain HTTP.
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// What the load asks for in `Host`; `None`: the address, or over TLS rig's own name.
    pub(super) host: Option<String>,
}

impl BalancerListener {
    /// The listener of `site`, asked as a load for `host` does.
    pub(super) fn of(site: &Site, host: Option<&str>) -> Result<BalancerListener, TlsError> {
        let tls = site.certificates.as_ref().map(|certificates| certificates.for_client(false));
        let tls =
            tls.map(|tls| Ok::<_, TlsError>((agent::tls::client(&tls)?, agent::tls::server_name(&tls)?)));
        Ok(BalancerListener { address: site.listener, tls: tls.transpose()?, host: host.map(str::to_owned) })
    }

    /// Who answers a request for `path`, with the source address `source` if the way there has that.
    pub(super) async fn stamp(
        &self,
        path: &str,
        header: Option<&HeaderMatch>,
        source: Option<IpAddr>,
    ) -> Result<Incarnation, String> {
        let ListenerAnswer { status, stamp } = self.answer(path, header, source).await?;
        stamp.ok_or_else(|| format!("status {status} without a backend's stamp"))
    }

    /// The status that a request for `path` is answered with.
    pub(super) async fn status(
        &self,
        path: &str,
        header: Option<&HeaderMatch>,
        source: Option<IpAddr>,
    ) -> Result<u16, String> {
        self.answer(path, header, source).await.map(|answer| answer.status)
    }

    async fn answer(
        &self,
        path: &str,
        header: Option<&HeaderMatch>,
        source: Option<IpAddr>,
    ) -> Result<ListenerAnswer, String> {
        match tokio::time::timeout(WITHIN, self.asked(path, header, source)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
        }
    }

    /// What a person would write for `path`.
    pub(super) fn url(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    async fn asked(
        &self,
        path: &str,
        header: Option<&HeaderMatch>,
        source: Option<IpAddr>,
    ) -> Result<ListenerAnswer, String> {
        let wanted = header.filter(|header| header.name.eq_ignore_ascii_case(HOST.as_str()));
        let host = match (wanted, &self.host, &self.tls) {
            (Some(header), ..) => header.value.clone(),
            (None, Some(host), _) => host.clone(),
            (None, None, None) => self.address.to_string(),
            (None, None, Some(_)) => format!("{SERVER_NAME}:{}", self.address.port()),
        };
        let request = Request::get(path).header(HOST, host);
        let others = header.filter(|_| wanted.is_none());
        let request = others.into_iter().fold(request, |request, h| request.header(&h.name, &h.value));
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let socket = socket.map_err(|error| error.to_string())?;
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0)).map_err(|error| error.to_string())?;
        }
        let stream = socket.connect(self.address).await.map_err(|error| error.to_string())?;
        match &self.tls {
            None => answer_of(stream, request).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(config.clone());
                let stream = connector.connect(name.clone(), stream).await;
                answer_of(stream.map_err(|error| format!("no TLS: {error}"))?, request).await
            }
        }
    }
}

/// What a request was answered.
struct ListenerAnswer {
    status: u16,
    /// Who says that it answered; `None`: no backend of rig's.
    stamp: Option<Incarnation>,
}

async fn answer_of(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<ListenerAnswer, String> {
    let answer = answered(stream, request).await?;
    let stamp = answer.headers().get(STAMP_HEADER).and_then(|stamp| stamp.to_str().ok());
    Ok(ListenerAnswer { status: answer.status().as_u16(), stamp: stamp.and_then(|stamp| stamp.parse().ok()) })
}

/// The response to one request on a connection of its own, as far as its head.
pub(super) async fn answered(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // It ends with the sender; how does not matter once the answer is there.
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(|error| error.to_string());
    connection.abort();
    answer
}
