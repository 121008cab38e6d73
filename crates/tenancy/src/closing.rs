//! That something is closed, told to those who wait for somebody else meanwhile.

use std::future::Future;

use tokio::sync::watch;

/// Whether a store or a handle is closed. It never opens again.
pub struct Closing(watch::Sender<bool>);

impl Default for Closing {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Closing {
    /// Ends every wait for [`Closing::closed`], those to come included. Doing it twice does nothing.
    pub fn close(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves once it is closed, or gone.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut receiver = self.0.subscribe();
        async move {
            let _ = receiver.wait_for(|closed| *closed).await;
        }
    }
}
