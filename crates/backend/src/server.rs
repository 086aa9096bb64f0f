//! The server: the listener, its connections, and what SIGTERM does to both.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use agent::clock;
use agent::timer::Timer;
use agent::tls::TlsError;
use hyper::header::{HeaderValue, InvalidHeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use model::identity::Incarnation;
use model::job::{BackendJob, WAKE_QUANTUM};
use model::topology::OnTerm;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::application::Application;
use crate::behaviour::{Axe, Behaviour, CutWire};
use crate::ledger::Ledger;
use crate::pulse;
use crate::sessions::OwnSessions;
use crate::transport::Reception;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 4096;
/// How long to wait when the system has no descriptor for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Why a backend can't serve.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The address can't be had.
    #[error("cannot listen on {address}: {source}; see what holds it with `ss -ltnp`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The ledger can't be written.
    #[error("cannot write the ledger {}: {source}", path.display())]
    Ledger {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The backend's name can't stand in a header.
    #[error("`{incarnation}` can't stand in a header: {source}")]
    Stamp {
        /// Who it is.
        incarnation: Incarnation,
        /// Why.
        source: InvalidHeaderValue,
    },
    /// Its certificate or key can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The session store can't be used.
    #[error("cannot keep sessions: {0}")]
    Sessions(String),
    /// The timer can't be made.
    #[error("cannot make a timer: {0}")]
    Timer(io::Error),
}

/// Serves `job` until `terminate` resolves (SIGTERM), as its `on_term` says: returns at once, or after the
/// requests in flight. It misbehaves as `behaviour` says at any time. Calls `listening` with the address once connections are accepted. To be called on
/// tokio's `LocalRuntime` or in a `LocalSet`.
pub async fn serve(
    job: BackendJob,
    behaviour: Behaviour,
    listening: impl FnOnce(SocketAddr),
    terminate: impl Future<Output = ()>,
) -> Result<(), BackendError> {
    let address = job.listen;
    let on_term = job.backend.on_term;
    let refused = |source| BackendError::Listen { address, source };
    let ledger_path = job.ledger.clone();
    let broken = |source| BackendError::Ledger { path: ledger_path.clone(), source };
    let mut terminate = pin!(terminate);

    let tls = job.tls.as_ref().map(agent::tls::server).transpose()?;
    let acceptor = tls.map(TlsAcceptor::from);
    let socket = bind(address).map_err(refused)?;
    let timer = Timer::new(WAKE_QUANTUM).map_err(BackendError::Timer)?;
    let ledger = Ledger::open(&job.ledger).map_err(broken)?;
    let stamp = HeaderValue::try_from(job.incarnation.to_string())
        .map_err(|source| BackendError::Stamp { incarnation: job.incarnation.clone(), source })?;

    tokio::select! {
        biased;
        () = &mut terminate => return Ok(()),
        () = timer.sleep_until(clock::now() + job.backend.boot.0) => {}
    }
    let listener = socket.listen(BACKLOG).map_err(refused)?;
    listening(listener.local_addr().map_err(refused)?);

    let reception = Rc::new(Reception::new(acceptor));
    let sessions = OwnSessions::new(&job).map_err(|error| BackendError::Sessions(error.to_string()))?;
    let (timer_of_all, ledger_of_all) = (timer.clone(), ledger.clone());
    let application =
        Application::new(job, sessions, stamp, ledger_of_all, timer_of_all, behaviour, reception.clone());
    let application = Rc::new(application);
    let (finish, finishing) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut pulse = pin!(pulse::watch(timer.clone(), ledger.clone()));
    loop {
        tokio::select! {
            biased;
            () = &mut terminate => break,
            error = ledger.failure() => return Err(broken(error)),
            never = &mut pulse => match never {},
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let reception = reception.clone();
                    connections.spawn_local(converse(stream, reception, application.clone(), finishing.clone()));
                }
                // Out of descriptors, or the peer is already gone: neither stops a server.
                Err(_) => timer.sleep_until(clock::now() + ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    match on_term {
        OnTerm::Exit => {}
        OnTerm::Finish => {
            // Every connection holds a receiver; sending fails only if there is none.
            let _ = finish.send(());
            loop {
                tokio::select! {
                    biased;
                    error = ledger.failure() => return Err(broken(error)),
                    never = &mut pulse => match never {},
                    ended = connections.join_next() => if ended.is_none() { break },
                }
            }
        }
    }
    Ok(())
}

/// Binds without listening: connections are refused until the backend has booted. SO_REUSEPORT lets it bind
/// beside the controller's placeholder, which holds the address and never listens.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves one connection until the peer closes it or the backend finishes. It is never closed for being idle:
/// hyper does that only when it is given a timer.
async fn converse(
    stream: TcpStream,
    reception: Rc<Reception>,
    application: Rc<Application>,
    mut finishing: watch::Receiver<()>,
) {
    // If this fails, the connection is slower, not wrong.
    let _ = stream.set_nodelay(true);
    let stream = tokio::select! {
        biased;
        welcomed = reception.welcome(stream) => match welcomed {
            Ok(stream) => stream,
            // The peer reports a broken handshake.
            Err(_) => return,
        },
        // It has not sent a request yet.
        _ = finishing.changed() => return,
    };
    let axe = Axe::default();
    let wire = CutWire::new(stream, axe.clone());
    let service = service_fn(move |request| {
        let answer = application.clone().answer(request);
        let axe = axe.clone();
        async move { answer.await.inspect(|response| axe.look_at(response)) }
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(wire), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = finishing.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // The client reports how a connection ended; the ledger has what the backend knows.
    let _ = ended;
}
