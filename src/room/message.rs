//! What a session keeps for its peers: each message counts once, however many keep it.

use crate::wire::{Form, Text};

/// How many bytes are kept in all.
#[derive(Debug, Default)]
pub struct Messages {
    bytes: usize,
}

/// A message that somebody keeps: one of [`Messages`], who has to have it back from each that keeps it.
#[derive(Debug)]
#[must_use = "what is not given back counts for ever"]
pub struct Message(Text);

impl Message {
    /// As it was given.
    pub fn text(&self) -> &Text {
        &self.0
    }

    /// The length of the plain form.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

impl Messages {
    /// So many bytes more, of what is kept by itself.
    pub fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// So many fewer.
    pub fn uncount(&mut self, bytes: usize) {
        self.bytes -= bytes;
    }

    /// Keeps a text, which counts once, however many keep it.
    pub fn keep(&mut self, text: Text) -> Message {
        if text.keep() == 0 {
            self.bytes += text.held_bytes();
        }
        Message(text)
    }

    /// For one more who keeps it.
    pub fn share(&mut self, message: &Message) -> Message {
        self.keep(message.0.clone())
    }

    /// One who kept it does no longer; it counts until the last one does not.
    pub fn give_back(&mut self, Message(text): Message) {
        if text.give_up() == 0 {
            self.bytes -= text.held_bytes();
        }
    }

    /// Several at once.
    pub fn give_all_back(&mut self, messages: impl IntoIterator<Item = Message>) {
        messages.into_iter().for_each(|message| self.give_back(message));
    }

    /// What one who kept a message has of it in the end.
    pub fn take_text(&mut self, message: Message) -> String {
        let text = message.text().as_str().to_owned();
        self.give_back(message);
        text
    }

    /// A message in a form, which counts from when it is first asked for.
    pub fn form<'a>(&mut self, message: &'a Message, form: Form) -> &'a Text {
        if form == Form::Plain {
            return message.text();
        }
        let before = message.0.held_bytes();
        let text = message.0.form(form);
        self.bytes += message.0.held_bytes() - before;
        text
    }

    /// Bytes of messages that somebody keeps, each counted once, in both of its forms.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rendering_serves_all() {
        let mut messages = Messages::default();
        let message = messages.keep(Text::from("x\"y"));
        let first = messages.form(&message, Form::Quoted).clone();
        assert_eq!(first.as_str(), r#""x\"y""#);
        let copy = messages.share(&message);
        assert!(messages.form(&copy, Form::Quoted).is(&first));
    }

    #[test]
    fn each_counts_once_until_nobody_keeps_it() {
        let mut messages = Messages::default();
        let one = messages.keep("12345".into());
        let (copy, other) = (messages.share(&one), messages.keep("123".into()));
        assert_eq!(messages.bytes(), 8);
        messages.give_back(one);
        assert_eq!(messages.bytes(), 8);
        assert_eq!(copy.text().as_str(), "12345");
        _ = messages.form(&copy, Form::Quoted);
        assert_eq!(messages.bytes(), 8 + 7, "both forms are kept");
        messages.give_all_back([copy, other]);
        assert_eq!(messages.bytes(), 0);
    }
}
