//! Checks of the vault.

use std::thread;

use super::Home;
use super::support::block_on;
use crate::engine::ReadError;
use crate::vault::{Created, SLOT_VALUE_BYTES, Slot};

fn name(number: u8) -> [u8; 32] {
    [number; 32]
}

fn slot(generation: u64, value: &[u8]) -> Slot {
    Slot { generation, value: value.to_vec() }
}

pub fn create_once(home: &dyn Home) {
    let vault = home.open().vault;
    assert_eq!(block_on(vault.get(name(1))).unwrap(), None);
    assert_eq!(block_on(vault.create(name(1), b"one".to_vec())).unwrap(), Created::New);
    assert_eq!(block_on(vault.create(name(1), b"two".to_vec())).unwrap(), Created::Existing(slot(0, b"one")));
    assert_eq!(block_on(vault.get(name(1))).unwrap(), Some(slot(0, b"one")));
    for (number, length) in [(2, 0), (3, SLOT_VALUE_BYTES)] {
        let value = vec![9; length];
        assert_eq!(block_on(vault.create(name(number), value.clone())).unwrap(), Created::New);
        assert_eq!(block_on(vault.get(name(number))).unwrap(), Some(slot(0, &value)));
    }
    assert!(block_on(vault.create(name(4), vec![0; SLOT_VALUE_BYTES + 1])).is_err());
    assert_eq!(block_on(vault.get(name(4))).unwrap(), None);
}

pub fn replace_by_generation(home: &dyn Home) {
    let vault = home.open().vault;
    assert!(!block_on(vault.replace(name(1), 0, b"x".to_vec())).unwrap());
    block_on(vault.create(name(1), b"one".to_vec())).unwrap();
    assert!(!block_on(vault.replace(name(1), 1, b"x".to_vec())).unwrap());
    assert!(block_on(vault.replace(name(1), 0, b"two".to_vec())).unwrap());
    assert!(!block_on(vault.replace(name(1), 0, b"x".to_vec())).unwrap());
    assert!(block_on(vault.replace(name(1), 1, b"three".to_vec())).unwrap());
    assert_eq!(block_on(vault.get(name(1))).unwrap(), Some(slot(2, b"three")));
}

pub fn wiped_is_gone(home: &dyn Home) {
    let vault = home.open().vault;
    let wipe = |value: &[u8]| block_on(vault.wipe(name(1), value.to_vec())).unwrap();
    assert!(!wipe(b"one"));
    block_on(vault.create(name(1), b"one".to_vec())).unwrap();
    assert!(!wipe(b"another"), "it is not the one that was meant");
    assert_eq!(block_on(vault.get(name(1))).unwrap(), Some(slot(0, b"one")));
    assert!(wipe(b"one"));
    assert!(!wipe(b"one"));
    assert_eq!(block_on(vault.get(name(1))).unwrap(), None);
    assert!(block_on(vault.names(None, 10)).unwrap().is_empty());
    assert_eq!(block_on(vault.create(name(1), b"again".to_vec())).unwrap(), Created::New);
    assert_eq!(block_on(vault.get(name(1))).unwrap(), Some(slot(0, b"again")));
}

pub fn names_in_order(home: &dyn Home) {
    let vault = home.open().vault;
    for number in [5, 1, 9, 3, 7] {
        block_on(vault.create(name(number), Vec::new())).unwrap();
    }
    let names = |after: Option<u8>, limit| block_on(vault.names(after.map(name), limit)).unwrap();
    assert_eq!(names(None, 100), [1, 3, 5, 7, 9].map(name));
    assert_eq!(names(None, 2), [1, 3].map(name));
    assert_eq!(names(Some(3), 2), [5, 7].map(name));
    assert_eq!(names(Some(4), 1), [5].map(name));
    assert!(names(Some(9), 5).is_empty());
    assert!(names(None, 0).is_empty());
}

pub fn local_secret_once(home: &dyn Home) {
    let opened = home.open();
    let vault = opened.vault;
    assert_eq!(block_on(vault.local_secret()).unwrap(), None);
    assert_eq!(block_on(vault.create_local_secret(vec![7; 32])).unwrap(), home.keeps_secrets());
    if !home.keeps_secrets() {
        assert_eq!(block_on(vault.local_secret()).unwrap(), None);
        return;
    }
    assert!(!block_on(vault.create_local_secret(vec![8; 32])).unwrap());
    assert_eq!(block_on(vault.local_secret()).unwrap(), Some(vec![7; 32]));
    if home.is_durable() {
        block_on(opened.engine.close());
        drop((opened.engine, vault));
        assert_eq!(block_on(home.open().vault.local_secret()).unwrap(), Some(vec![7; 32]));
    }
}

pub fn next_local_secret_settles(home: &dyn Home) {
    let mut opened = home.open();
    let local = |opened: &crate::Opened| {
        let vault = &opened.vault;
        (block_on(vault.local_secret()).unwrap(), block_on(vault.next_local_secret()).unwrap())
    };
    let keep =
        |opened: &crate::Opened, secret: u8| block_on(opened.vault.create_next_local_secret(vec![secret; 32])).unwrap();
    let settle = |opened: &crate::Opened, promote| block_on(opened.vault.settle_local_secret(promote)).unwrap();
    assert!(!keep(&opened, 2), "there is none that it could follow");
    settle(&opened, true);
    assert_eq!(local(&opened), (None, None));
    assert_eq!(block_on(opened.vault.create_local_secret(vec![1; 32])).unwrap(), home.keeps_secrets());
    if !home.keeps_secrets() {
        assert!(!keep(&opened, 2), "there is still none");
        assert_eq!(local(&opened), (None, None));
        return;
    }
    block_on(opened.vault.create(name(1), Vec::new())).unwrap();
    settle(&opened, true);
    assert_eq!(local(&opened), (Some(vec![1; 32]), None));
    assert!(keep(&opened, 2) && keep(&opened, 3));
    assert_eq!(local(&opened), (Some(vec![1; 32]), Some(vec![3; 32])));
    if home.is_durable() {
        block_on(opened.engine.close());
        drop(opened);
        opened = home.open();
        assert_eq!(local(&opened), (Some(vec![1; 32]), Some(vec![3; 32])));
    }
    settle(&opened, true);
    assert_eq!(local(&opened), (Some(vec![3; 32]), None));
    assert!(keep(&opened, 4));
    settle(&opened, false);
    assert_eq!(local(&opened), (Some(vec![3; 32]), None));
    if home.is_durable() {
        block_on(opened.engine.close());
        drop(opened);
        assert_eq!(local(&home.open()), (Some(vec![3; 32]), None));
    }
}

pub fn slots_survive_reopening(home: &dyn Home) {
    if !home.is_durable() {
        let vault = home.open().vault;
        block_on(vault.create(name(1), b"first".to_vec())).unwrap();
        assert!(!block_on(vault.create_local_secret(vec![1])).unwrap(), "not once there are slots");
        return;
    }
    for round in 0..4_u64 {
        let opened = home.open();
        if round == 0 {
            block_on(opened.vault.create(name(1), b"round 0".to_vec())).unwrap();
            block_on(opened.vault.create(name(2), b"wiped".to_vec())).unwrap();
            assert!(block_on(opened.vault.wipe(name(2), b"wiped".to_vec())).unwrap());
        } else {
            let before = format!("round {}", round - 1).into_bytes();
            assert_eq!(block_on(opened.vault.get(name(1))).unwrap(), Some(slot(round - 1, &before)));
            assert!(block_on(opened.vault.replace(name(1), round - 1, format!("round {round}").into_bytes())).unwrap());
        }
        assert_eq!(block_on(opened.vault.names(None, 9)).unwrap(), [name(1)]);
        assert!(!block_on(opened.vault.create_local_secret(vec![1])).unwrap(), "not once there are slots");
        block_on(opened.engine.close());
    }
}

pub fn one_of_many_vault_creators_wins(home: &dyn Home) {
    let vault = home.open().vault;
    let mut created = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                scope.spawn({
                    let vault = &vault;
                    move || (number, block_on(vault.create(name(1), vec![number])).unwrap())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    created.sort_by_key(|(_, created)| *created != Created::New);
    let winner = created[0].0;
    assert_eq!(created[0].1, Created::New);
    for (_, created) in &created[1..] {
        assert_eq!(*created, Created::Existing(slot(0, &[winner])));
    }
}

pub fn closed_vaults_are_closed(home: &dyn Home) {
    let opened = home.open();
    block_on(opened.vault.create(name(1), Vec::new())).unwrap();
    block_on(opened.engine.close());
    assert_eq!(block_on(opened.vault.get(name(1))), Err(ReadError::Closed));
    assert_eq!(block_on(opened.vault.create(name(1), Vec::new())), Err(ReadError::Closed));
    assert_eq!(block_on(opened.vault.replace(name(1), 0, Vec::new())), Err(ReadError::Closed));
    assert_eq!(block_on(opened.vault.wipe(name(1), Vec::new())), Err(ReadError::Closed));
    assert_eq!(block_on(opened.vault.names(None, 1)), Err(ReadError::Closed));
    assert_eq!(block_on(opened.vault.local_secret()), Err(ReadError::Closed));
    assert_eq!(block_on(opened.vault.create_local_secret(vec![1])), Err(ReadError::Closed));
    assert_eq!(block_on(opened.vault.create_next_local_secret(vec![1])), Err(ReadError::Closed));
    assert_eq!(block_on(opened.vault.next_local_secret()), Err(ReadError::Closed));
    assert_eq!(block_on(opened.vault.settle_local_secret(true)), Err(ReadError::Closed));
}

pub fn many_slots(home: &dyn Home) {
    let opened = home.open();
    let all: Vec<[u8; 32]> = (0..300_u64).map(|n| *blake3::hash(&n.to_be_bytes()).as_bytes()).collect();
    let pending: Vec<_> = all.iter().map(|name| opened.vault.create(*name, name[..9].to_vec())).collect();
    pending.into_iter().for_each(|future| assert_eq!(block_on(future).unwrap(), Created::New));
    for name in all.iter().step_by(3) {
        assert!(block_on(opened.vault.wipe(*name, name[..9].to_vec())).unwrap());
    }
    for name in all.iter().skip(1).step_by(3) {
        assert!(block_on(opened.vault.replace(*name, 0, name[..8].to_vec())).unwrap());
    }
    let check = |opened: &crate::Opened| {
        for (number, name) in all.iter().enumerate() {
            let expected = [None, Some(slot(1, &name[..8])), Some(slot(0, &name[..9]))][number % 3].clone();
            assert_eq!(block_on(opened.vault.get(*name)).unwrap(), expected);
        }
        assert_eq!(block_on(opened.vault.names(None, 1_000)).unwrap().len(), 200);
    };
    check(&opened);
    if home.is_durable() {
        block_on(opened.engine.close());
        drop(opened);
        check(&home.open());
    }
}
