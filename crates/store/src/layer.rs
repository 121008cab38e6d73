//! An engine in front of another, and a vault. Tests stand between a store and its place so, to look, to hold back or to
//! fail; each says only what it does otherwise.

use crate::engine::{
    Commit, CommitError, Compacted, Due, Engine, EngineFuture, EngineLimits, Export, Found, Health, Kinds, Millis,
    Place, Promptness, ReadError, ScanRequest, Scanned, Tag, Usage, Version,
};
use crate::vault::{Created, Slot, Vault};

/// An [`Engine`] that hands on to another what it does not do itself.
pub trait Layer: Send + Sync + 'static {
    /// The engine behind it.
    fn behind(&self) -> &dyn Engine;

    /// In the place of [`Engine::is_shared`].
    fn is_shared(&self) -> bool {
        self.behind().is_shared()
    }

    /// In the place of [`Engine::clock`].
    fn clock(&self) -> EngineFuture<'_, Result<Option<u64>, ReadError>> {
        self.behind().clock()
    }

    /// In the place of [`Engine::commit`].
    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        self.behind().commit(commit)
    }

    /// In the place of [`Engine::get`].
    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        most: u64,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        self.behind().get(tag, wanted, most, now)
    }

    /// In the place of [`Engine::scan`].
    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        self.behind().scan(tag, request)
    }

    /// In the place of [`Engine::usage`].
    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        self.behind().usage(tag)
    }

    /// In the place of [`Engine::due`].
    fn due(
        &self,
        now: Millis,
        kinds: Kinds,
        promptness: Promptness,
        limit: usize,
    ) -> EngineFuture<'_, Result<Vec<Due>, ReadError>> {
        self.behind().due(now, kinds, promptness, limit)
    }

    /// In the place of [`Engine::sweep`].
    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        self.behind().sweep(due, now)
    }

    /// In the place of [`Engine::forget_wakes`].
    fn forget_wakes(&self, dues: Vec<Due>, now: Millis) -> EngineFuture<'_, Result<(), CommitError>> {
        self.behind().forget_wakes(dues, now)
    }

    /// In the place of [`Engine::erase`].
    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        self.behind().erase(tag)
    }

    /// In the place of [`Engine::export`].
    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        self.behind().export()
    }

    /// In the place of [`Engine::compact`].
    fn compact(&self) -> EngineFuture<'_, Result<Option<Compacted>, CommitError>> {
        self.behind().compact()
    }

    /// In the place of [`Engine::health`].
    fn health(&self) -> EngineFuture<'_, Health> {
        self.behind().health()
    }

    /// In the place of [`Engine::close`].
    fn close(&self) -> EngineFuture<'_, ()> {
        self.behind().close()
    }
}

impl<L: Layer> Engine for L {
    fn limits(&self) -> EngineLimits {
        self.behind().limits()
    }

    fn is_shared(&self) -> bool {
        Layer::is_shared(self)
    }

    fn clock(&self) -> EngineFuture<'_, Result<Option<u64>, ReadError>> {
        Layer::clock(self)
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        Layer::commit(self, commit)
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        most: u64,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        Layer::get(self, tag, wanted, most, now)
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        Layer::scan(self, tag, request)
    }

    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        Layer::usage(self, tag)
    }

    fn due(
        &self,
        now: Millis,
        kinds: Kinds,
        promptness: Promptness,
        limit: usize,
    ) -> EngineFuture<'_, Result<Vec<Due>, ReadError>> {
        Layer::due(self, now, kinds, promptness, limit)
    }

    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        Layer::sweep(self, due, now)
    }

    fn forget_wakes(&self, dues: Vec<Due>, now: Millis) -> EngineFuture<'_, Result<(), CommitError>> {
        Layer::forget_wakes(self, dues, now)
    }

    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        Layer::erase(self, tag)
    }

    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        Layer::export(self)
    }

    fn health(&self) -> EngineFuture<'_, Health> {
        Layer::health(self)
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        Layer::close(self)
    }
}

/// A [`Vault`] that hands on to another what it does not do itself.
pub trait VaultLayer: Send + Sync + 'static {
    /// The vault behind it.
    fn vault_behind(&self) -> &dyn Vault;

    /// In the place of [`Vault::get`].
    fn get(&self, name: [u8; 32]) -> EngineFuture<'_, Result<Option<Slot>, ReadError>> {
        self.vault_behind().get(name)
    }

    /// In the place of [`Vault::create`].
    fn create(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<Created, ReadError>> {
        self.vault_behind().create(name, value)
    }

    /// In the place of [`Vault::replace`].
    fn replace(&self, name: [u8; 32], generation: u64, value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.vault_behind().replace(name, generation, value)
    }

    /// In the place of [`Vault::wipe`].
    fn wipe(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.vault_behind().wipe(name, value)
    }

    /// In the place of [`Vault::names`].
    fn names(&self, after: Option<[u8; 32]>, limit: usize) -> EngineFuture<'_, Result<Vec<[u8; 32]>, ReadError>> {
        self.vault_behind().names(after, limit)
    }

    /// In the place of [`Vault::create_next_local_secret`].
    fn create_next_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.vault_behind().create_next_local_secret(secret)
    }

    /// In the place of [`Vault::settle_local_secret`].
    fn settle_local_secret(&self, promote: bool) -> EngineFuture<'_, Result<(), ReadError>> {
        self.vault_behind().settle_local_secret(promote)
    }
}

impl<L: VaultLayer> Vault for L {
    fn get(&self, name: [u8; 32]) -> EngineFuture<'_, Result<Option<Slot>, ReadError>> {
        VaultLayer::get(self, name)
    }

    fn create(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<Created, ReadError>> {
        VaultLayer::create(self, name, value)
    }

    fn replace(&self, name: [u8; 32], generation: u64, value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        VaultLayer::replace(self, name, generation, value)
    }

    fn wipe(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        VaultLayer::wipe(self, name, value)
    }

    fn names(&self, after: Option<[u8; 32]>, limit: usize) -> EngineFuture<'_, Result<Vec<[u8; 32]>, ReadError>> {
        VaultLayer::names(self, after, limit)
    }

    fn create_next_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        VaultLayer::create_next_local_secret(self, secret)
    }

    fn settle_local_secret(&self, promote: bool) -> EngineFuture<'_, Result<(), ReadError>> {
        VaultLayer::settle_local_secret(self, promote)
    }

    fn claim(&self) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.vault_behind().claim()
    }

    fn residues(&self) -> &'static [&'static str] {
        self.vault_behind().residues()
    }

    fn local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>> {
        self.vault_behind().local_secret()
    }

    fn create_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.vault_behind().create_local_secret(secret)
    }

    fn next_local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>> {
        self.vault_behind().next_local_secret()
    }
}
