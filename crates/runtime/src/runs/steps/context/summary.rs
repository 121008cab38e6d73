//! What a summary of folded messages is made of.

use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead_of;
use bailiwick_model::spec::Compact;

use super::conversation::{Conversation, before, budget, fold, may_recall, rules};
use crate::context::{Fold, beginning, stored_text};
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{STORED, Usage};
use crate::runs::steps::model::summary;
use crate::threads::messages_before;

/// The fewest bytes that are shown of a message, if there is room for it.
const SHORTEST: usize = 200;

/// Lets the agent's model write a summary of what is folded with the first messages behind the fold, if its rules say so and there is none
/// yet. Returns what that used. Without an answer the outline stands, with the summary of those before.
pub(super) async fn summarise(run: &mut Driver<'_>, count: usize, folded: &mut Fold) -> Result<Usage, Stop> {
    if !has_summaries(run) || folded.messages() == 0 || folded.is_summarised() {
        return Ok(Usage::default());
    }
    let material = material(run, count, folded).await?;
    let (summary, usage) = summary(run, &material, budget(run).outline()).await?;
    if let Some(summary) = summary {
        folded.summarise(summary);
    }
    Ok(usage)
}

/// Whether the model of the last agent writes summaries.
pub(super) fn has_summaries(run: &Driver<'_>) -> bool {
    rules(run).compact == Some(Compact::Summary)
}

/// Returns what stands for the messages that were folded before, and the text of those that are folded now, the newest of them if not all
/// have room: half of what is sent.
async fn material(run: &Driver<'_>, count: usize, folded: &Fold) -> Result<String, Stop> {
    let read = run.history.as_ref().filter(|history| run.state.frames.len() == 1 && history.is_new);
    // Those that were folded as the thread was read are read once more.
    let known = read.map_or_else(|| fold(run), |history| history.known.as_ref());
    let earlier = known.map(|known| known.outline(budget(run).outline(), may_recall(run))).unwrap_or_default();
    let messages = folded.messages() - known.map_or(0, Fold::messages);
    let room = (budget(run).room / 2).saturating_sub(earlier.len());
    let share = (room / usize::try_from(messages.max(1)).unwrap_or(usize::MAX)).max(SHORTEST);
    let mut newest = Newest { left: room, share, texts: Vec::new() };
    for message in Conversation::of(run).messages.iter().take(count).rev() {
        newest.add(message).await;
    }
    if read.is_some() {
        let (.., from) = before(run);
        let mut rest = from.saturating_sub(known.map_or(0, |known| known.until));
        let mut pages = messages_before(&run.access, &run.state.thread_id, from).await?;
        while let Some(page) = pages.as_mut().filter(|_| rest > 0 && newest.left > 0) {
            let held = run.handle.held_bytes();
            let messages = page.next(&run.access).await?;
            if messages.is_empty() {
                break;
            }
            for message in &messages {
                if rest > 0 {
                    newest.add(message).await;
                }
                rest = rest.saturating_sub(1);
            }
            drop(messages);
            run.handle.give_back_to(held);
        }
    }
    newest.texts.push(earlier);
    newest.texts.reverse();
    Ok(newest.texts.join("\n\n"))
}

/// Texts of messages, newest first, each cut at a share of the room.
struct Newest {
    left: usize,
    share: usize,
    texts: Vec<String>,
}

impl Newest {
    async fn add(&mut self, message: &str) {
        ahead_of(2 * message.len()).await;
        let read = json::parse(message.as_bytes(), &STORED).unwrap_or(Json::Null);
        let text = stored_text(&read);
        let shown = beginning(&text, self.share.min(self.left));
        if shown.is_empty() {
            return;
        }
        self.left -= shown.len();
        let role = read.get("role").and_then(Json::as_str).unwrap_or_default();
        self.texts.push(format!("{role}: {shown}{}", if shown.len() < text.len() { "…" } else { "" }));
    }
}
