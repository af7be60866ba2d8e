//! What is due to a client, handed over at one go.

use super::Text;

/// Where the texts go that are due to a client.
pub trait Batch {
    /// The next one, in the form that was asked for.
    fn add(&mut self, text: &str);

    /// What is added from here on is due to each peer to whom this text, in its plain form, is the first of it; whoever comes later
    /// gets more. Answers how many of these texts are here already, from the last client that was handed them: they are not
    /// added again. None, where something that is this client's own stands before them.
    fn begin_common(&mut self, _first: &Text) -> usize {
        0
    }
}

impl<F: FnMut(&str)> Batch for F {
    fn add(&mut self, text: &str) {
        self(text);
    }
}
