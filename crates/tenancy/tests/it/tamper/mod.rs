//! Whoever can write to the raw store can break it, but gets no data out of it: what was altered, moved or
//! taken from elsewhere is refused with a typed error, and nothing panics.

mod authenticity;
mod directories;
mod keys;
mod picture;
mod planted;
mod raw;
mod records;
mod rotation;
