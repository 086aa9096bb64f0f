//! The way to a target: its addresses, and what it answers before any load is sent.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::{HOST, LOCATION};
use hyper::{Request, StatusCode};
use model::history::{Happening, TargetContact};
use model::plan::Variant;
use model::target::Target;
use model::tls::ClientTls;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::cell::error::CellError;
use crate::cell::listener::answered;
use crate::cell::recorder::Recorder;

/// How long a name may take to resolve, and a connection to be accepted.
const WITHIN: Duration = Duration::from_secs(5);
/// The most addresses that are used.
const ADDRESSES: usize = 16;

/// The addresses of `target` that accept connections, once one of them has answered as the load expects.
pub(super) async fn find(
    target: &Target,
    tls: Option<&ClientTls>,
    variant: &Variant,
    recorder: &Recorder<'_>,
) -> Result<Vec<SocketAddr>, CellError> {
    let unreachable = |reason: String| CellError::TargetUnreachable { url: target.url.to_string(), reason };
    let resolved = resolved(target).await.map_err(unreachable)?;
    let tried =
        join_all(resolved.into_iter().map(|address| async move { (address, accepts(address).await) })).await;
    let (mut addresses, mut left_out) = (Vec::new(), Vec::new());
    for (address, accepted) in tried {
        match accepted {
            Ok(()) => addresses.push(address),
            Err(reason) => left_out.push(format!("{address}: {reason}")),
        }
    }
    let Some(first) = addresses.first() else { return Err(unreachable(left_out.join("; "))) };
    let answer =
        match tokio::time::timeout(variant.traffic.timeout.0, asked(*first, target, tls, variant)).await {
            Ok(answer) => answer.map_err(unreachable)?,
            Err(_) => return Err(unreachable(format!("no answer within {}", variant.traffic.timeout))),
        };
    if !answer.expected {
        return Err(CellError::TargetAnswers {
            url: target.url.to_string(),
            answer: answer.words,
            to: answer.to,
        });
    }
    recorder.record(Happening::TargetReached(TargetContact {
        url: target.url.to_string(),
        addresses: addresses.iter().map(ToString::to_string).collect(),
        left_out,
        answer: answer.words,
    }));
    Ok(addresses)
}

async fn resolved(target: &Target) -> Result<Vec<SocketAddr>, String> {
    let (host, port) = (target.url.host.as_str(), target.url.port);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = tokio::time::timeout(WITHIN, tokio::net::lookup_host((host, port))).await;
    let found = found.map_err(|_| format!("{host} did not resolve within {} s", WITHIN.as_secs()))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.map_err(|error| format!("{host} does not resolve: {error}"))? {
        if !addresses.contains(&address) && addresses.len() < ADDRESSES {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

async fn accepts(address: SocketAddr) -> Result<(), String> {
    match tokio::time::timeout(WITHIN, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no connection within {} s", WITHIN.as_secs())),
    }
}

/// What a request was answered.
struct TargetAnswer {
    words: String,
    /// Whether the load counts such an answer as delivered.
    expected: bool,
    /// Where a redirect leads.
    to: Option<String>,
}

/// The first kind of request of the load, asked once.
async fn asked(
    address: SocketAddr,
    target: &Target,
    tls: Option<&ClientTls>,
    variant: &Variant,
) -> Result<TargetAnswer, String> {
    let class = variant.traffic.mix.first().ok_or("the load has no requests")?;
    let request = Request::builder().method(class.method.name()).uri(&class.path);
    let request = request.header(HOST, target.authority_of_requests());
    let request = class.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let answer = match tls {
        None => answered(stream, request).await?,
        Some(tls) => {
            let config = agent::tls::client(tls).map_err(|error| error.to_string())?;
            let name = agent::tls::server_name(tls).map_err(|error| error.to_string())?;
            let secured = TlsConnector::from(config).connect(name, stream).await;
            answered(secured.map_err(|error| no_tls(&error, tls))?, request).await?
        }
    };
    let status = answer.status();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let identity = target.identity_header.as_ref().map(|name| match answer.headers().get(name) {
        Some(value) => format!(", {name}: {}", text(value)),
        None => format!(", without the header {name}"),
    });
    let expected = match &class.expect_status {
        Some(statuses) => statuses.contain(status.as_u16()),
        None => status.is_success(),
    };
    Ok(TargetAnswer {
        words: format!(
            "{} {} was answered {status}{}",
            class.method.name(),
            class.path,
            identity.unwrap_or_default()
        ),
        expected,
        to: answer.headers().get(LOCATION).filter(|_| is_redirect(status)).map(text),
    })
}

fn is_redirect(status: StatusCode) -> bool {
    status.is_redirection()
}

/// Why there is no TLS, with what to do about it.
fn no_tls(error: &std::io::Error, tls: &ClientTls) -> String {
    match agent::tls::refusal(error) {
        Some(agent::tls::Refusal::InvalidCertificate(why)) => {
            let ca =
                if tls.authority.is_some() { "another authority" } else { "the authority that signed it" };
            format!("its certificate is not trusted ({why:?}); name {ca} by `ca` of the target, or --ca FILE")
        }
        _ => format!("no TLS: {error}"),
    }
}
