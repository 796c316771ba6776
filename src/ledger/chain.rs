//! How one event is bound to all events before it.
//!
//! Any program can verify a ledger from this description. Every event has a sequence number
//! (1, 2, 3 ... without a gap), its bytes exactly as they were written, and a hash:
//!
//! ```text
//! hash(n) = SHA-256( tag || seq || previous || length || bytes )
//!
//!   tag       16 bytes   the ASCII letters `holdpoint/event` and one byte 0x01, the version of
//!                        this layout
//!   seq        8 bytes   n, big-endian
//!   previous  32 bytes   hash(n - 1); 32 zero bytes before the first event
//!   length     8 bytes   the number of bytes that follow, big-endian
//!   bytes                the event
//! ```
//!
//! In a ledger file these stand in the table `event`, one row an event, columns `seq`, `hash`,
//! `bytes`. So `hash(n)` stands for the whole history up to `n`: whoever keeps it elsewhere can
//! prove later that nothing in this history was changed, dropped, added or reordered.

use std::fmt;

use sha2::{Digest, Sha256};

/// What every hashed event begins with, so that no other use of SHA-256 yields the same input.
pub const TAG: [u8; 16] = *b"holdpoint/event\x01";

/// A SHA-256 hash; shown as lower-case hex.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Hash, Self::Error> {
        bytes.try_into().map(Hash)
    }
}

/// Where a ledger ends: the number of its last event, and the hash that stands for the whole
/// history up to it. The default is the empty ledger: sequence 0, all zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Head {
    /// The last event's number; the first event has 1.
    pub seq: u64,
    /// The last event's hash.
    pub hash: Hash,
}

impl Head {
    /// The head after one more event.
    pub fn follow(self, event: &[u8]) -> Head {
        let seq = self.seq + 1;
        // tag, seq, previous and length fill one block of SHA-256 exactly: one update, no waste
        let mut front = [0; 64];
        front[..16].copy_from_slice(&TAG);
        front[16..24].copy_from_slice(&seq.to_be_bytes());
        front[24..56].copy_from_slice(&self.hash.0);
        front[56..].copy_from_slice(&(event.len() as u64).to_be_bytes());
        let hash = Sha256::new()
            .chain_update(front)
            .chain_update(event)
            .finalize();
        Head {
            seq,
            hash: Hash(hash.into()),
        }
    }
}

/// Events in a row, packed: what is appended at once, and what is read at once.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    before: Head,
    ends: Vec<usize>,
    hashes: Vec<u8>,
    bytes: Vec<u8>,
}

/// One event as it stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its number.
    pub seq: u64,
    /// The hash that binds it to everything before it.
    pub hash: Hash,
    /// What was written, unchanged.
    pub bytes: &'a [u8],
}

impl Chunk {
    /// Chains `events` to `before`.
    pub(super) fn link(before: Head, events: &[Vec<u8>]) -> Chunk {
        let mut chunk = Chunk {
            before,
            ends: Vec::with_capacity(events.len()),
            hashes: Vec::with_capacity(events.len() * 32),
            bytes: Vec::with_capacity(events.iter().map(Vec::len).sum()),
        };
        let mut head = before;
        for event in events {
            head = head.follow(event);
            chunk.bytes.extend_from_slice(event);
            chunk.ends.push(chunk.bytes.len());
            chunk.hashes.extend_from_slice(&head.hash.0);
        }
        chunk
    }

    /// Takes what a store gave back for the events after `before`, unverified. `None` when the
    /// parts do not belong together.
    pub(super) fn assemble(
        before: Head,
        lengths: impl Iterator<Item = Option<usize>>,
        hashes: Vec<u8>,
        bytes: Vec<u8>,
    ) -> Option<Chunk> {
        let mut ends = Vec::with_capacity(hashes.len() / 32);
        let mut end = 0usize;
        for length in lengths {
            end = end.checked_add(length?)?;
            ends.push(end);
        }
        (hashes.len() == ends.len() * 32 && bytes.len() == end).then_some(Chunk {
            before,
            ends,
            hashes,
            bytes,
        })
    }

    /// Recomputes every hash. The error is the number of the first event that does not follow.
    pub(super) fn verify(&self) -> Result<Head, u64> {
        self.iter().try_fold(self.before, |head, entry| {
            let next = head.follow(entry.bytes);
            if next.hash == entry.hash {
                Ok(next)
            } else {
                Err(next.seq)
            }
        })
    }

    /// The head that the first event of this chunk follows.
    pub fn before(&self) -> Head {
        self.before
    }

    /// The head after the last event of this chunk.
    pub fn after(&self) -> Head {
        self.iter().last().map_or(self.before, |last| Head {
            seq: last.seq,
            hash: last.hash,
        })
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The events in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Entry<'_>> + ExactSizeIterator {
        (0..self.len()).map(|n| Entry {
            seq: self.before.seq + 1 + n as u64,
            hash: Hash(std::array::from_fn(|byte| self.hashes[n * 32 + byte])),
            bytes: &self.bytes[self.start(n)..self.ends[n]],
        })
    }

    /// Where the bytes of the `n`th event begin in [`Chunk::bytes`].
    fn start(&self, n: usize) -> usize {
        n.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// Offset and length of every event in [`Chunk::bytes`].
    pub(super) fn spans(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.len()).map(|n| (self.start(n), self.ends[n] - self.start(n)))
    }

    /// All hashes, one after the other.
    pub(super) fn hashes(&self) -> &[u8] {
        &self.hashes
    }

    /// All events, one after the other.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by a few lines of Python's hashlib from the text above, so that the layout cannot
    /// drift.
    #[test]
    fn the_layout_is_the_documented_one() {
        let one = Head::default().follow(b"hello");
        assert_eq!(one.seq, 1);
        assert_eq!(
            one.hash.to_string(),
            "492cc01603be6d62ea2532b1b04f65c4357efaccbefe04485a1363b03388563b"
        );
        let two = one.follow(b"");
        assert_eq!(two.seq, 2);
        assert_eq!(
            two.hash.to_string(),
            "d428ad008dd202db12a2ddc6cedee6ed5b53a51148c49b1a341876d71519cd1f"
        );
    }

    #[test]
    fn a_chunk_gives_back_what_was_linked() {
        let events = vec![b"a".to_vec(), Vec::new(), vec![0, 255, 0]];
        let before = Head::default().follow(b"earlier");
        let chunk = Chunk::link(before, &events);
        assert_eq!(chunk.len(), 3);
        let back: Vec<(u64, Vec<u8>)> = chunk.iter().map(|e| (e.seq, e.bytes.to_vec())).collect();
        assert_eq!(
            back,
            [
                (2, events[0].clone()),
                (3, events[1].clone()),
                (4, events[2].clone())
            ]
        );
        assert_eq!(chunk.verify(), Ok(chunk.after()));
        assert_eq!(chunk.after().seq, 4);
        let empty = Chunk::link(before, &[]);
        assert!(empty.is_empty());
        assert_eq!((empty.before(), empty.after()), (before, before));
    }

    #[test]
    fn every_change_is_found_at_its_event() {
        let events: Vec<Vec<u8>> = (0..5u8).map(|n| vec![n; 9]).collect();
        let good = Chunk::link(Head::default(), &events);
        let mut altered = good.clone();
        altered.bytes[2 * 9 + 4] ^= 1;
        assert_eq!(altered.verify(), Err(3));
        let mut moved_border = good.clone();
        moved_border.ends[1] -= 1;
        assert_eq!(moved_border.verify(), Err(2));
        let mut other_past = good.clone();
        other_past.before = Head::default().follow(b"x");
        assert_eq!(other_past.verify(), Err(2));
        let mut forged = good;
        forged.hashes[4 * 32] ^= 1;
        assert_eq!(forged.verify(), Err(5));
    }

    #[test]
    fn parts_that_do_not_belong_together_are_no_chunk() {
        let parts = |lengths: &[Option<usize>], hashes: usize, bytes: usize| {
            Chunk::assemble(
                Head::default(),
                lengths.iter().copied(),
                vec![0; hashes],
                vec![0; bytes],
            )
        };
        assert!(parts(&[Some(1), Some(2)], 64, 3).is_some());
        assert!(parts(&[Some(1), Some(2)], 64, 4).is_none());
        assert!(parts(&[Some(1), Some(2)], 63, 3).is_none());
        assert!(parts(&[Some(1), None], 64, 1).is_none());
        assert!(parts(&[Some(usize::MAX), Some(2)], 64, 1).is_none());
    }
}
