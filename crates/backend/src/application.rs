//! What a backend answers: its application, its health and its status.

use std::rc::Rc;

use agent::clock;
use agent::timer::Timer;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use model::degrade::Misbehaviour;
use model::draw::{Decision, uniform};
use model::identity::{CHECKSUM_HEADER, COST_HEADER, REQUEST_ID_HEADER, RequestId};
use model::job::{BackendJob, BackendStatus, STATUS_PATH};
use model::units::{Factor, Share};

use crate::behaviour::{Behaviour, BreakOff};
use crate::ledger::{Ledger, Receipt};
use crate::places::Places;
use crate::response::{Content, Stamped, response};
use crate::sessions::{OwnSessions, Visit};
use crate::transport::Reception;
use model::service_time::service_time;

/// One incarnation's behaviour, shared by its connections.
pub(crate) struct Application {
    job: BackendJob,
    sessions: OwnSessions,
    stamp: HeaderValue,
    content: Content,
    ledger: Rc<Ledger>,
    places: Places,
    timer: Timer,
    behaviour: Behaviour,
    reception: Rc<Reception>,
}

impl Application {
    pub(crate) fn new(
        job: BackendJob,
        sessions: OwnSessions,
        stamp: HeaderValue,
        ledger: Rc<Ledger>,
        timer: Timer,
        behaviour: Behaviour,
        reception: Rc<Reception>,
    ) -> Application {
        Application {
            stamp,
            content: Content::of_length(job.backend.body.0),
            places: Places::new(job.backend.at_once, job.backend.queue),
            job,
            sessions,
            ledger,
            timer,
            behaviour,
            reception,
        }
    }

    /// Answers one request. Fails only if its body can't be read, because the client went away.
    pub(crate) async fn answer(
        self: Rc<Application>,
        request: Request<Incoming>,
    ) -> Result<Response<Stamped>, hyper::Error> {
        // A request with an id is load, whatever its path, so it must be in the ledger.
        let of_the_load = request.headers().contains_key(REQUEST_ID_HEADER);
        match request.uri().path() {
            _ if of_the_load => self.work(request).await,
            // A route may add a prefix.
            path if path.ends_with(STATUS_PATH) => Ok(self.status()),
            path if path == self.job.health_path => Ok(self.health().await),
            _ => self.work(request).await,
        }
    }

    fn status(&self) -> Response<Stamped> {
        let status = BackendStatus {
            incarnation: self.job.incarnation.clone(),
            in_flight: self.ledger.in_flight(),
            received: self.ledger.received_so_far(),
            queued: self.places.queued().into(),
            handshakes: self.reception.handshakes(),
        };
        let text = serde_json::to_vec(&status).expect("a status has nothing that JSON lacks");
        response(StatusCode::OK, self.stamp.clone(), Content::new(text), None)
    }

    async fn health(&self) -> Response<Stamped> {
        if self.job.backend.health_in_queue && self.places.take().await.is_err() {
            return self.say(StatusCode::SERVICE_UNAVAILABLE, "the queue is full\n", None);
        }
        let told = self.behaviour.get();
        if told == Some(Misbehaviour::Silent) {
            return std::future::pending().await;
        }
        match self.job.unhealthy || told == Some(Misbehaviour::Unhealthy) {
            true => self.say(StatusCode::SERVICE_UNAVAILABLE, "unhealthy\n", None),
            false => self.say(StatusCode::OK, "healthy\n", None),
        }
    }

    /// The application. A request without an id (a probe, curl) takes no service time and stays out of the
    /// ledger; everything else is the same for it.
    async fn work(&self, request: Request<Incoming>) -> Result<Response<Stamped>, hyper::Error> {
        let id = request_id(&request);
        let mut receipt = id.map(|id| self.ledger.receive(id));
        let cost = cost(&request);
        // Probes and curl have no user.
        let asked = id.and_then(|_| self.sessions.asked(request.headers()));
        if !body_is_intact(request).await? {
            return Ok(self.say(
                StatusCode::BAD_REQUEST,
                "the body is not what its checksum says\n",
                receipt,
            ));
        }
        let Some(cost) = cost else {
            return Ok(self.say(StatusCode::BAD_REQUEST, "the cost is no factor, such as 20x\n", receipt));
        };
        let arrived = clock::now();
        let Ok(place) = self.places.take().await else {
            return Ok(self.say(StatusCode::SERVICE_UNAVAILABLE, "the queue is full\n", receipt));
        };
        let visit = match &asked {
            Some(asked) => Some(self.sessions.visit(asked).await),
            None => None,
        };
        if visit.as_ref().is_some_and(|visit| !visit.is_available()) {
            let answer = self.say(StatusCode::SERVICE_UNAVAILABLE, "the session store is away\n", receipt);
            return Ok(with(visit.as_ref(), answer));
        }
        if let Some(id) = id {
            let latency = match self.behaviour.get() {
                Some(Misbehaviour::Latency(latency)) => latency,
                _ => self.job.backend.latency,
            };
            // A session takes its time first.
            let begun = if visit.is_some() { clock::now() } else { arrived.max(place.since) };
            let due = begun + service_time(self.job.seed, id, &latency, cost);
            place.ends(due);
            self.timer.sleep_until(due).await;
            if let Some(receipt) = &mut receipt {
                receipt.served(due);
            }
        }
        let (stage, reset) = match self.behaviour.get() {
            // Without an id there is nothing to draw from.
            Some(Misbehaviour::Errors(share)) if id.is_some_and(|id| self.errs(id, share)) => {
                let answer = self.say(StatusCode::INTERNAL_SERVER_ERROR, "degraded\n", receipt);
                return Ok(with(visit.as_ref(), answer));
            }
            // The place and the receipt are kept until the client goes away.
            Some(Misbehaviour::Silent) => return std::future::pending().await,
            Some(Misbehaviour::Reset(stage)) => (stage, true),
            Some(Misbehaviour::Close(stage)) => (stage, false),
            _ => {
                let answer = response(StatusCode::OK, self.stamp.clone(), self.content.clone(), receipt);
                return Ok(with(visit.as_ref(), answer));
            }
        };
        // It is given up, not finished.
        drop(receipt);
        let mut broken = response(StatusCode::OK, self.stamp.clone(), self.content.clone(), None);
        broken.extensions_mut().insert(BreakOff { stage, reset });
        Ok(broken)
    }

    fn errs(&self, id: RequestId, share: Share) -> bool {
        uniform(self.job.seed, Decision::Error, id.0) < share.0
    }

    fn say(&self, status: StatusCode, text: &'static str, receipt: Option<Receipt>) -> Response<Stamped> {
        response(status, self.stamp.clone(), Content::new(text), receipt)
    }
}

/// The response, with the state of the session.
fn with(visit: Option<&Visit>, mut response: Response<Stamped>) -> Response<Stamped> {
    if let Some(visit) = visit {
        visit.write(response.headers_mut());
    }
    response
}

fn request_id(request: &Request<Incoming>) -> Option<RequestId> {
    let text = request.headers().get(REQUEST_ID_HEADER)?.to_str().ok()?;
    text.parse().ok().map(RequestId)
}

/// What the service time is multiplied by; `None`: that can't be read.
fn cost(request: &Request<Incoming>) -> Option<Factor> {
    match request.headers().get(COST_HEADER) {
        None => Some(Factor::ONE),
        Some(text) => text.to_str().ok()?.parse().ok(),
    }
}

/// Reads the body to its end, keeping none of it. A body without a checksum passes.
async fn body_is_intact(request: Request<Incoming>) -> Result<bool, hyper::Error> {
    let expected = request.headers().get(CHECKSUM_HEADER).cloned();
    let mut body = request.into_body();
    let mut checksum = crc32fast::Hasher::new();
    while let Some(frame) = body.frame().await {
        if let Some(bytes) = frame?.data_ref() {
            checksum.update(bytes);
        }
    }
    let found = format!("{:08x}", checksum.finalize());
    Ok(expected.is_none_or(|expected| expected.as_bytes() == found.as_bytes()))
}
