//! The frames of a batch, in buffers that the connections of a thread share: the members of a room are mostly due the same,
//! which is then written for the first of them and sent to all.

use std::cell::RefCell;

use super::Framing;
use crate::transport::Batch;
use crate::wire::Text;

/// How much of a buffer is kept from one use to the next.
const KEPT_BYTES: usize = 128 * 1024;

thread_local! {
    static OUTPUT: RefCell<Output> = RefCell::default();
}

#[derive(Default)]
struct Output {
    /// What one client alone is due.
    own: Vec<u8>,
    common: Common,
}

/// What the last client was due that was due the same as others.
#[derive(Default)]
struct Common {
    frames: Vec<u8>,
    count: usize,
    /// From which text on, and in which frames.
    from: Option<(Text, Framing)>,
}

impl Common {
    fn is_from(&self, first: &Text, framing: Framing) -> bool {
        self.from.as_ref().is_some_and(|(text, frames)| text.is(first) && *frames == framing)
    }
}

/// The frames of one client's batch.
pub(super) struct Frames<'a> {
    output: &'a mut Output,
    framing: Framing,
    is_common: bool,
}

/// Calls `send` with a batch for one client, which begins with `replies` and takes them. It may not be called within `send`.
pub(super) fn with<R>(framing: Framing, replies: &mut Vec<u8>, send: impl FnOnce(&mut Frames<'_>) -> R) -> R {
    OUTPUT.with_borrow_mut(|output| {
        output.own.clear();
        output.own.append(replies);
        let sent = send(&mut Frames { output, framing, is_common: false });
        output.own.shrink_to(KEPT_BYTES);
        output.common.frames.shrink_to(KEPT_BYTES);
        sent
    })
}

impl Frames<'_> {
    /// All of them.
    pub(super) fn bytes(&self) -> &[u8] {
        if self.is_common { &self.output.common.frames } else { &self.output.own }
    }
}

impl Batch for Frames<'_> {
    fn add(&mut self, text: &str) {
        let Output { own, common } = &mut *self.output;
        match self.is_common {
            true => {
                self.framing.append(text, &mut common.frames);
                common.count += 1;
            }
            false => self.framing.append(text, own),
        }
    }

    fn begin_common(&mut self, first: &Text) -> usize {
        let Output { own, common } = &mut *self.output;
        if !own.is_empty() {
            return 0;
        }
        self.is_common = true;
        if !common.is_from(first, self.framing) {
            common.frames.clear();
            (common.count, common.from) = (0, Some((first.clone(), self.framing)));
        }
        common.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client is sent that is due these texts, which are common to all who come to the first of them.
    fn sent(framing: Framing, replies: &str, is_common: bool, texts: &[Text]) -> (usize, String) {
        with(framing, &mut replies.to_owned().into_bytes(), |frames| {
            let here = if is_common { frames.begin_common(&texts[0]) } else { 0 };
            texts.iter().skip(here).for_each(|text| frames.add(text.as_str()));
            (here, String::from_utf8_lossy(frames.bytes()).replace(|byte: char| !byte.is_ascii_graphic(), "."))
        })
    }

    #[test]
    fn what_is_common_is_written_once_and_sent_to_each_as_a_whole() {
        let texts: Vec<Text> = ["ab", "c", "d"].map(Text::from).into();
        let others: Vec<Text> = ["ab", "x"].map(Text::from).into();
        assert_eq!(sent(Framing::Raw, "", true, &texts[..2]), (0, "..ab..c".into()));
        assert_eq!(sent(Framing::Raw, "", false, &texts[1..]), (0, "..c..d".into()), "its own");
        assert_eq!(sent(Framing::Raw, "", true, &texts), (2, "..ab..c..d".into()), "more has come");
        assert_eq!(sent(Framing::Raw, "pong", true, &texts), (0, "pong..ab..c..d".into()));
        assert_eq!(sent(Framing::SockJs, "", true, &texts[..1]), (0, "..a[ab]".into()));
        assert_eq!(sent(Framing::Raw, "", true, &texts[1..]), (0, "..c..d".into()), "from another place");
        assert_eq!(sent(Framing::Raw, "", true, &others), (0, "..ab..x".into()), "another's");
    }
}
