//! Removing what has expired, and what was erased: in small batches between the commits of others.

use std::ops::Bound;

use crate::engine::{CommitError, Due, Kinds, Millis, Place, Promptness, ReadError, Tag, address, record_key};
use crate::sled::shared::Shared;
use crate::sled::tree::Tree;
use crate::sled::tree::codec::{BUCKET_PREFIX, Bucket, Key, bucket_key, bucket_of, decode, decode_bucket};
use crate::sled::tree::expiry_buckets::LONGEST;
use crate::sled::wal::batch::RowKey;
use crate::sled::wal::range::Order;

/// So many rows are looked at before others get the thread.
const LOOKED_AT: usize = 1_024;
/// So many rows are removed together: other commits wait for no more than that.
const TOGETHER: usize = 32;

/// The buckets that end by then, in that order.
fn buckets(tree: &Tree, until: Millis, mut keep: impl FnMut(Bucket, Millis) -> bool) -> Result<(), ReadError> {
    let until = bucket_key(&Bucket { end: until, due: Due { tag: Tag([u8::MAX; 32]), kind: u8::MAX } });
    let bounds = (Bound::Included(RowKey::from(&[BUCKET_PREFIX])), Bound::Included(RowKey::from(&until)));
    let mut rows = tree.range(bounds, Order::Forward)?;
    while let Some((key, bytes)) = rows.next()? {
        let (bucket, earliest) = bucket_of(&key).zip(decode_bucket(&bytes)).ok_or(ReadError::Corrupt)?;
        if !keep(bucket, earliest) {
            break;
        }
    }
    Ok(())
}

/// See [`crate::Engine::due`].
pub(in crate::sled) fn due(
    tree: &Tree,
    now: Millis,
    kinds: Kinds,
    promptness: Promptness,
    limit: usize,
) -> Result<Vec<Due>, ReadError> {
    let until = match promptness {
        Promptness::Now => now.saturating_add(LONGEST),
        Promptness::Gathered => now,
    };
    let (mut named, mut seen) = (Vec::new(), std::collections::HashSet::new());
    buckets(tree, until, |bucket, earliest| {
        if named.len() < limit && earliest <= now && kinds.has(bucket.due.kind) && seen.insert(bucket.due) {
            named.push(bucket.due);
        }
        named.len() < limit
    })?;
    Ok(named)
}

/// See [`crate::Engine::sweep`].
pub(in crate::sled) async fn sweep(shared: &Shared, due: Due, now: Millis) -> Result<u64, CommitError> {
    let began = shared.maintain(due.tag, |committer, _| committer.version()).await?;
    let mut settled: Vec<(Bucket, Option<Millis>)> = Vec::new();
    let until = now.saturating_add(LONGEST);
    shared.read(|tree, _| {
        buckets(tree, until, |bucket, earliest| {
            if bucket.due == due && earliest <= now {
                settled.push((bucket, None));
            }
            true
        })
    })?;
    let mut removed = 0;
    let mut from = Some([0; 32]);
    while let Some(start) = from {
        let (expired, next) = shared.read(|tree, _| look(tree, due, start, now, &mut settled))?;
        for keys in expired.chunks(TOGETHER) {
            let keys = keys.to_vec();
            removed +=
                shared.maintain(due.tag, move |committer, group| committer.expire(due, &keys, now, group)).await?;
        }
        from = next;
        tokio::task::yield_now().await;
    }
    shared.maintain(due.tag, move |committer, group| committer.settle(settled, began, group)).await?;
    Ok(removed)
}

/// See [`crate::Engine::forget_wakes`]. A wake has a bucket that ends at its time.
pub(in crate::sled) async fn forget_wakes(shared: &Shared, dues: Vec<Due>, now: Millis) -> Result<(), CommitError> {
    let Some(tag) = dues.first().map(|due| due.tag) else { return Ok(()) };
    let dues: std::collections::HashSet<Due> = dues.into_iter().collect();
    let began = shared.maintain(tag, |committer, _| committer.version()).await?;
    let mut settled = Vec::new();
    shared.read(|tree, _| {
        buckets(tree, now, |bucket, _| {
            if dues.contains(&bucket.due) {
                settled.push((bucket, None));
            }
            true
        })
    })?;
    shared.maintain(tag, move |committer, group| committer.settle(settled, began, group)).await.map(drop)
}

type Looked = (Vec<Key>, Option<[u8; 32]>);

/// Looks at some rows of a kind: those that have expired, and where to go on. Of the others it notes in `buckets` when the
/// next one of each expires.
fn look(
    tree: &Tree,
    due: Due,
    start: [u8; 32],
    now: Millis,
    buckets: &mut [(Bucket, Option<Millis>)],
) -> Result<Looked, ReadError> {
    let key = |item| Bound::Included(RowKey::from(&record_key(&due.tag, &Place { kind: due.kind, item })));
    let mut rows = tree.range((key(start), key([u8::MAX; 32])), Order::Forward)?;
    let mut expired = Vec::new();
    for _ in 0..LOOKED_AT {
        let Some((key, bytes)) = rows.next()? else { return Ok((expired, None)) };
        let Some(at) = decode(&bytes).ok_or(ReadError::Corrupt)?.expires_at else { continue };
        if at <= now {
            expired.push(key.as_ref().try_into().map_err(|_| ReadError::Corrupt)?);
        } else {
            for (_, rest) in buckets.iter_mut().filter(|(bucket, _)| at < bucket.end) {
                *rest = Some(rest.map_or(at, |rest| rest.min(at)));
            }
        }
    }
    let next = rows.next()?;
    let next = next.and_then(|(key, _)| address(key.as_ref().try_into().ok()?));
    Ok((expired, next.map(|(_, place)| place.item)))
}

/// See [`crate::Engine::erase`].
pub(in crate::sled) async fn erase(shared: &Shared, tag: Tag) -> Result<(), CommitError> {
    shared.maintain(tag, move |committer, _| committer.fence(tag)).await?;
    let key = |kind, byte| Bound::Included(RowKey::from(&record_key(&tag, &Place { kind, item: [byte; 32] })));
    // Removed rows stay in memory until they are removed from the tables. So each part goes on after the last: nothing is added to a fenced tag.
    let mut from = key(0, 0);
    loop {
        let keys = shared.read(|tree, _| {
            let mut rows = tree.range((from, key(u8::MAX, u8::MAX)), Order::Forward)?;
            let mut keys: Vec<Key> = Vec::new();
            while keys.len() < TOGETHER {
                let Some((key, _)) = rows.next()? else { break };
                keys.push(key.as_ref().try_into().map_err(|_| ReadError::Corrupt)?);
            }
            Ok(keys)
        })?;
        let Some(last) = keys.last() else { break };
        from = Bound::Excluded(RowKey::from(last));
        shared.maintain(tag, move |committer, group| committer.remove(&keys, group)).await?;
    }
    shared.maintain(tag, move |committer, group| committer.remove_usage(tag, group)).await?;
    Ok(())
}
