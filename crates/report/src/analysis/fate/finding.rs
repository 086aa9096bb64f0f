//! What does not hold in the books: the equation, and in what way.

use serde::{Deserialize, Serialize};

/// The equations of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Equation {
    /// 1: each scheduled request ends exactly once.
    EndsOnce,
    /// A client's record does not contradict itself.
    RecordHolds,
    /// 2: what the client got, the stamped backend finished, and what it finished, the client got.
    DeliveryMatchesExecution,
    /// 3: a backend receives a request as often as the balancer says that it tried, and no more often than the plan
    /// allows.
    SentAsToldAndAllowed,
    /// 4: what a backend received and did not finish has a reason.
    UnfinishedIsExplained,
    /// 5: the log has one line per request, with the client's status.
    LogAgrees,
}

/// Something that no exception explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// No record of a scheduled request.
    NoRecord,
    /// More than one record.
    SeveralRecords,
    /// A backend or the log knows an id that was never scheduled.
    NeverScheduled,
    /// Due before an earlier request, or answered before it was due.
    OutOfOrder,
    /// A timeout that ended before the client's time was up.
    TimedOutEarly,
    /// A backend's stamp on a response whose head never arrived.
    StampedWithoutHead,
    /// Received by backends more often than the log admits to attempts, or at all without a retry in the plan.
    ReceivedSeveralTimes,
    /// Sent again by the balancer, by its own log, although the plan says `retries: off`.
    RetriedThoughOff,
    /// The client got a success that no backend stamped.
    OkWithoutStamp,
    /// The client got a success that the stamped backend did not finish.
    OkNotFinished,
    /// Never sent, and yet received.
    ReceivedThoughNeverSent,
    /// Finished, and lost without any event that explains it.
    FinishedButLost,
    /// Received and never finished, without a reason.
    NeverFinished,
    /// No line in the log.
    NotLogged,
    /// Several lines in the log.
    LoggedSeveralTimes,
    /// The log's status isn't the client's.
    StatusDiffers,
    /// The log names a backend that was well and did not receive it.
    AttemptNotReceived,
}

impl Finding {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Finding::NoRecord => "no record of the client",
            Finding::SeveralRecords => "several records of the client",
            Finding::NeverScheduled => "never scheduled, but recorded by a backend or in the access log",
            Finding::OutOfOrder => "due before an earlier request, or answered before it was due",
            Finding::TimedOutEarly => "timed out before the client's timeout was over",
            Finding::StampedWithoutHead => "stamped by a backend although no response head arrived",
            Finding::ReceivedSeveralTimes => {
                "received several times by backends, but the balancer's log has fewer attempts"
            }
            Finding::RetriedThoughOff => "retried by the balancer, although the plan says `retries: off`",
            Finding::OkWithoutStamp => "answered without a stamp of a backend",
            Finding::OkNotFinished => "answered, but not finished by the stamped backend",
            Finding::ReceivedThoughNeverSent => "received by a backend, but never sent",
            Finding::FinishedButLost => {
                "finished by a backend and lost on the way, with no event that explains it"
            }
            Finding::NeverFinished => {
                "received by a backend and never finished, with no event that explains it"
            }
            Finding::NotLogged => "not logged by the balancer",
            Finding::LoggedSeveralTimes => "logged several times by the balancer",
            Finding::StatusDiffers => "logged by the balancer with another status than the client saw",
            Finding::AttemptNotReceived => {
                "not received by the backend that the balancer logged, which was healthy"
            }
        }
    }
}
