//! Sessions in a Redis that all backends share.

use std::net::SocketAddr;
use std::time::Duration;

use model::sessions::Password;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};

/// How long the store may take to answer. Short compared with any client's timeout, so that a
/// request whose session is not available gets an answer in time.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);

/// Adds one to an existing counter, and creates none: in one step, so that two requests can't interfere.
const COUNT_IF_THERE: &str =
    "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('INCR', KEYS[1]) else return 0 end";

/// The store can't be used, or did not answer in time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionStoreError {
    #[error("the session store: {0}")]
    Redis(#[from] RedisError),
    #[error("the session store did not answer within {} ms", ANSWER_WITHIN.as_millis())]
    Silent,
}

/// A connection to the store that reconnects when it breaks.
pub(super) struct Store(ConnectionManager);

impl Store {
    /// Connects when first needed. Must run on a tokio runtime with a clock.
    pub(super) fn at(address: SocketAddr, password: &Password) -> Result<Store, SessionStoreError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(ANSWER_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN))
            // The next request tries again.
            .set_number_of_retries(0);
        let client = Client::open(format!("redis://:{}@{address}/", password.0))?;
        Ok(Store(ConnectionManager::new_lazy_with_config(client, config)?))
    }

    pub(super) async fn begin(&self, id: &str) -> Result<(), SessionStoreError> {
        let mut connection = self.0.clone();
        let mut command = redis::cmd("SET");
        command.arg(key(id)).arg(1);
        in_time(command.query_async::<()>(&mut connection)).await
    }

    /// Adds one; `None`: there is no such session.
    pub(super) async fn count(&self, id: &str) -> Result<Option<u64>, SessionStoreError> {
        let mut connection = self.0.clone();
        let mut command = redis::cmd("EVAL");
        command.arg(COUNT_IF_THERE).arg(1).arg(key(id));
        let count: u64 = in_time(command.query_async(&mut connection)).await?;
        Ok((count > 0).then_some(count))
    }
}

fn key(id: &str) -> String {
    format!("session:{id}")
}

async fn in_time<T>(asked: impl Future<Output = Result<T, RedisError>>) -> Result<T, SessionStoreError> {
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(SessionStoreError::Silent),
    }
}
