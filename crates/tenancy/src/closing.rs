//! That something is closed, told to those who wait for somebody else meanwhile.

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

    /// Resolves once it is closed.
    pub async fn closed(&self) {
        // The sender is borrowed, so this cannot fail.
        let _ = self.0.subscribe().wait_for(|closed| *closed).await;
    }
}
